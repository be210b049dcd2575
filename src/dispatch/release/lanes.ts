import { sql } from 'drizzle-orm';
import type { Clock } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { bringLaneForward } from '../../db/lanes.ts';
import { at, keyList } from '../../db/rows.ts';
import { holdLease } from '../../events/store.ts';
import type { JobQueue } from '../../queue/boss.ts';

/** Messages of one send request, account and priority that wait. */
export interface Lane {
  tenantId: string;
  channelAccountId: string;
  sendRequestId: string;
  priority: number;
  /** As it was read: a lane that has changed since is left alone. */
  revision: number;
}

const isServed = sql`dispatch_lanes.tenant_id = served.tenant and dispatch_lanes.channel_account_id = served.account
  and dispatch_lanes.send_request_id = served.request and dispatch_lanes.priority = served.priority
  and dispatch_lanes.revision = served.revision`;

/** Sets each served lane to its next message, or removes it when none is left and none was added meanwhile. */
export async function refreshLanes(tx: Tx, lanes: readonly Lane[], now: Date): Promise<void> {
  const asked = JSON.stringify(
    lanes.map((lane) => ({
      tenant: lane.tenantId,
      account: lane.channelAccountId,
      request: lane.sendRequestId,
      priority: lane.priority,
      revision: lane.revision,
    })),
  );
  await tx.execute(sql`
    with served as (
      select lane.*, (
        select min(release_at) from messages
        where tenant_id = lane.tenant and channel_account_id = lane.account and send_request_id = lane.request
          and messages.priority = lane.priority and dispatch_state = 'waiting'
      ) as next
      from json_to_recordset(${asked}::json)
        as lane(tenant uuid, account uuid, request uuid, priority smallint, revision bigint)
    ), gone as (
      delete from dispatch_lanes using served
      where ${isServed} and served.next is null
    )
    update dispatch_lanes set next_release_at = served.next, last_served_at = ${at(now)}
    from served
    where ${isServed} and served.next is not null`);
}

/** Longer than any job is on its way before its row is looked at for being lost. */
const lostAfterMs = 30_000;
const rowsPerPass = 5_000;

/**
 * Puts messages whose job vanished back to waiting, the oldest first: the lost ones become the oldest. An open attempt
 * stays open: the next claim finds it in doubt.
 */
async function requeueLost(deps: { clock: Clock; jobs: JobQueue }, tx: Tx): Promise<number> {
  const before = new Date(deps.clock.now().getTime() - lostAfterMs);
  const rows = await tx.execute<{ tenant_id: string; id: string; job_id: string }>(sql`
    select tenant_id, id, job_id from messages
    where dispatch_state in ('queued', 'sending') and updated_at < ${at(before)}
    order by updated_at limit ${rowsPerPass} for update skip locked`);
  if (rows.length === 0) return 0;
  const missing = await deps.jobs.missing(
    tx,
    [...rows].map(({ job_id }) => job_id),
  );
  const lost = [...rows]
    .filter(({ job_id }) => missing.has(job_id))
    .map(({ tenant_id, id }) => ({ tenantId: tenant_id, id }));
  if (lost.length === 0) return 0;
  const now = at(deps.clock.now());
  const moved = await tx.execute(sql`
    update messages set dispatch_state = 'waiting', job_id = null, release_at = ${now}, updated_at = ${now}
    where (tenant_id, id) in ${keyList(lost)} and dispatch_state in ('queued', 'sending')`);
  return moved.count;
}

/** Messages that were being taken in while their tenant's first account was made have none: they get it now. */
async function adoptHomeless(deps: { clock: Clock }, tx: Tx): Promise<void> {
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
export async function sweepDispatch(deps: { db: Db; clock: Clock; jobs: JobQueue; workerId: string }): Promise<number> {
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
      order by tenant_id, channel_account_id, send_request_id, priority
    ${bringLaneForward}`);
    return lost;
  });
}
