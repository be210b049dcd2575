import { sql } from 'drizzle-orm';
import type { Clock, NewId } from '../clock.ts';
import type { Tx } from '../db/client.ts';
import { bringLaneForward } from '../db/lanes.ts';
import { at, keyList, mustReachAll } from '../db/rows.ts';
import type { DispatchJobData, JobQueue } from '../queue/boss.ts';
import { type DispatchChannel, queueNames } from '../queue/queues.ts';
import { priorityNumber } from './status.ts';

/** A message that has become ready to wait for its turn. */
export interface WaitingMessage {
  tenantId: string;
  id: string;
  channelAccountId: string | null;
  sendRequestId: string;
  priority: number;
  releaseAt: Date;
}

/**
 * Tells the releaser that messages wait: their lanes are made, or brought forward. In the transaction that makes
 * them wait, so that none is ever waiting unseen. Those without an account wait for one in their rows alone.
 */
export async function openLanes(tx: Tx, waiting: readonly WaitingMessage[]): Promise<void> {
  const lanes = new Map<string, object>();
  const first = new Map<string, Date>();
  for (const message of waiting) {
    if (message.channelAccountId === null) continue;
    const key = `${message.channelAccountId}/${message.sendRequestId}/${message.priority}`;
    const earliest = first.get(key);
    if (earliest !== undefined && earliest <= message.releaseAt) continue;
    first.set(key, message.releaseAt);
    lanes.set(key, {
      tenant_id: message.tenantId,
      channel_account_id: message.channelAccountId,
      send_request_id: message.sendRequestId,
      priority: message.priority,
      next_release_at: message.releaseAt,
      revision: 1,
    });
  }
  if (lanes.size === 0) return;
  // Ordered, so that two transactions that touch the same lanes cannot lock each other out.
  const ordered = [...lanes.keys()].sort().map((key) => lanes.get(key));
  await tx.execute(sql`
    insert into dispatch_lanes (tenant_id, channel_account_id, send_request_id, priority, next_release_at, revision)
    select tenant_id, channel_account_id, send_request_id, priority, next_release_at, revision
    from json_populate_recordset(null::dispatch_lanes, ${JSON.stringify(ordered)}::json)
    ${bringLaneForward}`);
}

/**
 * Gives messages a job each, in the transaction that holds them. What waits is queued by it; what is being sent, and has
 * lost its job, stays as it is.
 * @param state of all of them.
 * @throws Error when one of them is in another state.
 */
export async function giveJobs(
  deps: { clock: Clock; newId: NewId; jobs: JobQueue },
  tx: Tx,
  queue: string,
  messages: readonly Pick<WaitingMessage, 'tenantId' | 'id'>[],
  state: 'waiting' | 'sending' = 'waiting',
): Promise<void> {
  if (messages.length === 0) return;
  const jobs = messages.map(({ tenantId, id }) => ({ id: deps.newId(), data: { tenantId, messageId: id } }));
  const rows = jobs.map(({ id, data }) => ({ tenant_id: data.tenantId, id: data.messageId, job_id: id }));
  const given = await tx.execute(sql`
    update messages set dispatch_state = ${state === 'waiting' ? 'queued' : state}, job_id = given.job_id,
      updated_at = ${at(deps.clock.now())}
    from json_to_recordset(${JSON.stringify(rows)}::json) as given(tenant_id uuid, id uuid, job_id uuid)
    where messages.tenant_id = given.tenant_id and messages.id = given.id and messages.dispatch_state = ${state}`);
  mustReachAll(given.count, jobs, 'given a job');
  await deps.jobs.insert<DispatchJobData>(tx, queue, jobs);
}

/** Urgent messages of one request that get their job at once. */
const atOncePerRequest = 200;

/**
 * Gives urgent messages that may leave now their job at once, in a queue of their own, without waiting for the
 * releaser. An account that is paused, or has a rhythm, keeps them for the releaser.
 * @returns the messages that got none and must wait in their lanes.
 */
export async function enqueueUrgent(
  deps: { clock: Clock; newId: NewId; jobs: JobQueue },
  tx: Tx,
  channel: DispatchChannel,
  messages: readonly WaitingMessage[],
): Promise<WaitingMessage[]> {
  const now = deps.clock.now();
  const urgent = messages.filter(
    ({ priority, releaseAt, channelAccountId }) =>
      priority === priorityNumber('urgent') && releaseAt <= now && channelAccountId !== null,
  );
  if (urgent.length === 0) return [...messages];
  const accounts = urgent.map(({ tenantId, channelAccountId }) => ({ tenantId, id: channelAccountId ?? '' }));
  const free = await tx.execute<{ id: string }>(sql`
    select id from channel_accounts
    where paused_at is null and wait_after_send_ms = 0 and max_per_minute is null and wait_when_idle_ms = 0
      and (tenant_id, id) in ${keyList(accounts)}`);
  const freeIds = new Set([...free].map(({ id }) => id));
  const chosen = urgent
    .filter(({ channelAccountId }) => channelAccountId !== null && freeIds.has(channelAccountId))
    // The rest takes its turn with the urgent messages of others.
    .slice(0, atOncePerRequest);
  await giveJobs(deps, tx, queueNames.urgentDispatch(channel), chosen);
  const queued = new Set(chosen);
  return messages.filter((message) => !queued.has(message));
}
