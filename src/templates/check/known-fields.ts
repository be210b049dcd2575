/** The fields that a template reads, held against those that are known where it is used. */

import { createCoverage } from '../../merge-fields/path.ts';
import { type FieldsShape, listFields } from '../../merge-fields/shape.ts';
import { findUnknown, type KnownFields } from '../fields/known.ts';
import type { VariableUse } from '../rendering/variables.ts';
import type { FieldProblem } from './sample-fields.ts';

/** @param declared what the template says itself: only of these it is told that they are not used. */
export function compareKnown(
  uses: readonly VariableUse[],
  known: KnownFields | null,
  declared: FieldsShape | null,
): FieldProblem[] {
  if (known === null) return [];
  const unknown = findUnknown(uses, known).map(({ trigger, suggestion, ...use }): FieldProblem => {
    const code = trigger === null ? 'field_unknown' : 'field_wrong_trigger';
    return { code, field: use.path, use, suggestion };
  });
  if (declared === null) return unknown;
  const isRead = createCoverage(uses.map(({ path }) => path));
  const unused = [...listFields(declared)].filter(({ path }) => !isRead(path));
  return [
    ...unknown,
    ...unused.map(({ path }): FieldProblem => ({ code: 'field_unused', field: path, use: null, suggestion: null })),
  ];
}
