/** What is asked of the texts of a version when it is saved, and of its fields when it is published, too. */
import type { Tx } from '../db/client.ts';
import { AppError, type ErrorItem } from '../errors.ts';
import { controlCharacter } from '../fields.ts';
import { findUnknown, type KnownFields, readKnownFields } from './fields/known.ts';
import { findFieldsInMarkup } from './markup/fields-in-markup.ts';
import { findParseProblem } from './rendering/liquid.ts';
import type { PlacedText, VariableUse } from './rendering/variables.ts';
import type { TemplateRow } from './store.ts';
import type { TemplateVersionRow } from './versions.ts';

/** Parsing and reading the fields grow faster than the text: 2,000 marks take some tens of milliseconds. */
const maximumMarks = 2_000;

/** The first fault is the detail. @throws AppError `template_invalid`, where there is any. */
export function refuseFaults(items: readonly ErrorItem[]): void {
  const [first] = items;
  if (first !== undefined) {
    throw new AppError('template_invalid', { detail: `${first.pointer} ${first.message}`, items });
  }
}

/** Outputs and tags, and what is chained inside them: filters, conditions, the lines of `{% liquid %}`. */
function countMarks(source: string): number {
  const [, ...inside] = source.split(/\{[{%]/);
  return inside.reduce((count, text) => {
    const end = text.search(/[}%]\}/);
    const chained = text.slice(0, end === -1 ? text.length : end).match(/[\n|,]|\b(?:or|and)\b/g);
    return count + 1 + (chained?.length ?? 0);
  }, 0);
}

function checkSize({ place, source }: PlacedText): void {
  const marks = countMarks(source);
  if (marks <= maximumMarks) return;
  const message = `has ${marks} outputs, tags, filters and conditions; ${maximumMarks} is the most`;
  refuseFaults([{ pointer: `/${place}`, code: 'too_complex', message }]);
}

/** @throws AppError `template_invalid` with the place of every field that nothing gives. */
function refuseUnknown(uses: readonly VariableUse[], known: KnownFields): void {
  const unknown = findUnknown(uses, known).slice(0, 100);
  refuseFaults(
    unknown.map(({ path, part, line, column, trigger, suggestion }) => {
      const why = trigger !== null ? `is a field of the trigger ${trigger}` : 'is given by nothing';
      const meant = suggestion === null ? '' : `; ${suggestion} is`;
      return {
        pointer: `/${part}`,
        code: trigger === null ? 'field_unknown' : 'field_wrong_trigger',
        message: `line ${line}, column ${column}: ${path} ${why}${meant}`,
      };
    }),
  );
}

/** What was known when a text was saved may be gone when it is published: both ask. @throws AppError `template_invalid`. */
export async function mustBeKnown(
  tx: Tx,
  template: TemplateRow,
  { allowUnknown, fields }: Pick<TemplateVersionRow, 'allowUnknown' | 'fields'>,
  uses: readonly VariableUse[],
): Promise<void> {
  if (allowUnknown) return;
  const known = await readKnownFields(tx, template.tenantId, template, fields);
  if (known !== null) refuseUnknown(uses, known);
}

function faultsInMarkup({ place, source }: PlacedText): ErrorItem[] {
  return findFieldsInMarkup(source).map(({ line, column, message }) => {
    return { pointer: `/${place}`, code: 'field_in_markup', message: `line ${line}, column ${column}: ${message}` };
  });
}

/**
 * Holds texts to what every text must be: of a size that can be parsed, Liquid, without fields where escaping does not
 * hold. @throws AppError `template_invalid` with the text and the place of every fault.
 */
export function checkTexts(texts: readonly PlacedText[]): void {
  for (const text of texts) {
    if (/(?:^|\/)(?:subject|to)$/.test(text.place) && controlCharacter.test(text.source)) {
      const message = 'must be one line, without control characters';
      refuseFaults([{ pointer: `/${text.place}`, code: 'control_character', message }]);
    }
    checkSize(text);
  }
  refuseFaults(
    texts.flatMap(({ place, html, source }) => {
      const problem = findParseProblem(place, html, source);
      return problem === null ? [] : [{ pointer: `/${place}`, code: 'template_invalid', message: problem.message }];
    }),
  );
  refuseFaults(
    texts
      .filter(({ html }) => html)
      .flatMap(faultsInMarkup)
      .slice(0, 100),
  );
}
