import { sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { bringLaneForward } from '../../db/lanes.ts';
import { at, keyList } from '../../db/rows.ts';
import { holdLease } from '../../events/store.ts';
import { giveJobs } from '../../messages/enqueue.ts';
import type { JobQueue } from '../../queue/boss.ts';
import { type DispatchChannel, queueNames } from '../../queue/queues.ts';

/** Messages of one send request, account and priority that wait. */
export interface Lane {
  tenantId: string;
  channelAccountId: string;
  sendRequestId: string;
  priority: number;
  /** As it was read: a lane that has changed since is left alone. */
  revision: number;
}

const isDue = sql`dispatch_lanes.tenant_id = due.tenant and dispatch_lanes.channel_account_id = due.account
  and dispatch_lanes.send_request_id = due.request and dispatch_lanes.priority = due.priority
  and dispatch_lanes.revision = due.revision`;

/**
 * Sets each lane that was due to its next message, or removes it when none is left and none was added meanwhile. Those
 * that messages were taken from go behind the others.
 */
export async function refreshLanes(
  tx: Tx,
  lanes: readonly Lane[],
  { served, now }: { served: ReadonlySet<Lane>; now: Date },
): Promise<void> {
  const asked = JSON.stringify(
    lanes.map((lane) => ({
      tenant: lane.tenantId,
      account: lane.channelAccountId,
      request: lane.sendRequestId,
      priority: lane.priority,
      revision: lane.revision,
      served: served.has(lane),
    })),
  );
  // Locked in the order of everybody who opens lanes: two that want the same ones must not lock each other out.
  await tx.execute(sql`
    with due as (
      select lane.*, (
        select min(release_at) from messages
        where tenant_id = lane.tenant and channel_account_id = lane.account and send_request_id = lane.request
          and messages.priority = lane.priority and dispatch_state = 'waiting'
      ) as next
      from dispatch_lanes
      join json_to_recordset(${asked}::json)
        as lane(tenant uuid, account uuid, request uuid, priority smallint, revision bigint, served boolean)
        on dispatch_lanes.tenant_id = lane.tenant and dispatch_lanes.channel_account_id = lane.account
        and dispatch_lanes.send_request_id = lane.request and dispatch_lanes.priority = lane.priority
        and dispatch_lanes.revision = lane.revision
      order by lane.account, lane.request, lane.priority
      for update of dispatch_lanes
    ), gone as (
      delete from dispatch_lanes using due
      where ${isDue} and due.next is null
    )
    update dispatch_lanes set next_release_at = due.next,
      last_served_at = case when due.served then ${at(now)} else last_served_at end
    from due
    where ${isDue} and due.next is not null`);
}

/** What the sweep works with. */
export interface SweepDeps {
  db: Db;
  clock: Clock;
  newId: NewId;
  jobs: JobQueue;
  workerId: string;
}

/** Longer than any job is on its way before its row is looked at for being lost. */
const lostAfterMs = 30_000;
const rowsPerPass = 5_000;

interface LostMessage {
  tenantId: string;
  id: string;
  jobId: string;
  state: 'queued' | 'sending';
  channel: DispatchChannel;
}

/** Locks messages that have had their job for long, and whose job is not there any more, the oldest first. */
async function lockLost(deps: SweepDeps, tx: Tx): Promise<LostMessage[]> {
  const before = new Date(deps.clock.now().getTime() - lostAfterMs);
  const rows = await tx.execute<LostMessage & Record<string, unknown>>(sql`
    select tenant_id as "tenantId", id, job_id as "jobId", dispatch_state as state, channel from messages
    where dispatch_state in ('queued', 'sending') and updated_at < ${at(before)}
    order by updated_at limit ${rowsPerPass} for update skip locked`);
  if (rows.length === 0) return [];
  const missing = await deps.jobs.missing(
    tx,
    [...rows].map(({ jobId }) => jobId),
  );
  return [...rows].filter(({ jobId }) => missing.has(jobId));
}

async function waitAgain(deps: SweepDeps, tx: Tx, lost: readonly LostMessage[]): Promise<void> {
  if (lost.length === 0) return;
  const now = at(deps.clock.now());
  await tx.execute(sql`
    update messages set dispatch_state = 'waiting', job_id = null, release_at = ${now}, updated_at = ${now}
    where (tenant_id, id) in ${keyList(lost)} and dispatch_state = 'queued'`);
}

/**
 * Looks after messages whose job vanished. What was queued waits again: the lost ones become the oldest. What was being
 * sent gets a new job as it is, since it may be on its way at this moment: who claims it finds its open attempt, and
 * nobody can block it meanwhile.
 */
async function requeueLost(deps: SweepDeps, tx: Tx): Promise<number> {
  const lost = await lockLost(deps, tx);
  const { queued = [], sending = [] } = Object.groupBy(lost, ({ state }) => state);
  await waitAgain(deps, tx, queued);
  for (const [channel, list] of Map.groupBy(sending, (one) => one.channel)) {
    await giveJobs(deps, tx, queueNames.dispatch(channel), list, 'sending');
  }
  return lost.length;
}

/** Messages that were being taken in while their tenant's first account was made have none: they get it now. */
async function adoptHomeless(deps: Pick<SweepDeps, 'clock'>, tx: Tx): Promise<void> {
  await tx.execute(sql`
    with account as (
      select tenant_id, id, channel, test from channel_accounts
      where is_default and tenant_id in (
        select tenant_id from messages where dispatch_state = 'waiting' and channel_account_id is null)
      for key share
    )
    update messages set channel_account_id = account.id, reason = null, updated_at = ${at(deps.clock.now())}
    from account
    where messages.dispatch_state = 'waiting' and messages.channel_account_id is null
      and account.tenant_id = messages.tenant_id and account.channel = messages.channel
      and account.test = messages.test`);
}

/** One process sweeps, another one when it has been silent for two of its turns. */
const sweepLeaseSeconds = 65;

/**
 * The releaser's own sweep, run twice a minute by one process: messages whose job was lost wait again, and messages
 * that wait without a lane get one. Nothing depends on it while all goes well.
 * @returns how many messages were found lost; 0 as well when another process sweeps.
 */
export async function sweepDispatch(deps: SweepDeps): Promise<number> {
  return deps.db.transaction(async (tx) => {
    const lease = { name: 'sweep', holder: deps.workerId, now: deps.clock.now(), seconds: sweepLeaseSeconds };
    if (!(await holdLease(tx, lease))) return 0;
    const lost = await requeueLost(deps, tx);
    await adoptHomeless(deps, tx);
    await tx.execute(sql`
      insert into dispatch_lanes (tenant_id, channel_account_id, send_request_id, priority, next_release_at, revision)
      select tenant_id, channel_account_id, send_request_id, priority, min(release_at), 1 from messages
      where dispatch_state = 'waiting' and channel_account_id is not null
      group by tenant_id, channel_account_id, send_request_id, priority
      having not exists (
        select 1 from dispatch_lanes lane
        where lane.tenant_id = messages.tenant_id and lane.channel_account_id = messages.channel_account_id
          and lane.send_request_id = messages.send_request_id and lane.priority = messages.priority
          and lane.next_release_at <= min(messages.release_at))
      order by channel_account_id, send_request_id, priority
    ${bringLaneForward}`);
    return lost;
  });
}
