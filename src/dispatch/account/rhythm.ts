import { sql } from 'drizzle-orm';
import type { AccountRow } from '../../accounts/store.ts';
import type { Db, Tx } from '../../db/client.ts';
import { at } from '../../db/rows.ts';

/** The rhythm of an account, as its row says it (W4). */
export type Rhythm = Pick<AccountRow, 'waitAfterSendMs' | 'maxPerMinute' | 'concurrency'>;

/** Messages in the queue for an account without any wait, while it is not known how fast it is, and at most. */
const unpacedDepth = { least: 200, most: 3_000 };
/** What an account sent in the last second is what it may have queued for the next three. */
const secondsAhead = 3;

/** Least time between two starts of a send, over all workers, in milliseconds. 0: none. */
export function intervalMs(rhythm: Rhythm): number {
  return Math.max(rhythm.waitAfterSendMs, rhythm.maxPerMinute === null ? 0 : Math.ceil(60_000 / rhythm.maxPerMinute));
}

/** Sends at once: a wait after each send means that there is one after the other. */
export function concurrencyOf(rhythm: Rhythm): number {
  return rhythm.waitAfterSendMs > 0 ? 1 : rhythm.concurrency;
}

/**
 * How many messages of an account may be in the queue: what it sends in 30 s at its pace. Without a pace it is what it
 * has shown to take, so that the queue before other accounts is never longer than a slow provider deserves.
 * @param perSecond messages that left its queue in the last second.
 */
export function queueDepth(rhythm: Rhythm, perSecond: number): number {
  const interval = intervalMs(rhythm);
  if (interval > 0) return Math.max(1, Math.floor(30_000 / interval));
  return Math.round(Math.min(unpacedDepth.most, Math.max(unpacedDepth.least, perSecond * secondsAhead)));
}

/**
 * Messages of one half-window. Two halves are worked at once, so that connections stay busy while one of them is
 * settled; with a pace there is one, short enough that no message stands in `sending` for long.
 */
export function windowSize(rhythm: Rhythm, connections: number): number {
  const interval = intervalMs(rhythm);
  if (rhythm.waitAfterSendMs > 0) return 1;
  return interval === 0 ? connections : Math.max(1, Math.min(connections, Math.floor(2_000 / interval)));
}

type AccountId = Pick<AccountRow, 'tenantId' | 'id'>;

/** A wait longer than this is spent in `waiting`, not in `sending`. */
const longestSlotWaitMs = 2_000;

/** Until when nothing may be begun on the account, when that is long enough to give its messages back; else null. */
export function heldUntil(account: Pick<AccountRow, 'nextSlotAt'>, now: Date): Date | null {
  const { nextSlotAt } = account;
  return nextSlotAt !== null && nextSlotAt.getTime() - now.getTime() > longestSlotWaitMs ? nextSlotAt : null;
}

/** The first of the slots (the following ones are `intervalMs` apart), or until when the account is held. */
export type Slots = { kind: 'reserved'; first: Date } | { kind: 'held'; until: Date };

/**
 * Reserves the start slots of a window, over all workers. Nothing is reserved when the first would be more than two
 * seconds away: another worker was faster, and a message must not stand in `sending` for that long.
 */
export async function reserveSlots(
  tx: Db | Tx,
  account: AccountId & Pick<AccountRow, 'nextSlotAt'>,
  options: { now: Date; count: number; intervalMs: number },
): Promise<Slots> {
  const { now } = options;
  // Without a pace there is nothing to reserve, and no row that all workers would queue for.
  if (options.intervalMs === 0) {
    const until = heldUntil(account, now);
    if (until !== null) return { kind: 'held', until };
    return {
      kind: 'reserved',
      first: account.nextSlotAt !== null && account.nextSlotAt > now ? account.nextSlotAt : now,
    };
  }
  const span = sql`${`${options.count * options.intervalMs} milliseconds`}::interval`;
  const soon = new Date(now.getTime() + longestSlotWaitMs);
  const [row] = await tx.execute<{ first: number }>(sql`
    update channel_accounts set next_slot_at = greatest(coalesce(next_slot_at, ${at(now)}), ${at(now)}) + ${span}
    where tenant_id = ${account.tenantId} and id = ${account.id}
      and (next_slot_at is null or next_slot_at <= ${at(soon)})
    returning (extract(epoch from next_slot_at - ${span}) * 1000)::float8 as first`);
  if (row !== undefined) return { kind: 'reserved', first: new Date(Math.ceil(row.first)) };
  const [held] = await tx.execute<{ until: number }>(sql`
    select (extract(epoch from next_slot_at) * 1000)::float8 as until from channel_accounts
    where tenant_id = ${account.tenantId} and id = ${account.id} and next_slot_at is not null`);
  return { kind: 'held', until: held === undefined ? now : new Date(Math.ceil(held.until)) };
}

/** Nothing starts on the account before `until`: the wait after a send or an error, over all workers. */
export async function holdAccount(tx: Tx, account: AccountId, until: Date): Promise<void> {
  await tx.execute(sql`
    update channel_accounts set next_slot_at = greatest(coalesce(next_slot_at, ${at(until)}), ${at(until)})
    where tenant_id = ${account.tenantId} and id = ${account.id}`);
}

/** A worker's part of an account's connections holds this long without being renewed. */
export const leaseSeconds = 15;

/**
 * Takes, keeps or lowers this worker's part of an account's connections. The parts of all workers never add up to
 * more than its concurrency: who comes later gets what the others have not, and the others come down to an even
 * part when they renew. What is still in use stays reserved until the next renewal after it has come down.
 * @param options.using connections this worker may be using at this moment, under its lease until now.
 * @returns how many connections the worker may use from now on; 0: it must wait and ask again.
 */
export async function leaseConnections(
  db: Db,
  account: AccountId,
  options: { workerId: string; concurrency: number; using: number; now: Date },
): Promise<number> {
  const { workerId, concurrency, using, now } = options;
  const expiresAt = new Date(now.getTime() + leaseSeconds * 1_000);
  return db.transaction(async (tx) => {
    // The account's row is the lock: parts are given to one worker at a time.
    await tx.execute(sql`
      select 1 from channel_accounts
      where tenant_id = ${account.tenantId} and id = ${account.id} for no key update`);
    const others = await tx.execute<{ connections: number }>(sql`
      select connections from account_leases
      where tenant_id = ${account.tenantId} and channel_account_id = ${account.id}
        and worker_id <> ${workerId} and expires_at > ${at(now)}`);
    const held = [...others].reduce((sum, row) => sum + row.connections, 0);
    const even = Math.max(1, Math.floor(concurrency / (others.length + 1)));
    const granted = Math.max(0, Math.min(even, concurrency - held));
    await tx.execute(sql`
      insert into account_leases (tenant_id, channel_account_id, worker_id, connections, expires_at)
      values (${account.tenantId}, ${account.id}, ${workerId}, ${Math.max(granted, using)}, ${at(expiresAt)})
      on conflict (tenant_id, channel_account_id, worker_id) do update
      set connections = excluded.connections, expires_at = excluded.expires_at`);
    return granted;
  });
}

/** Gives the worker's part back. */
export async function returnConnections(db: Db, account: AccountId, workerId: string): Promise<void> {
  await db.execute(sql`
    delete from account_leases
    where tenant_id = ${account.tenantId} and channel_account_id = ${account.id} and worker_id = ${workerId}`);
}
