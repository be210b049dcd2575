/** The fields that a template reads, held against the data of a sample. */
import { createCoverage, stepsOf } from '../../merge-fields/path.ts';
import type { VariableUse } from '../rendering/variables.ts';
import { nearestName } from './nearest.ts';

/** A field that is read and not given, or given and not read. */
export interface FieldProblem {
  code: 'field_missing' | 'field_optional' | 'field_unused' | 'field_unknown' | 'field_wrong_trigger';
  field: string;
  use: VariableUse | null;
  /** The given field with the nearest name, where it is near. */
  suggestion: string | null;
}

/** A sample with more fields than this is looked at up to it. */
const fieldsAtMost = 2_000;
/** For so many a name that is near is looked for. */
const suggestionsAtMost = 30;

function* pathsOf(value: unknown, path: string): Generator<string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    if (path !== '') yield path;
    return;
  }
  const entries = Object.entries(value);
  if (entries.length === 0 && path !== '') yield path;
  for (const [name, inner] of entries) {
    const step = /[^\p{L}\p{N}_-]/u.test(name) ? `["${name}"]` : `.${name}`;
    yield* pathsOf(inner, path === '' ? name : `${path}${step}`);
  }
}

function isGiven(data: unknown, path: string): boolean {
  let value = data;
  for (const step of stepsOf(path)) {
    if (typeof value !== 'object' || value === null) return false;
    // What is read of a list, or of a member that another field names, depends on the data: rendering tells.
    if (Array.isArray(value) || step === null) return true;
    if (!Object.hasOwn(value, step)) return false;
    value = (value as Record<string, unknown>)[step];
  }
  return true;
}

/**
 * Compares fields and sample. @param missing those without which the parts cannot be rendered, by the renderer: the
 * others that are absent are read only where that is allowed.
 */
export function compareFields(
  uses: readonly VariableUse[],
  data: Record<string, unknown>,
  missing: readonly string[],
): FieldProblem[] {
  const given = pathsOf(data, '').take(fieldsAtMost).toArray();
  const needed = new Set(missing);
  // What members of a list lack, rendering tells; of a list that is not given nothing more is told.
  const absent = uses.filter(({ path }) => !path.includes('[]') && !isGiven(data, path));
  const known = new Set(absent.map(({ path }) => path));
  const problems = absent.map((use, index): FieldProblem => {
    const { path } = use;
    const code = needed.has(path) ? 'field_missing' : 'field_optional';
    const suggestion = index < suggestionsAtMost ? nearestName(path, given) : null;
    return { code, field: path, use, suggestion };
  });
  // Those of loops: only rendering finds them.
  for (const field of missing) {
    if (!known.has(field)) problems.push({ code: 'field_missing', field, use: null, suggestion: null });
  }
  const isRead = createCoverage(uses.map(({ path }) => path));
  for (const field of given) {
    // It may be the service's own, which no template has to read.
    if (!isRead(field) && !/^(?:recipient|sender|unsubscribe_url)\b/.test(field))
      problems.push({ code: 'field_unused', field, use: null, suggestion: null });
  }
  return problems;
}
