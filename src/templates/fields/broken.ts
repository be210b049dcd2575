/** Templates whose published texts read fields that nothing gives any more (M5). */
import type { Db, Tx } from '../../db/client.ts';
import { isFieldOf } from '../../merge-fields/shape.ts';
import { findUnknown, knownFields, serves, type UnknownField } from './known.ts';
import { allFieldSources, type FieldSource, publishedUses } from './store.ts';

/** A template and the fields it reads in vain. */
export interface BrokenTemplate {
  id: string;
  key: string;
  version: number;
  fields: UnknownField[];
}

/** What gives fields, as it is or as it would be. */
export type Giver = Omit<FieldSource, 'key'>;

/**
 * Which templates are broken, among those that each of these lists or extractions serves, with these as they are given
 * here. @returns by the id of the list or extraction.
 */
export async function brokenTemplates(
  db: Db | Tx,
  tenantId: string,
  givers: readonly Giver[],
): Promise<Map<string, BrokenTemplate[]>> {
  if (givers.length === 0) return new Map();
  const given = new Map(givers.map((giver) => [giver.id, giver]));
  const every = (await allFieldSources(db, tenantId)).map((source) => ({ ...source, ...given.get(source.id) }));
  const uses = (await publishedUses(db, tenantId)).filter((use) => givers.some((giver) => serves(giver, use)));
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
    givers.map((giver) => {
      const served = broken.filter(({ use }) => serves(giver, use));
      return [giver.id, served.map(({ use: { id, key, version }, fields }) => ({ id, key, version, fields }))];
    }),
  );
}

/** Rows of one kind with the templates that each has broken, in their order. */
export async function withBroken<Row extends Omit<Giver, 'kind'>>(
  db: Db | Tx,
  tenantId: string,
  kind: Giver['kind'],
  rows: readonly Row[],
): Promise<(Row & { broken: BrokenTemplate[] })[]> {
  const broken = await brokenTemplates(
    db,
    tenantId,
    rows.map((row) => ({ ...row, kind })),
  );
  return rows.map((row) => ({ ...row, broken: broken.get(row.id) ?? [] }));
}

/** The same for one row. */
export async function oneWithBroken<Row extends Omit<Giver, 'kind'> & { tenantId: string }>(
  db: Db | Tx,
  kind: Giver['kind'],
  row: Row,
): Promise<Row & { broken: BrokenTemplate[] }> {
  const [shown] = await withBroken(db, row.tenantId, kind, [row]);
  return shown ?? { ...row, broken: [] };
}

/** Published templates that read a field which this list or extraction alone gives, with those fields. */
export async function templatesThatNeed(
  db: Db | Tx,
  tenantId: string,
  giver: Giver,
): Promise<{ key: string; fields: string[] }[]> {
  const { fields: given } = giver;
  if (given === null) return [];
  const others = (await allFieldSources(db, tenantId)).filter(({ id }) => id !== giver.id);
  const uses = (await publishedUses(db, tenantId)).filter((use) => serves(giver, use));
  return uses.flatMap((use) => {
    const shapes = knownFields(others, use, use.fields)?.shapes ?? [];
    const fields = use.usedFields.filter(
      (path) => isFieldOf(given, path) && !shapes.some((shape) => isFieldOf(shape, path)),
    );
    return fields.length === 0 ? [] : [{ key: use.key, fields }];
  });
}
