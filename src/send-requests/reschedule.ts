import { and, eq, sql } from 'drizzle-orm';
import type { Clock } from '../clock.ts';
import type { Tx } from '../db/client.ts';
import { at } from '../db/rows.ts';
import { sendRequestDrafts, sendRequests } from '../db/tables/messages.ts';
import { AppError, invalidField } from '../errors.ts';
import { openLanes } from '../messages/enqueue.ts';
import type { Caller } from '../tenants/rights.ts';
import type { SendRequestBody } from './schema.ts';
import { findDraftBody, getSendRequest, type SendRequestRow } from './store.ts';

/** New times; what is absent stays, null takes a time away. */
export interface NewTimes {
  sendAt?: string | null;
  notAfter?: string | null;
}

const timeOf = (given: string | null | undefined, kept: Date | null): Date | null =>
  given === undefined ? kept : given === null ? null : new Date(given);

function checkTimes(change: NewTimes, sendAt: Date | null, notAfter: Date | null, now: Date): void {
  if (change.sendAt != null && sendAt !== null && sendAt <= now) {
    throw invalidField('/sendAt', 'in_past', 'sendAt is in the past');
  }
  if (change.notAfter != null && notAfter !== null && notAfter <= now) {
    throw invalidField('/notAfter', 'in_past', 'notAfter is in the past');
  }
  if (sendAt !== null && notAfter !== null && sendAt >= notAfter) {
    throw invalidField('/sendAt', 'after_not_after', 'sendAt must come before notAfter');
  }
}

async function moveDraft(tx: Tx, tenantId: string, id: string, times: { sendAt: Date | null; notAfter: Date | null }) {
  const stored = await findDraftBody(tx, tenantId, id);
  if (stored === null) throw new Error(`the draft ${id} has no body`);
  const { sendAt: _sendAt, notAfter: _notAfter, window, ...rest } = stored;
  const sendAt = times.sendAt?.toISOString();
  const notAfter = times.notAfter?.toISOString();
  const body: SendRequestBody =
    window !== undefined && sendAt !== undefined && notAfter !== undefined
      ? { ...rest, window: { from: sendAt, to: notAfter } }
      : {
          ...rest,
          ...(sendAt === undefined ? {} : { sendAt }),
          ...(notAfter === undefined ? {} : { notAfter }),
        };
  await tx
    .update(sendRequestDrafts)
    .set({ body })
    .where(and(eq(sendRequestDrafts.tenantId, tenantId), eq(sendRequestDrafts.sendRequestId, id)));
}

/**
 * Moves the messages that have not begun to leave, and the last moment of those being sent now, should they be tried
 * again. When `sendAt` is moved, those that have a job lose it and wait again; one that is to be tried again is never
 * tried sooner than its retry policy said.
 */
async function moveMessages(
  tx: Tx,
  row: SendRequestRow,
  times: { sendAt: Date | null; notAfter: Date | null },
  options: { now: Date; start: boolean },
) {
  const { now, start } = options;
  const releaseAt = at(times.sendAt !== null && times.sendAt > now ? times.sendAt : now);
  // Locked in the order of ids, as every other action does, so that two of them cannot lock each other out.
  const moved = await tx.execute<{ id: string; account: string | null; priority: number; release_ms: number }>(sql`
    with mine as (
      select tenant_id, id, status = 'V' and dispatch_state <> 'sending' and ${start} as leaves from messages
      where tenant_id = ${row.tenantId} and send_request_id = ${row.id} and status in ('E', 'V')
      order by id for update
    ), moved as (
      update messages set send_at = ${times.sendAt === null ? null : at(times.sendAt)},
        not_after = ${times.notAfter === null ? null : at(times.notAfter)},
        release_at = case when not leaves then release_at
          when attempt_count = 0 then ${releaseAt} else greatest(release_at, ${releaseAt}) end,
        dispatch_state = case when leaves then 'waiting' else dispatch_state end,
        job_id = case when leaves then null else job_id end,
        revision = revision + 1, updated_at = ${at(now)}
      from mine where messages.tenant_id = mine.tenant_id and messages.id = mine.id
      returning messages.id, channel_account_id, priority, release_at, leaves
    )
    select id, channel_account_id as account, priority, (extract(epoch from release_at) * 1000)::float8 as release_ms
    from moved where leaves`);
  const waiting = [...moved].map((one) => ({
    tenantId: row.tenantId,
    id: one.id,
    channelAccountId: one.account,
    sendRequestId: row.id,
    priority: one.priority,
    releaseAt: new Date(one.release_ms),
  }));
  await openLanes(tx, waiting);
}

/**
 * Moves the time of a request and of its messages that have not begun to leave; a job that was given for one finds
 * nothing to send. What was rendered stays: `clockAt` of messages does not change, so dates in the content read the
 * clock of the first plan, because that content is what people saw and approved. A draft has no content yet: only its
 * body and its row move, and its clock follows when it is confirmed.
 * @throws AppError `not_found`, `precondition_failed`, `conflict` for a cancelled one, `unprocessable` for the times.
 */
export async function rescheduleSendRequest(
  deps: { clock: Clock },
  tx: Tx,
  target: { caller: Caller; id: string; revision: number | null },
  change: NewTimes,
): Promise<SendRequestRow> {
  const viewer = { tenantId: target.caller.tenantId, testOnly: target.caller.testOnly };
  const row = await getSendRequest(tx, viewer, target.id, { lock: true });
  if (target.revision !== null && target.revision !== row.revision) throw new AppError('precondition_failed');
  if (row.status === 'cancelled') {
    throw new AppError('conflict', { detail: 'The send request was cancelled.', extra: { currentStatus: row.status } });
  }
  const now = deps.clock.now();
  const times = { sendAt: timeOf(change.sendAt, row.sendAt), notAfter: timeOf(change.notAfter, row.notAfter) };
  checkTimes(change, times.sendAt, times.notAfter, now);
  if (row.status === 'draft') await moveDraft(tx, row.tenantId, row.id, times);
  else await moveMessages(tx, row, times, { now, start: change.sendAt !== undefined });
  const [saved] = await tx
    .update(sendRequests)
    .set({ ...times, updatedAt: now, revision: sql`${sendRequests.revision} + 1` })
    .where(and(eq(sendRequests.tenantId, row.tenantId), eq(sendRequests.id, row.id)))
    .returning();
  if (saved === undefined) throw new Error(`the locked send request ${row.id} was not moved`);
  return saved;
}
