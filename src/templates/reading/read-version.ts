/** Reads the texts of a version that is to be saved, in the thread: what is wrong with them, and the fields they read. */
import type { ErrorItem } from '../../errors.ts';
import { controlCharacter } from '../../fields.ts';
import { convertOldFields } from '../convert/convert.ts';
import { stepsOf } from '../fields/path.ts';
import { findFieldsInMarkup } from '../markup/fields-in-markup.ts';
import { parseTemplateParts, TEMPLATE_PARTS, type TemplateParts } from '../rendering/liquid.ts';
import { listVariableUses, type VariableUse } from '../rendering/variables.ts';

/** With `braces`, `{Adr_Nom}` becomes `{{ Adr_Nom }}` and other braces stay (W1). */
export type VersionSyntax = 'liquid' | 'braces';

/** Texts as they are kept, or every fault of them. */
export type ReadVersion =
  | { kind: 'sound'; parts: TemplateParts; uses: VariableUse[] }
  | { kind: 'faults'; faults: ErrorItem[] };

/** Parsing and reading the fields grow faster than the text. */
const maximumMarks = 2_000;

/** Data is nested 32 deep at most: a longer path leads nowhere, and reading it grows faster than its length. */
const maximumSteps = 32;
const longestPath = 1_000;

/** Outputs and tags, and what is chained inside them: filters, conditions, the lines of `{% liquid %}`. */
function countMarks(source: string): number {
  const [, ...inside] = source.split(/\{[{%]/);
  return inside.reduce((count, text) => {
    const end = text.search(/[}%]\}/);
    const chained = text.slice(0, end === -1 ? text.length : end).match(/[\n|,]|\b(?:or|and)\b/g);
    return count + 1 + (chained?.length ?? 0);
  }, 0);
}

function findTooMany(parts: TemplateParts): ErrorItem[] {
  return TEMPLATE_PARTS.flatMap((part) => {
    const marks = countMarks(parts[part]);
    if (marks <= maximumMarks) return [];
    const message = `has ${marks} outputs, tags, filters and conditions; ${maximumMarks} is the most`;
    return [{ pointer: `/${part}`, code: 'too_complex', message }];
  });
}

function findTooLong(uses: readonly VariableUse[]): ErrorItem[] {
  return uses.flatMap(({ path, part, line, column }) => {
    if (path.length <= longestPath && stepsOf(path).length <= maximumSteps) return [];
    const message = `line ${line}, column ${column}: ${path.slice(0, 50)}… is longer than ${maximumSteps} steps or ${longestPath} characters`;
    return [{ pointer: `/${part}`, code: 'too_complex', message }];
  });
}

function findUnsound(parts: TemplateParts): ErrorItem[] {
  if (controlCharacter.test(parts.subject)) {
    const message = 'must be one line, without control characters';
    return [{ pointer: '/subject', code: 'control_character', message }];
  }
  const tooMany = findTooMany(parts);
  if (tooMany.length > 0) return tooMany;
  const parsed = parseTemplateParts(parts);
  if (parsed.kind === 'problems') {
    return parsed.problems.map(({ part, message }) => ({ pointer: `/${part}`, code: 'template_invalid', message }));
  }
  return findFieldsInMarkup(parts.html)
    .slice(0, 100)
    .map(({ line, column, message }) => {
      return { pointer: '/html', code: 'field_in_markup', message: `line ${line}, column ${column}: ${message}` };
    });
}

/** Converts what is in the old syntax, and reads it. */
export function readVersion(texts: TemplateParts, syntax: VersionSyntax): ReadVersion {
  const convert = (text: string) =>
    syntax === 'braces' ? convertOldFields(text, { syntaxes: ['braces'] }).text : text;
  const parts = { subject: convert(texts.subject), text: convert(texts.text), html: convert(texts.html) };
  const unsound = findUnsound(parts);
  if (unsound.length > 0) return { kind: 'faults', faults: unsound };
  const uses = listVariableUses(parts);
  const tooLong = findTooLong(uses).slice(0, 100);
  return tooLong.length > 0 ? { kind: 'faults', faults: tooLong } : { kind: 'sound', parts, uses };
}
