import { and, asc, desc, eq, lt, or, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { choices, notificationTypes } from '../../db/tables/permissions.ts';
import { AppError, notFound } from '../../errors.ts';
import { recordAudit } from '../../tenants/audit.ts';
import type { Actor } from '../../tenants/rights.ts';
import { uuidPattern } from '../../text-patterns.ts';

type Deps = { clock: Clock; newId: NewId };

export type NotificationTypeRow = typeof notificationTypes.$inferSelect;

/** What people may change of a notification type. */
export type NotificationTypeFields = Pick<
  NotificationTypeRow,
  'title' | 'active' | 'channels' | 'defaultChoice' | 'subscription'
>;

/** Adds a notification type. @throws AppError `conflict` when the key is taken. */
export async function createNotificationType(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  type: NotificationTypeFields & { key: string },
): Promise<NotificationTypeRow> {
  const now = deps.clock.now();
  const [row] = await tx
    .insert(notificationTypes)
    .values({ tenantId, id: deps.newId(), ...type, createdAt: now, updatedAt: now })
    .onConflictDoNothing({ target: [notificationTypes.tenantId, notificationTypes.key] })
    .returning();
  if (row === undefined)
    throw new AppError('conflict', { detail: `A notification type has the key ${type.key} already.` });
  const entry = { tenantId, actor, resourceType: 'notification-type', resourceId: row.id };
  await recordAudit(deps, tx, { ...entry, action: 'created' });
  return row;
}

/** @throws AppError `not_found`. */
export async function getNotificationType(db: Db | Tx, tenantId: string, id: string): Promise<NotificationTypeRow> {
  const [row] = await db
    .select()
    .from(notificationTypes)
    .where(and(eq(notificationTypes.tenantId, tenantId), eq(notificationTypes.id, id)));
  if (row === undefined) throw notFound();
  return row;
}

/** By id or key, or null. A key may look like an id: the id comes first. */
export async function findNotificationType(
  db: Db | Tx,
  tenantId: string,
  idOrKey: string,
): Promise<NotificationTypeRow | null> {
  const byKey = eq(notificationTypes.key, idOrKey);
  const rows = await db
    .select()
    .from(notificationTypes)
    .where(
      and(
        eq(notificationTypes.tenantId, tenantId),
        uuidPattern.test(idOrKey) ? or(eq(notificationTypes.id, idOrKey), byKey) : byKey,
      ),
    );
  return rows.find(({ id }) => id === idOrKey.toLowerCase()) ?? rows[0] ?? null;
}

/** Newest first. */
export function listNotificationTypes(
  db: Db | Tx,
  tenantId: string,
  page: { limit: number; before: string | null },
  filter: { key?: string; active?: boolean },
): Promise<NotificationTypeRow[]> {
  return db
    .select()
    .from(notificationTypes)
    .where(
      and(
        eq(notificationTypes.tenantId, tenantId),
        page.before === null ? undefined : lt(notificationTypes.id, page.before),
        filter.key === undefined ? undefined : eq(notificationTypes.key, filter.key),
        filter.active === undefined ? undefined : eq(notificationTypes.active, filter.active),
      ),
    )
    .orderBy(desc(notificationTypes.id))
    .limit(page.limit);
}

/** The whole catalogue, by key. */
export function catalogue(db: Db | Tx, tenantId: string): Promise<NotificationTypeRow[]> {
  return db
    .select()
    .from(notificationTypes)
    .where(eq(notificationTypes.tenantId, tenantId))
    .orderBy(asc(notificationTypes.key));
}

/**
 * Changes a notification type. It holds at once, for messages that have not left too.
 * @throws AppError `not_found`, `precondition_failed`.
 */
export async function updateNotificationType(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number | null },
  change: Partial<NotificationTypeFields>,
): Promise<NotificationTypeRow> {
  const { tenantId, id, actor, revision } = target;
  const [row] = await tx
    .update(notificationTypes)
    .set({ ...change, revision: sql`${notificationTypes.revision} + 1`, updatedAt: deps.clock.now() })
    .where(
      and(
        eq(notificationTypes.tenantId, tenantId),
        eq(notificationTypes.id, id),
        revision === null ? undefined : eq(notificationTypes.revision, revision),
      ),
    )
    .returning();
  if (row === undefined) {
    await getNotificationType(tx, tenantId, id);
    throw new AppError('precondition_failed');
  }
  const entry = { tenantId, actor, resourceType: 'notification-type', resourceId: id };
  await recordAudit(deps, tx, { ...entry, action: 'updated', fields: Object.keys(change) });
  return row;
}

/**
 * Deletes a type with the choices about it.
 * @throws AppError `not_found`; `in_use` by templates or messages, or where somebody refused it: one that is made again
 * under its key would be sent to them.
 */
export async function deleteNotificationType(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  id: string,
): Promise<void> {
  await getNotificationType(tx, tenantId, id);
  const used = await tx.execute<{ what: string }>(sql`
    (select 'templates' as what from templates
      where tenant_id = ${tenantId} and notification_type_id = ${id} and deleted_at is null limit 1)
    union all
    (select 'messages' as what from messages where tenant_id = ${tenantId} and notification_type_id = ${id} limit 1)
    union all
    (select 'refusals' as what from choices
      where tenant_id = ${tenantId} and notification_type_id = ${id} and not accepted limit 1)`);
  if (used.length > 0) {
    const what = used.map((one) => one.what).join(' and ');
    throw new AppError('in_use', { detail: `There are ${what} of it. Make it inactive instead.` });
  }
  await tx.delete(choices).where(and(eq(choices.tenantId, tenantId), eq(choices.notificationTypeId, id)));
  await tx.delete(notificationTypes).where(and(eq(notificationTypes.tenantId, tenantId), eq(notificationTypes.id, id)));
  await recordAudit(deps, tx, {
    tenantId,
    actor,
    action: 'deleted',
    resourceType: 'notification-type',
    resourceId: id,
  });
}
