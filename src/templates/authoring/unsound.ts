/** What every text must be. In the reading thread: somebody may write one so that looking takes a second. */
import type { ErrorItem } from '../../errors.ts';
import { stepsOf } from '../../merge-fields/path.ts';
import { controlCharacter } from '../../text-patterns.ts';
import { findFieldsInMarkup } from '../markup/fields-in-markup.ts';
import { findParseProblem } from '../rendering/liquid.ts';
import type { PlacedText, VariableUse } from '../rendering/variables.ts';

/** Parsing and reading the fields grow faster than the text. */
const maximumMarks = 2_000;

/** Data is nested 32 deep at most: a longer path leads nowhere, and reading it grows faster than its length. */
const maximumSteps = 32;
const longestPath = 1_000;

const faultsAtMost = 100;

/** Outputs and tags, and what is chained inside them: filters, conditions, the lines of `{% liquid %}`. */
function countMarks(source: string): number {
  const [, ...inside] = source.split(/\{[{%]/);
  return inside.reduce((count, text) => {
    const end = text.search(/[}%]\}/);
    const chained = text.slice(0, end === -1 ? text.length : end).match(/[\n|,]|\b(?:or|and)\b/g);
    return count + 1 + (chained?.length ?? 0);
  }, 0);
}

const isOneLine = ({ place }: PlacedText) => /(?:^|\/)(?:subject|to)$/.test(place);

function faultsOfForm(text: PlacedText): ErrorItem[] {
  const pointer = `/${text.place}`;
  if (isOneLine(text) && controlCharacter.test(text.source)) {
    return [{ pointer, code: 'control_character', message: 'must be one line, without control characters' }];
  }
  if (isOneLine(text) && /\{\{-?\s*sender\.signature\b/.test(text.source)) {
    return [{ pointer, code: 'not_allowed', message: 'a signature has several lines: it may not stand in one' }];
  }
  const marks = countMarks(text.source);
  if (marks <= maximumMarks) return [];
  const message = `has ${marks} outputs, tags, filters and conditions; ${maximumMarks} is the most`;
  return [{ pointer, code: 'too_complex', message }];
}

function faultsOfLanguage({ place, html, source }: PlacedText): ErrorItem[] {
  const problem = findParseProblem(place, html, source);
  return problem === null ? [] : [{ pointer: `/${place}`, code: 'template_invalid', message: problem.message }];
}

function faultsOfMarkup({ place, html, source }: PlacedText): ErrorItem[] {
  if (!html) return [];
  return findFieldsInMarkup(source).map(({ line, column, message }) => {
    return { pointer: `/${place}`, code: 'field_in_markup', message: `line ${line}, column ${column}: ${message}` };
  });
}

/**
 * Why texts cannot be kept: their form, then their Liquid, then fields where escaping does not hold. Of each kind every
 * fault; a later kind is looked at when there is none of an earlier one.
 */
export function findUnsound(texts: readonly PlacedText[]): ErrorItem[] {
  for (const find of [faultsOfForm, faultsOfLanguage, faultsOfMarkup]) {
    const faults = texts.flatMap(find);
    if (faults.length > 0) return faults.slice(0, faultsAtMost);
  }
  return [];
}

/** Fields whose path is too long to be one. */
export function findTooLong(uses: readonly VariableUse[]): ErrorItem[] {
  const faults = uses.flatMap(({ path, part, line, column }) => {
    if (path.length <= longestPath && stepsOf(path).length <= maximumSteps) return [];
    const message = `line ${line}, column ${column}: ${path.slice(0, 50)}… is longer than ${maximumSteps} steps or ${longestPath} characters`;
    return [{ pointer: `/${part}`, code: 'too_complex', message }];
  });
  return faults.slice(0, faultsAtMost);
}
