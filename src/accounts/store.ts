import { and, desc, eq, isNull, lt, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { channelAccounts } from '../db/tables/dispatch.ts';
import { AppError, notFound } from '../errors.ts';
import { recordEvents } from '../events/store.ts';
import { recordAudit } from '../tenants/audit.ts';
import { type Actor, serviceActor } from '../tenants/rights.ts';

type Deps = { clock: Clock; newId: NewId };

export type AccountRow = typeof channelAccounts.$inferSelect;

/** @throws AppError `not_found`. */
export async function getAccount(db: Db | Tx, tenantId: string, id: string): Promise<AccountRow> {
  const [row] = await db
    .select()
    .from(channelAccounts)
    .where(and(eq(channelAccounts.tenantId, tenantId), eq(channelAccounts.id, id)));
  if (row === undefined) throw notFound();
  return row;
}

/**
 * The account that messages of a channel use: the tenant's default one, or that of test keys. Null: none yet.
 * `hold` keeps it from being deleted until the transaction ends: for messages that are about to wait for it.
 */
export async function defaultAccount(
  db: Db | Tx,
  tenantId: string,
  channel: 'mail',
  test: boolean,
  options: { hold?: boolean } = {},
): Promise<AccountRow | null> {
  const query = db
    .select()
    .from(channelAccounts)
    .where(
      and(
        eq(channelAccounts.tenantId, tenantId),
        eq(channelAccounts.channel, channel),
        eq(channelAccounts.test, test),
        eq(channelAccounts.isDefault, true),
      ),
    );
  const [row] = await (options.hold ? query.for('key share') : query);
  return row ?? null;
}

/** Newest first. */
export function listAccounts(
  db: Db,
  tenantId: string,
  page: { limit: number; before: string | null },
): Promise<AccountRow[]> {
  return db
    .select()
    .from(channelAccounts)
    .where(
      and(
        eq(channelAccounts.tenantId, tenantId),
        page.before === null ? undefined : lt(channelAccounts.id, page.before),
      ),
    )
    .orderBy(desc(channelAccounts.id))
    .limit(page.limit);
}

/**
 * Pauses an account: nothing is released or begun on it until it is resumed; what waits keeps waiting.
 * Pausing a paused account changes nothing, nor does it where `revision` is not the account's any more: it was changed
 * since what is the matter was seen. @throws AppError `not_found`.
 */
export async function pauseAccount(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision?: number },
  reason: string,
): Promise<AccountRow> {
  const { tenantId, id, actor } = target;
  const now = deps.clock.now();
  const [row] = await tx
    .update(channelAccounts)
    .set({ pausedAt: now, pauseReason: reason, updatedAt: now, revision: sql`${channelAccounts.revision} + 1` })
    .where(
      and(
        eq(channelAccounts.tenantId, tenantId),
        eq(channelAccounts.id, id),
        isNull(channelAccounts.pausedAt),
        target.revision === undefined ? undefined : eq(channelAccounts.revision, target.revision),
      ),
    )
    .returning();
  if (row === undefined) return getAccount(tx, tenantId, id);
  const event = { tenantId, type: 'channel-account.paused' as const, test: row.test, resourceId: id };
  await recordEvents(deps, tx, [{ ...event, data: { reason, byService: actor === serviceActor } }]);
  await recordAudit(deps, tx, { tenantId, actor, action: 'paused', resourceType: 'channel-account', resourceId: id });
  return row;
}

/** Lets an account go on, at once. Resuming one that is not paused changes nothing. @throws AppError `not_found`. */
export async function resumeAccount(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor },
): Promise<AccountRow> {
  const { tenantId, id, actor } = target;
  const before = await getAccount(tx, tenantId, id);
  if (before.pausedAt === null) return before;
  const [row] = await tx
    .update(channelAccounts)
    .set({
      pausedAt: null,
      pauseReason: null,
      idleUntil: null,
      updatedAt: deps.clock.now(),
      revision: sql`${channelAccounts.revision} + 1`,
    })
    .where(and(eq(channelAccounts.tenantId, tenantId), eq(channelAccounts.id, id)))
    .returning();
  if (row === undefined) throw notFound();
  const event = { tenantId, type: 'channel-account.resumed' as const, test: row.test, resourceId: id };
  await recordEvents(deps, tx, [{ ...event, data: {} }]);
  await recordAudit(deps, tx, { tenantId, actor, action: 'resumed', resourceType: 'channel-account', resourceId: id });
  return row;
}

/** @throws AppError `in_use` while messages wait for it; `not_found`; `forbidden` for the simulator. */
export async function deleteAccount(deps: Deps, tx: Tx, tenantId: string, actor: Actor, id: string): Promise<void> {
  const row = await getAccount(tx, tenantId, id);
  if (row.test) throw new AppError('in_use', { detail: 'Messages of test keys use it.' });
  // Before the look at what uses it: intake holds the row until its messages are stored.
  await tx.execute(sql`select 1 from channel_accounts where tenant_id = ${tenantId} and id = ${id} for update`);
  const used = await tx.execute(sql`
    select 1 from messages where tenant_id = ${tenantId} and channel_account_id = ${id} and dispatch_state <> 'idle' limit 1`);
  if (used.length > 0) throw new AppError('in_use', { detail: 'Messages wait for this account.' });
  await tx.delete(channelAccounts).where(and(eq(channelAccounts.tenantId, tenantId), eq(channelAccounts.id, id)));
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'channel-account', resourceId: id });
}
