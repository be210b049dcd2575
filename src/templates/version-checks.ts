/** How the faults of texts are refused, and fields that nothing gives: when a version is saved, and when it is published. */
import type { Tx } from '../db/client.ts';
import { AppError, type ErrorItem } from '../errors.ts';
import { findUnknown, type KnownFields, readKnownFields } from './fields/known.ts';
import type { VariableUse } from './rendering/variables.ts';
import type { TemplateRow } from './store.ts';
import type { TemplateVersionRow } from './versions.ts';

/** The first fault is the detail. @throws AppError `template_invalid` always. */
export function refuseFaults(items: readonly ErrorItem[]): never {
  const [first] = items;
  throw new AppError('template_invalid', { detail: `${first?.pointer} ${first?.message}`, items });
}

/** @throws AppError `template_invalid` with the place of every field that nothing gives. */
function refuseUnknown(uses: readonly VariableUse[], known: KnownFields): void {
  const unknown = findUnknown(uses, known).slice(0, 100);
  if (unknown.length === 0) return;
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
