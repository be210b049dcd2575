import { sql } from 'drizzle-orm';
import type { AccountRow } from '../../accounts/store.ts';
import type { Clock, NewId } from '../../clock.ts';
import { type Db, isUnavailable, type Tx } from '../../db/client.ts';
import { at } from '../../db/rows.ts';
import { channelAccounts } from '../../db/tables/dispatch.ts';
import { holdLease, releaseLease } from '../../events/store.ts';
import { giveJobs } from '../../messages/enqueue.ts';
import { priorityNumber } from '../../messages/status.ts';
import type { JobQueue } from '../../queue/boss.ts';
import { queueNames } from '../../queue/queues.ts';
import { intervalMs, queueDepth } from '../account/rhythm.ts';
import { type Lane, refreshLanes } from './lanes.ts';
import { type AccountMemory, keptForLower, noMemory, takenPerSecond } from './room.ts';

/** What the releaser works with. */
export interface ReleaseDeps {
  db: Db;
  clock: Clock;
  newId: NewId;
  jobs: JobQueue;
  workerId: string;
}

const lanesPerPass = 500;
/** Small lanes leave room that the larger ones take in a further round. */
const roundsPerPass = 4;

interface Picked {
  tenantId: string;
  id: string;
  lane: Lane;
}

/** Accounts on which something may be released now. */
async function dueAccounts(db: Db, now: Date): Promise<AccountRow[]> {
  const soon = new Date(now.getTime() + 1_000);
  return db
    .select()
    .from(channelAccounts)
    .where(sql`${channelAccounts.pausedAt} is null
      and (${channelAccounts.idleUntil} is null or ${channelAccounts.idleUntil} <= ${at(now)})
      and (${channelAccounts.nextSlotAt} is null or ${channelAccounts.nextSlotAt} <= ${at(soon)})
      and (${channelAccounts.waitWhenIdleMs} > 0 or exists (
        select 1 from dispatch_lanes lane
        where lane.tenant_id = ${channelAccounts.tenantId} and lane.channel_account_id = ${channelAccounts.id}
          and lane.next_release_at <= ${at(now)}))`)
    .orderBy(channelAccounts.id);
}

async function queuedCount(tx: Tx, account: AccountRow): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from messages
    where tenant_id = ${account.tenantId} and channel_account_id = ${account.id} and dispatch_state in ('queued', 'sending')`);
  return row?.count ?? 0;
}

/** Lanes of an account that are due, of each priority those served longest ago first: send requests take turns. */
async function dueLanes(tx: Tx, account: AccountRow, now: Date): Promise<Lane[]> {
  const rows = await tx.execute<{ send_request_id: string; priority: number; revision: string }>(sql`
    select send_request_id, priority, revision::text from (
      select *, row_number() over (partition by priority order by last_served_at nulls first, send_request_id) as turn
      from dispatch_lanes
      where tenant_id = ${account.tenantId} and channel_account_id = ${account.id} and next_release_at <= ${at(now)}
    ) as due
    where turn <= ${lanesPerPass}
    order by priority, turn`);
  return [...rows].map((row) => ({
    tenantId: account.tenantId,
    channelAccountId: account.id,
    sendRequestId: row.send_request_id,
    priority: row.priority,
    revision: Number(row.revision),
  }));
}

/** Up to `limit` waiting messages of the lanes, locked, the same number of each lane. */
async function takeFromLanes(deps: ReleaseDeps, tx: Tx, lanes: readonly Lane[], limit: number): Promise<Picked[]> {
  if (lanes.length === 0 || limit <= 0) return [];
  const now = deps.clock.now();
  const each = Math.max(1, Math.ceil(limit / lanes.length));
  const asked = lanes.map((lane, turn) => ({
    tenant: lane.tenantId,
    account: lane.channelAccountId,
    request: lane.sendRequestId,
    priority: lane.priority,
    turn,
  }));
  const rows = await tx.execute<{ tenant_id: string; id: string; turn: number }>(sql`
    select picked.tenant_id, picked.id, lane.turn
    from json_to_recordset(${JSON.stringify(asked)}::json)
      as lane(tenant uuid, account uuid, request uuid, priority smallint, turn int)
    cross join lateral (
      select tenant_id, id from messages
      where tenant_id = lane.tenant and channel_account_id = lane.account and send_request_id = lane.request
        and messages.priority = lane.priority and dispatch_state = 'waiting' and release_at <= ${at(now)}
        and (not_after is null or not_after > ${at(now)} or status = 'OK')
      order by release_at, id limit ${each} for update skip locked
    ) picked
    order by lane.turn limit ${limit}`);
  return [...rows].map(({ tenant_id, id, turn }) => ({ tenantId: tenant_id, id, lane: lanes[turn] as Lane }));
}

/** Releases at most `limit` messages of the lanes. Those it took from are told to `served`. @returns how many. */
async function releaseLanes(
  deps: ReleaseDeps,
  tx: Tx,
  { lanes, limit, queue, served }: { lanes: readonly Lane[]; limit: number; queue: string; served: Set<Lane> },
): Promise<number> {
  let released = 0;
  for (let round = 0; round < roundsPerPass && released < limit; round += 1) {
    const picked = await takeFromLanes(deps, tx, lanes, limit - released);
    await giveJobs(deps, tx, queue, picked);
    for (const { lane } of picked) served.add(lane);
    released += picked.length;
    if (picked.length === 0) break;
  }
  return released;
}

/** There was nothing to do: the account is not looked at again before its idle wait has passed (W4). */
async function restAccount(tx: Tx, account: AccountRow, now: Date): Promise<void> {
  const until = new Date(now.getTime() + account.waitWhenIdleMs);
  await tx.execute(sql`
    update channel_accounts set idle_until = ${at(until)}
    where tenant_id = ${account.tenantId} and id = ${account.id}`);
}

/** Shares the room of an account between its lanes: the upper priorities first, with a part for those below. */
async function shareRoom(
  deps: ReleaseDeps,
  tx: Tx,
  { channel }: AccountRow,
  { lanes, room, owed }: { lanes: readonly Lane[]; room: number; owed: AccountMemory['owed'] },
): Promise<{ released: number; served: ReadonlySet<Lane> }> {
  const [urgent, normal, bulk] = (['urgent', 'normal', 'bulk'] as const).map((priority) =>
    lanes.filter((lane) => lane.priority === priorityNumber(priority)),
  ) as [Lane[], Lane[], Lane[]];
  const served = new Set<Lane>();
  const queue = queueNames.dispatch(channel);
  const kept = (upper: Lane[], lower: Lane[], below: keyof typeof owed, left: number) =>
    upper.length > 0 && lower.length > 0 ? keptForLower(owed, below, left) : 0;
  let left = room;
  const ofUrgent = left - kept(urgent, [...normal, ...bulk], 'belowUrgent', left);
  left -= await releaseLanes(deps, tx, {
    lanes: urgent,
    limit: ofUrgent,
    queue: queueNames.urgentDispatch(channel),
    served,
  });
  const ofNormal = left - kept(normal, bulk, 'belowNormal', left);
  left -= await releaseLanes(deps, tx, { lanes: normal, limit: ofNormal, queue, served });
  left -= await releaseLanes(deps, tx, { lanes: bulk, limit: left, queue, served });
  return { released: room - left, served };
}

/**
 * One account's turn: what its rhythm still allows, shared between its lanes.
 * @returns how many were released; `crowded` when some could not, for the number of those that are queued.
 */
async function releaseAccount(
  deps: ReleaseDeps,
  tx: Tx,
  account: AccountRow,
  memories: Map<string, AccountMemory>,
): Promise<number | 'crowded'> {
  const now = deps.clock.now();
  const lanes = await dueLanes(tx, account, now);
  const queued = await queuedCount(tx, account);
  if (lanes.length === 0) {
    if (account.waitWhenIdleMs > 0 && queued === 0) await restAccount(tx, account, now);
    return 0;
  }
  const memory = memories.get(account.id) ?? noMemory;
  const owed = { ...memory.owed };
  const room = queueDepth(account, takenPerSecond(memory, queued, now)) - queued;
  memories.set(account.id, { queued, at: now.getTime(), owed });
  // With a pace there is room again when a message has left, which is no matter of milliseconds.
  if (room <= 0) return intervalMs(account) === 0 ? 'crowded' : 0;
  const { released, served } = await shareRoom(deps, tx, account, { lanes, room, owed });
  await refreshLanes(tx, lanes, { served, now });
  memories.set(account.id, { queued: queued + released, at: now.getTime(), owed });
  return released;
}

/** Gives jobs to what may leave. One process at a time, by a lease row. */
export interface Releaser {
  /** Whether the last pass left messages waiting because enough of their account was queued: the next is due soon. */
  crowded(): boolean;
  /**
   * One pass: at most what each account's rhythm sends soon, in turn between send requests, with a share for lower
   * priorities. An account that faults is told after the others had their turn.
   * @returns how many messages got a job; 0 as well when another process holds the lease.
   */
  release(): Promise<number>;
  /** Gives the lease back, so that another process need not wait for its end. */
  stop(): Promise<void>;
}

/** Makes the releaser of a worker. It remembers only how fast accounts were, which is worth nothing to another. */
export function createReleaser(deps: ReleaseDeps): Releaser {
  const memories = new Map<string, AccountMemory>();
  const lease = { name: 'releaser', holder: deps.workerId };

  /** Work in a transaction that holds the lease's row: two releasers never work side by side. Null: another has it. */
  function leading<Result>(work: (tx: Tx, now: Date) => Promise<Result>): Promise<Result | null> {
    return deps.db.transaction(async (tx) => {
      const now = deps.clock.now();
      return (await holdLease(tx, { ...lease, now, seconds: 10 })) ? work(tx, now) : null;
    });
  }

  let crowded = false;
  return {
    crowded: () => crowded,
    async release() {
      let released = 0;
      crowded = false;
      const faults: unknown[] = [];
      // Asked without the lease, whose row is written each time: most passes find nothing.
      for (const account of await dueAccounts(deps.db, deps.clock.now())) {
        // By itself: no account waits for the rows of another, nor fails with it.
        const turn = leading((tx) => releaseAccount(deps, tx, account, memories));
        const done = (await turn.catch((error: unknown) => void faults.push(error))) ?? 0;
        if (done === 'crowded') crowded = true;
        else released += done;
        if (isUnavailable(faults.at(-1))) break;
      }
      if (faults.length > 0) throw new AggregateError(faults, `${faults.length} accounts could not be released`);
      return released;
    },
    stop: () => releaseLease(deps.db, lease),
  };
}
