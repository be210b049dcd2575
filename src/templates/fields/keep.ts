/** Lists of fields as people change them: held to their schema, and told to whoever would lose a field. */

import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { AppError, refuseAt } from '../../errors.ts';
import { checkFieldsShape } from '../../merge-fields/check-shape.ts';
import type { Actor } from '../../tenants/rights.ts';
import { templatesThatNeed } from './broken.ts';
import {
  countFieldLists,
  createFieldList,
  type FieldListFields,
  type FieldListRow,
  getFieldList,
  removeFieldList,
} from './store.ts';

const listsAtMost = 100;

/** Adds a list. @throws AppError `conflict`; `unprocessable` for a wrong shape, or one list too many. */
export async function addFieldList(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  tenantId: string,
  actor: Actor,
  list: FieldListFields & { key: string },
): Promise<FieldListRow> {
  checkFieldsShape(list.fields, '/fields');
  if ((await countFieldLists(tx, tenantId)) >= listsAtMost) {
    refuseAt('/key', 'too_many', `an organisation has ${listsAtMost} lists of fields at most`);
  }
  return createFieldList(deps, tx, tenantId, actor, list);
}

/**
 * Deletes a list that no published template needs.
 * @throws AppError `not_found`; `in_use` with a line for each template that would lose fields.
 */
export async function deleteFieldList(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  tenantId: string,
  actor: Actor,
  id: string,
): Promise<void> {
  const list = { ...(await getFieldList(tx, tenantId, id)), kind: 'list' as const };
  const needing = await templatesThatNeed(tx, tenantId, list);
  if (needing.length > 0) {
    const items = needing.slice(0, 100).map(({ key, fields }) => {
      return { pointer: '', code: 'used_by_template', message: `${key} reads ${fields.join(', ')}` };
    });
    throw new AppError('in_use', { detail: `${needing.length} templates read its fields.`, items });
  }
  await removeFieldList(deps, tx, tenantId, actor, id);
}
