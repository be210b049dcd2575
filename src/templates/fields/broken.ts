/** Templates whose published texts read fields that nothing gives any more (M5). */
import type { Db, Tx } from '../../db/client.ts';
import { isFieldOf } from '../../merge-fields/shape.ts';
import { findUnknown, knownFields, serves, type UnknownField } from './known.ts';
import { allFieldLists, type FieldListRow, publishedUses } from './store.ts';

/** A template and the fields it reads in vain. */
export interface BrokenTemplate {
  id: string;
  key: string;
  version: number;
  fields: UnknownField[];
}

/**
 * Which templates are broken now, among those that each of these lists serves.
 * @returns by the id of the list.
 */
export async function brokenTemplates(
  db: Db | Tx,
  tenantId: string,
  lists: readonly FieldListRow[],
): Promise<Map<string, BrokenTemplate[]>> {
  if (lists.length === 0) return new Map();
  const every = await allFieldLists(db, tenantId);
  const uses = (await publishedUses(db, tenantId)).filter((use) => lists.some((list) => serves(list, use)));
  const broken = uses.flatMap((use) => {
    const known = knownFields(every, use, use.fields);
    const fields =
      known === null
        ? []
        : findUnknown(
            use.usedFields.map((path) => ({ path })),
            known,
          );
    return fields.length === 0 ? [] : [{ use, fields }];
  });
  return new Map(
    lists.map((list) => {
      const served = broken.filter(({ use }) => serves(list, use));
      return [list.id, served.map(({ use: { id, key, version }, fields }) => ({ id, key, version, fields }))];
    }),
  );
}

/** Published templates that read a field which this list alone gives, with those fields. */
export async function templatesThatNeed(db: Db | Tx, list: FieldListRow): Promise<{ key: string; fields: string[] }[]> {
  const { tenantId } = list;
  const others = (await allFieldLists(db, tenantId)).filter(({ id }) => id !== list.id);
  const uses = (await publishedUses(db, tenantId)).filter((use) => serves(list, use));
  return uses.flatMap((use) => {
    const shapes = knownFields(others, use, use.fields)?.shapes ?? [];
    const fields = use.usedFields.filter(
      (path) => isFieldOf(list.fields, path) && !shapes.some((shape) => isFieldOf(shape, path)),
    );
    return fields.length === 0 ? [] : [{ key: use.key, fields }];
  });
}
