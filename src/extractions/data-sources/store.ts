import { and, desc, eq, lt, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { dataSources, extractions } from '../../db/tables/merge-fields.ts';
import { AppError, notFound } from '../../errors.ts';
import { recordAudit } from '../../tenants/audit.ts';
import type { Actor } from '../../tenants/rights.ts';
import { uuidPattern } from '../../text-patterns.ts';

type Deps = { clock: Clock; newId: NewId };

export type DataSourceRow = typeof dataSources.$inferSelect;

/** What people may change of a source, its secrets sealed. */
export type DataSourceFields = Pick<
  DataSourceRow,
  'title' | 'settings' | 'sealedSecrets' | 'statementTimeoutMs' | 'maximumRows'
>;

/** Adds a source whose settings were checked. @throws AppError `conflict` when the key is taken. */
export async function createDataSource(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  source: DataSourceFields & Pick<DataSourceRow, 'key' | 'kind'>,
): Promise<DataSourceRow> {
  const now = deps.clock.now();
  const [row] = await tx
    .insert(dataSources)
    .values({ tenantId, id: deps.newId(), ...source, createdAt: now, updatedAt: now })
    .onConflictDoNothing({ target: [dataSources.tenantId, dataSources.key] })
    .returning();
  if (row === undefined) throw new AppError('conflict', { detail: `A data source has the key ${source.key} already.` });
  await recordAudit(deps, tx, { tenantId, actor, action: 'created', resourceType: 'data-source', resourceId: row.id });
  return row;
}

const own = (tenantId: string, id: string) => and(eq(dataSources.tenantId, tenantId), eq(dataSources.id, id));

/** @throws AppError `not_found`. */
export async function getDataSource(db: Db | Tx, tenantId: string, id: string): Promise<DataSourceRow> {
  const [row] = await db.select().from(dataSources).where(own(tenantId, id));
  if (row === undefined) throw notFound();
  return row;
}

/** A source by id or key, or null. `hold` keeps it from being deleted until the transaction ends. */
export async function findDataSource(
  db: Db | Tx,
  tenantId: string,
  idOrKey: string,
  options: { hold?: boolean } = {},
): Promise<DataSourceRow | null> {
  const named = uuidPattern.test(idOrKey) ? eq(dataSources.id, idOrKey) : eq(dataSources.key, idOrKey);
  const query = db
    .select()
    .from(dataSources)
    .where(and(eq(dataSources.tenantId, tenantId), named));
  const [row] = await (options.hold ? query.for('key share') : query);
  return row ?? null;
}

/** Newest first. */
export function listDataSources(
  db: Db | Tx,
  tenantId: string,
  page: { limit: number; before: string | null },
  filter: { key?: string },
): Promise<DataSourceRow[]> {
  return db
    .select()
    .from(dataSources)
    .where(
      and(
        eq(dataSources.tenantId, tenantId),
        page.before === null ? undefined : lt(dataSources.id, page.before),
        filter.key === undefined ? undefined : eq(dataSources.key, filter.key),
      ),
    )
    .orderBy(desc(dataSources.id))
    .limit(page.limit);
}

/** How many sources a tenant has. */
export function countDataSources(db: Db | Tx, tenantId: string): Promise<number> {
  return db.$count(dataSources, eq(dataSources.tenantId, tenantId));
}

/** Changes a source. @param revision of the source as it was read. @throws AppError 412. */
export async function updateDataSource(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number },
  change: { fields: Partial<DataSourceFields>; names: string[] },
): Promise<DataSourceRow> {
  const { tenantId, id, actor, revision } = target;
  const [row] = await tx
    .update(dataSources)
    .set({ ...change.fields, revision: sql`${dataSources.revision} + 1`, updatedAt: deps.clock.now() })
    .where(and(own(tenantId, id), eq(dataSources.revision, revision)))
    .returning();
  if (row === undefined) throw new AppError('precondition_failed');
  const entry = { tenantId, actor, resourceType: 'data-source', resourceId: id };
  await recordAudit(deps, tx, { ...entry, action: 'updated', fields: change.names });
  return row;
}

/** Deletes a source that no extraction asks. @throws AppError `not_found`; `in_use` with a line for each extraction. */
export async function deleteDataSource(deps: Deps, tx: Tx, tenantId: string, actor: Actor, id: string): Promise<void> {
  // Before the look at what uses it: an extraction that is being made holds the row.
  await tx.select({ id: dataSources.id }).from(dataSources).where(own(tenantId, id)).for('update');
  await getDataSource(tx, tenantId, id);
  const using = await tx
    .select({ key: extractions.key })
    .from(extractions)
    .where(and(eq(extractions.tenantId, tenantId), eq(extractions.dataSourceId, id)))
    .orderBy(extractions.key);
  if (using.length > 0) {
    const items = using.map(({ key }) => ({ pointer: '', code: 'used_by_extraction', message: `${key} asks it` }));
    throw new AppError('in_use', { detail: `${using.length} extractions ask it.`, items });
  }
  await tx.delete(dataSources).where(own(tenantId, id));
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'data-source', resourceId: id });
}
