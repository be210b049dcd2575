import { and, eq, sql } from 'drizzle-orm';
import type { Clock } from '../clock.ts';
import type { Tx } from '../db/client.ts';
import { at } from '../db/rows.ts';
import { sendRequestDrafts, sendRequests } from '../db/tables/messages.ts';
import { AppError, invalidField } from '../errors.ts';
import { openLanes } from '../messages/enqueue.ts';
import type { Caller } from '../tenants/rights.ts';
import type { SendRequestBody } from './schema.ts';
import { getDraftBody, getSendRequest, type SendRequestRow } from './store.ts';

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
  const { sendAt: _sendAt, notAfter: _notAfter, ...rest } = await getDraftBody(tx, tenantId, id);
  const body: SendRequestBody = {
    ...rest,
    ...(times.sendAt === null ? {} : { sendAt: times.sendAt.toISOString() }),
    ...(times.notAfter === null ? {} : { notAfter: times.notAfter.toISOString() }),
  };
  await tx
    .update(sendRequestDrafts)
    .set({ body })
    .where(and(eq(sendRequestDrafts.tenantId, tenantId), eq(sendRequestDrafts.sendRequestId, id)));
}

async function moveMessages(
  tx: Tx,
  row: SendRequestRow,
  times: { sendAt: Date | null; notAfter: Date | null },
  now: Date,
) {
  const releaseAt = times.sendAt !== null && times.sendAt > now ? times.sendAt : now;
  const moved = await tx.execute<{
    id: string;
    channel_account_id: string | null;
    priority: number;
    status: string;
  }>(sql`
    update messages set send_at = ${times.sendAt === null ? null : at(times.sendAt)},
      not_after = ${times.notAfter === null ? null : at(times.notAfter)},
      release_at = case when status = 'V' and attempt_count = 0 then ${at(releaseAt)} else release_at end,
      dispatch_state = case when status = 'V' then 'waiting' else dispatch_state end, job_id = null,
      revision = revision + 1, updated_at = ${at(now)}
    where tenant_id = ${row.tenantId} and send_request_id = ${row.id} and status in ('E', 'V')
      and dispatch_state in ('idle', 'waiting', 'queued')
    returning id, channel_account_id, priority, status`);
  const waiting = [...moved].filter(({ status }) => status === 'V');
  await openLanes(
    tx,
    waiting.map((one) => ({
      tenantId: row.tenantId,
      id: one.id,
      channelAccountId: one.channel_account_id,
      sendRequestId: row.id,
      priority: one.priority,
      releaseAt,
    })),
  );
}

/**
 * Moves the time of a request and of its messages that have not begun to leave; a job that was given for one finds
 * nothing to send. What was rendered stays: dates in the content read the clock of the first plan, because that
 * content is what people approved.
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
  if (row.status === 'cancelled') throw new AppError('conflict', { detail: 'The send request was cancelled.' });
  const now = deps.clock.now();
  const times = { sendAt: timeOf(change.sendAt, row.sendAt), notAfter: timeOf(change.notAfter, row.notAfter) };
  checkTimes(change, times.sendAt, times.notAfter, now);
  if (row.status === 'draft') await moveDraft(tx, row.tenantId, row.id, times);
  else await moveMessages(tx, row, times, now);
  const [saved] = await tx
    .update(sendRequests)
    .set({ ...times, updatedAt: now, revision: sql`${sendRequests.revision} + 1` })
    .where(and(eq(sendRequests.tenantId, row.tenantId), eq(sendRequests.id, row.id)))
    .returning();
  if (saved === undefined) throw new Error(`the locked send request ${row.id} was not moved`);
  return saved;
}
