import { and, desc, eq, lt, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { extractions } from '../db/tables/merge-fields.ts';
import { AppError, notFound } from '../errors.ts';
import { recordAudit } from '../tenants/audit.ts';
import type { Actor } from '../tenants/rights.ts';
import { uuidPattern } from '../text-patterns.ts';

type Deps = { clock: Clock; newId: NewId };

export type ExtractionRow = typeof extractions.$inferSelect;

/** What people may change of an extraction. */
export type ExtractionFields = Pick<
  ExtractionRow,
  | 'title'
  | 'description'
  | 'dataSourceId'
  | 'query'
  | 'keyColumn'
  | 'keyType'
  | 'listField'
  | 'trigger'
  | 'pages'
  | 'fields'
>;

const own = (tenantId: string, id: string) => and(eq(extractions.tenantId, tenantId), eq(extractions.id, id));

/** Adds an extraction that was checked. @throws AppError `conflict` when the key is taken. */
export async function createExtraction(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  extraction: ExtractionFields & { key: string },
): Promise<ExtractionRow> {
  const now = deps.clock.now();
  const [row] = await tx
    .insert(extractions)
    .values({ tenantId, id: deps.newId(), ...extraction, createdAt: now, updatedAt: now })
    .onConflictDoNothing({ target: [extractions.tenantId, extractions.key] })
    .returning();
  if (row === undefined) {
    throw new AppError('conflict', { detail: `An extraction has the key ${extraction.key} already.` });
  }
  await recordAudit(deps, tx, { tenantId, actor, action: 'created', resourceType: 'extraction', resourceId: row.id });
  return row;
}

/** @throws AppError `not_found`. */
export async function getExtraction(db: Db | Tx, tenantId: string, id: string): Promise<ExtractionRow> {
  const [row] = await db.select().from(extractions).where(own(tenantId, id));
  if (row === undefined) throw notFound();
  return row;
}

/** An extraction by id or key, or null. `hold` keeps it from being deleted until the transaction ends. */
export async function findExtraction(
  db: Db | Tx,
  tenantId: string,
  idOrKey: string,
  options: { hold?: boolean } = {},
): Promise<ExtractionRow | null> {
  const named = uuidPattern.test(idOrKey) ? eq(extractions.id, idOrKey) : eq(extractions.key, idOrKey);
  const query = db
    .select()
    .from(extractions)
    .where(and(eq(extractions.tenantId, tenantId), named));
  const [row] = await (options.hold ? query.for('key share') : query);
  return row ?? null;
}

/** Newest first. */
export function listExtractions(
  db: Db | Tx,
  tenantId: string,
  page: { limit: number; before: string | null },
  filter: { key?: string; dataSourceId?: string },
): Promise<ExtractionRow[]> {
  return db
    .select()
    .from(extractions)
    .where(
      and(
        eq(extractions.tenantId, tenantId),
        page.before === null ? undefined : lt(extractions.id, page.before),
        filter.key === undefined ? undefined : eq(extractions.key, filter.key),
        filter.dataSourceId === undefined ? undefined : eq(extractions.dataSourceId, filter.dataSourceId),
      ),
    )
    .orderBy(desc(extractions.id))
    .limit(page.limit);
}

/** How many extractions a tenant has. */
export function countExtractions(db: Db | Tx, tenantId: string): Promise<number> {
  return db.$count(extractions, eq(extractions.tenantId, tenantId));
}

/** Changes an extraction. @throws AppError 404, 412. */
export async function updateExtraction(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number | null },
  change: Partial<ExtractionFields>,
): Promise<ExtractionRow> {
  const { tenantId, id, actor, revision } = target;
  const [row] = await tx
    .update(extractions)
    .set({ ...change, revision: sql`${extractions.revision} + 1`, updatedAt: deps.clock.now() })
    .where(and(own(tenantId, id), revision === null ? undefined : eq(extractions.revision, revision)))
    .returning();
  if (row === undefined) {
    await getExtraction(tx, tenantId, id);
    throw new AppError('precondition_failed');
  }
  const entry = { tenantId, actor, resourceType: 'extraction', resourceId: id };
  await recordAudit(deps, tx, { ...entry, action: 'updated', fields: Object.keys(change) });
  return row;
}

/** Locks an extraction that is to be deleted: a template that is about to name it waits. @throws AppError `not_found`. */
export async function lockExtraction(tx: Tx, tenantId: string, id: string): Promise<ExtractionRow> {
  const [row] = await tx.select().from(extractions).where(own(tenantId, id)).for('update');
  if (row === undefined) throw notFound();
  return row;
}

/** Deletes an extraction, whoever uses it: the templates know who does. */
export async function removeExtraction(deps: Deps, tx: Tx, tenantId: string, actor: Actor, id: string): Promise<void> {
  await tx.delete(extractions).where(own(tenantId, id));
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'extraction', resourceId: id });
}
