import { sql } from 'drizzle-orm';
import type { AccountRow } from '../accounts/store.ts';
import type { Db, Tx } from '../db/client.ts';
import { at } from '../db/rows.ts';

/** The rhythm of an account, as its row says it (W4). */
export type Rhythm = Pick<AccountRow, 'waitAfterSendMs' | 'maxPerMinute' | 'concurrency'>;

/** Messages released at most for an account without any wait: two to three seconds of the fastest sending. */
const unpacedDepth = 3_000;

/** Least time between two starts of a send, over all workers, in milliseconds. 0: none. */
export function intervalMs(rhythm: Rhythm): number {
  return Math.max(rhythm.waitAfterSendMs, rhythm.maxPerMinute === null ? 0 : Math.ceil(60_000 / rhythm.maxPerMinute));
}

/** Sends at once: a wait after each send means that there is one after the other. */
export function concurrencyOf(rhythm: Rhythm): number {
  return rhythm.waitAfterSendMs > 0 ? 1 : rhythm.concurrency;
}

/** How many messages of an account may be in the queue: what a worker that claims them all sends in 30 s. */
export function queueDepth(rhythm: Rhythm): number {
  const interval = intervalMs(rhythm);
  return interval === 0 ? unpacedDepth : Math.max(1, Math.floor(30_000 / interval));
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

/**
 * Reserves the start slots of a window, over all workers.
 * @returns the first slot; the following ones are `intervalMs` apart.
 */
export async function reserveSlots(
  tx: Tx,
  account: AccountId & Pick<AccountRow, 'nextSlotAt'>,
  options: { now: Date; count: number; intervalMs: number },
): Promise<Date> {
  // Without a pace there is nothing to reserve, and no row that all workers would queue for.
  if (options.intervalMs === 0) {
    return account.nextSlotAt !== null && account.nextSlotAt > options.now ? account.nextSlotAt : options.now;
  }
  const span = sql`${`${options.count * options.intervalMs} milliseconds`}::interval`;
  const [row] = await tx.execute<{ first: number }>(sql`
    update channel_accounts
    set next_slot_at = greatest(coalesce(next_slot_at, ${at(options.now)}), ${at(options.now)}) + ${span}
    where tenant_id = ${account.tenantId} and id = ${account.id}
    returning (extract(epoch from next_slot_at - ${span}) * 1000)::float8 as first`);
  return row === undefined ? options.now : new Date(Math.ceil(row.first));
}

/** Nothing starts on the account before `until`: the wait after a send or an error, over all workers. */
export async function holdAccount(tx: Tx, account: AccountId, until: Date): Promise<void> {
  await tx.execute(sql`
    update channel_accounts set next_slot_at = greatest(coalesce(next_slot_at, ${at(until)}), ${at(until)})
    where tenant_id = ${account.tenantId} and id = ${account.id}`);
}

/** A wait longer than this is spent in `waiting`, not in `sending`. */
const longestSlotWaitMs = 2_000;

/** Until when nothing may be begun on the account, when that is long enough to give its messages back; else null. */
export function heldUntil(account: Pick<AccountRow, 'nextSlotAt'>, now: Date): Date | null {
  const { nextSlotAt } = account;
  return nextSlotAt !== null && nextSlotAt.getTime() - now.getTime() > longestSlotWaitMs ? nextSlotAt : null;
}

/** A worker's part of an account's connections holds this long without being renewed. */
export const leaseSeconds = 15;

/**
 * Takes, keeps or lowers this worker's part of an account's connections. The parts of all workers never add up to
 * more than its concurrency: who comes later gets what the others have not, and the others come down to an even
 * part when they renew.
 * @returns how many connections the worker may use until the lease ends; 0: it must wait and ask again.
 */
export async function leaseConnections(
  db: Db,
  account: AccountId,
  options: { workerId: string; concurrency: number; now: Date },
): Promise<number> {
  const { workerId, concurrency, now } = options;
  const expiresAt = new Date(now.getTime() + leaseSeconds * 1_000);
  return db.transaction(async (tx) => {
    // The account's row is the lock: parts are given to one worker at a time.
    await tx.execute(sql`
      select 1 from channel_accounts where tenant_id = ${account.tenantId} and id = ${account.id} for update`);
    const others = await tx.execute<{ connections: number }>(sql`
      select connections from account_leases
      where channel_account_id = ${account.id} and worker_id <> ${workerId} and expires_at > ${at(now)}`);
    const held = [...others].reduce((sum, row) => sum + row.connections, 0);
    const even = Math.max(1, Math.floor(concurrency / (others.length + 1)));
    const granted = Math.max(0, Math.min(even, concurrency - held));
    await tx.execute(sql`
      insert into account_leases (channel_account_id, worker_id, connections, expires_at)
      values (${account.id}, ${workerId}, ${granted}, ${at(expiresAt)})
      on conflict (channel_account_id, worker_id) do update
      set connections = excluded.connections, expires_at = excluded.expires_at`);
    return granted;
  });
}

/** Gives the worker's part back. */
export async function returnConnections(db: Db, accountId: string, workerId: string): Promise<void> {
  await db.execute(sql`delete from account_leases where channel_account_id = ${accountId} and worker_id = ${workerId}`);
}
