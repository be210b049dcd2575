import { and, desc, eq, lt, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { layouts } from '../../db/tables/templates.ts';
import { AppError, notFound } from '../../errors.ts';
import { recordAudit } from '../../tenants/audit.ts';
import type { Actor } from '../../tenants/rights.ts';
import { uuidPattern } from '../../text-patterns.ts';

type Deps = { clock: Clock; newId: NewId };

export type LayoutRow = typeof layouts.$inferSelect;

/** What people may change of a layout. */
export type LayoutFields = Pick<
  LayoutRow,
  'title' | 'logo' | 'logoText' | 'academicYear' | 'identity' | 'css' | 'html'
>;

/** Adds a layout whose texts were checked. @throws AppError `conflict` when the key is taken. */
export async function createLayout(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  layout: LayoutFields & { key: string },
): Promise<LayoutRow> {
  const now = deps.clock.now();
  const [row] = await tx
    .insert(layouts)
    .values({ tenantId, id: deps.newId(), ...layout, version: 1, createdAt: now, updatedAt: now })
    .onConflictDoNothing({ target: [layouts.tenantId, layouts.key] })
    .returning();
  if (row === undefined) throw new AppError('conflict', { detail: `A layout has the key ${layout.key} already.` });
  await recordAudit(deps, tx, { tenantId, actor, action: 'created', resourceType: 'layout', resourceId: row.id });
  return row;
}

/** @throws AppError `not_found`. */
export async function getLayout(db: Db | Tx, tenantId: string, id: string): Promise<LayoutRow> {
  const [row] = await db
    .select()
    .from(layouts)
    .where(and(eq(layouts.tenantId, tenantId), eq(layouts.id, id)));
  if (row === undefined) throw notFound();
  return row;
}

/**
 * A layout that does not change until the transaction ends. Always before the template that uses it, as a change of the
 * layout does. @throws AppError `not_found`.
 */
export async function holdLayout(tx: Tx, tenantId: string, id: string): Promise<LayoutRow> {
  const [row] = await tx
    .select()
    .from(layouts)
    .where(and(eq(layouts.tenantId, tenantId), eq(layouts.id, id)))
    .for('share');
  if (row === undefined) throw notFound();
  return row;
}

/** A layout by id or key, or null. */
export async function findLayout(db: Db | Tx, tenantId: string, idOrKey: string): Promise<LayoutRow | null> {
  const named = uuidPattern.test(idOrKey) ? eq(layouts.id, idOrKey) : eq(layouts.key, idOrKey);
  const [row] = await db
    .select()
    .from(layouts)
    .where(and(eq(layouts.tenantId, tenantId), named));
  return row ?? null;
}

/** Newest first. */
export function listLayouts(
  db: Db,
  tenantId: string,
  page: { limit: number; before: string | null },
  filter: { key?: string },
): Promise<LayoutRow[]> {
  return db
    .select()
    .from(layouts)
    .where(
      and(
        eq(layouts.tenantId, tenantId),
        page.before === null ? undefined : lt(layouts.id, page.before),
        filter.key === undefined ? undefined : eq(layouts.key, filter.key),
      ),
    )
    .orderBy(desc(layouts.id))
    .limit(page.limit);
}

/** Changes a layout: its version goes up where mails look different. @throws AppError 404, 412. */
export async function updateLayout(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number | null },
  change: Partial<LayoutFields>,
  looksChanged: boolean,
): Promise<LayoutRow> {
  const { tenantId, id, actor, revision } = target;
  const [row] = await tx
    .update(layouts)
    .set({
      ...change,
      ...(looksChanged ? { version: sql`${layouts.version} + 1` } : {}),
      revision: sql`${layouts.revision} + 1`,
      updatedAt: deps.clock.now(),
    })
    .where(
      and(
        eq(layouts.tenantId, tenantId),
        eq(layouts.id, id),
        revision === null ? undefined : eq(layouts.revision, revision),
      ),
    )
    .returning();
  if (row === undefined) {
    await getLayout(tx, tenantId, id);
    throw new AppError('precondition_failed');
  }
  const fields = Object.keys(change);
  await recordAudit(deps, tx, { tenantId, actor, action: 'updated', resourceType: 'layout', resourceId: id, fields });
  return row;
}

/** @throws AppError `not_found`, or `in_use` with a line for each template that has a version with it. */
export async function deleteLayout(deps: Deps, tx: Tx, tenantId: string, actor: Actor, id: string): Promise<void> {
  await getLayout(tx, tenantId, id);
  await tx.execute(sql`select 1 from layouts where tenant_id = ${tenantId} and id = ${id} for update`);
  const used = await tx.execute<{ key: string }>(sql`
    select distinct templates.key from template_versions version
    join templates on templates.tenant_id = version.tenant_id and templates.id = version.template_id
    where version.tenant_id = ${tenantId} and version.layout_id = ${id} and templates.deleted_at is null
    order by templates.key`);
  if (used.length > 0) {
    const items = [...used].slice(0, 100).map(({ key }) => {
      return { pointer: '', code: 'used_by_template', message: `${key} has a version with it` };
    });
    throw new AppError('in_use', { detail: `${used.length} templates use it.`, items });
  }
  await tx.delete(layouts).where(and(eq(layouts.tenantId, tenantId), eq(layouts.id, id)));
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'layout', resourceId: id });
}
