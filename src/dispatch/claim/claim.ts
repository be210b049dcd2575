import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { AccountRow } from '../../accounts/store.ts';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { at, idList } from '../../db/rows.ts';
import { channelAccounts } from '../../db/tables/dispatch.ts';
import { attempts, messages } from '../../db/tables/messages.ts';
import { recordEvents } from '../../events/store.ts';
import type { MessageRow } from '../../messages/content.ts';
import { openLanes } from '../../messages/enqueue.ts';
import { recordMoves } from '../../messages/record-moves.ts';
import type { ClaimedJob, DispatchJobData, JobQueue } from '../../queue/boss.ts';
import { serviceActor } from '../../tenants/rights.ts';

/** What claiming needs. */
export interface ClaimDeps {
  db: Db;
  clock: Clock;
  newId: NewId;
  jobs: JobQueue;
}

/** A message whose job this worker holds, not yet being sent. */
export interface Claimed {
  job: ClaimedJob<DispatchJobData>;
  queue: string;
  tenantId: string;
  messageId: string;
  accountId: string;
}

type Doubtful = Pick<MessageRow, 'tenantId' | 'id' | 'sendRequestId' | 'test' | 'status' | 'copies'> & {
  jobId: string | null;
  account: Pick<AccountRow, 'onUncertain'>;
};

const claimColumns = {
  tenantId: messages.tenantId,
  id: messages.id,
  sendRequestId: messages.sendRequestId,
  test: messages.test,
  status: messages.status,
  copies: messages.copies,
  jobId: messages.jobId,
  channelAccountId: messages.channelAccountId,
  priority: messages.priority,
};

/** Attempts with no outcome are of a worker that died: whether the provider has the message is not known. */
async function closeOpenAttempts(deps: ClaimDeps, tx: Tx, ids: readonly string[]): Promise<Set<string>> {
  const closed = await tx
    .update(attempts)
    .set({ finishedAt: deps.clock.now(), outcome: 'uncertain', reason: 'outcome_unknown' })
    .where(and(sql`${attempts.messageId} = any(${idList(ids)})`, isNull(attempts.finishedAt)))
    .returning({ messageId: attempts.messageId });
  return new Set(closed.map(({ messageId }) => messageId));
}

/** Under `hold` a doubtful message becomes `KO` `outcome_unknown`: never a silent second copy. */
async function holdDoubtful(deps: ClaimDeps, tx: Tx, rows: readonly Doubtful[]): Promise<void> {
  const changes = rows.map((row) => ({
    tenant_id: row.tenantId,
    id: row.id,
    // Copies of a message that is already OK are doubtful by themselves: the message stays OK.
    status: row.status === 'V' ? 'KO' : row.status,
    reason: row.status === 'V' ? 'outcome_unknown' : null,
    delivery: row.status === 'V' ? 'uncertain' : 'sent',
    copies: row.copies.map((copy) => (copy.outcome === 'pending' ? { ...copy, outcome: 'uncertain' } : copy)),
  }));
  const changed = await tx.execute(sql`
    update messages set status = held.status, reason = held.reason, delivery = held.delivery, copies = held.copies,
      dispatch_state = 'idle', job_id = null, revision = revision + 1, updated_at = ${at(deps.clock.now())}
    from json_to_recordset(${JSON.stringify(changes)}::json)
      as held(tenant_id uuid, id uuid, status text, reason text, delivery text, copies jsonb)
    where messages.tenant_id = held.tenant_id and messages.id = held.id`);
  if (changed.count !== rows.length) throw new Error(`${changed.count} of ${rows.length} locked messages were held`);
  const moved = rows.filter(({ status }) => status === 'V');
  await recordMoves(
    deps,
    tx,
    serviceActor,
    moved.map((row) => ({ ...row, messageId: row.id, from: 'V', to: 'KO', reason: 'outcome_unknown' })),
  );
}

/** Under `resend` a message is sent in doubt this often in all; then a person must tell what became of it. */
export const uncertainTries = 3;

/** Of these messages, those that have been in doubt too often since they were validated to be sent once more. */
export async function tooOftenInDoubt(
  tx: Tx,
  tenantIds: readonly string[],
  ids: readonly string[],
): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows = await tx.execute<{ id: string }>(sql`
    select messages.id from messages
    join attempts on attempts.tenant_id = messages.tenant_id and attempts.message_id = messages.id
    where messages.tenant_id = any(${idList([...new Set(tenantIds)])}) and messages.id = any(${idList(ids)})
      and attempts.outcome = 'uncertain' and attempts.started_at >= messages.first_tried_at
    group by messages.id having count(*) >= ${uncertainTries}`);
  return new Set([...rows].map(({ id }) => id));
}

/**
 * Settles what a dead worker left open, by the account's own policy: `resend` sends again with the same Message-ID
 * (at least once, three times in doubt at most), `hold` waits for a person (at most once).
 * @returns the ids that are held.
 */
async function recoverDoubtful(deps: ClaimDeps, tx: Tx, rows: readonly Doubtful[]): Promise<Set<string>> {
  const open = await closeOpenAttempts(
    deps,
    tx,
    rows.map(({ id }) => id),
  );
  const doubtful = rows.filter(({ id }) => open.has(id));
  if (doubtful.length === 0) return new Set();
  await recordEvents(
    deps,
    tx,
    doubtful.map((row) => ({
      tenantId: row.tenantId,
      type: 'message.uncertain' as const,
      test: row.test,
      resourceId: row.id,
      data: { sendRequest: row.sendRequestId, policy: row.account.onUncertain },
    })),
  );
  const often = await tooOftenInDoubt(
    tx,
    doubtful.map(({ tenantId }) => tenantId),
    doubtful.map(({ id }) => id),
  );
  const held = doubtful.filter(({ account, id }) => account.onUncertain === 'hold' || often.has(id));
  await holdDoubtful(deps, tx, held);
  const heldIds = new Set(held.map(({ id }) => id));
  const again = doubtful.filter(({ id }) => !heldIds.has(id)).map(({ id }) => id);
  await tx.execute(sql`
    update messages set dispatch_state = 'queued', updated_at = ${at(deps.clock.now())}
    where id = any(${idList(again)}) and dispatch_state = 'sending'`);
  return heldIds;
}

/** Messages of these jobs that still want this very job, with their accounts. */
async function wantedRows(tx: Tx, jobs: readonly ClaimedJob<DispatchJobData>[]) {
  const asked = jobs.map(({ id, data }) => ({ job_id: id, tenant_id: data.tenantId, id: data.messageId }));
  return tx
    .select({ ...claimColumns, account: channelAccounts })
    .from(messages)
    .innerJoin(channelAccounts, sql`${channelAccounts.id} = ${messages.channelAccountId}`)
    .where(
      and(
        sql`(${messages.tenantId}, ${messages.id}, ${messages.jobId}) in (
          select tenant_id, id, job_id from json_to_recordset(${JSON.stringify(asked)}::json)
            as job(tenant_id uuid, id uuid, job_id uuid))`,
        inArray(messages.dispatchState, ['queued', 'sending']),
      ),
    )
    .orderBy(messages.id)
    .for('update', { of: messages });
}

/**
 * Claims up to `limit` jobs in one transaction. A job whose message no longer wants it (blocked, cancelled, moved) is
 * removed unsent; what a dead worker had begun is settled first.
 */
export async function claimMessages(deps: ClaimDeps, queue: string, limit: number): Promise<Claimed[]> {
  return deps.db.transaction(async (tx) => {
    const jobs = await deps.jobs.fetch<DispatchJobData>(tx, queue, limit);
    if (jobs.length === 0) return [];
    const rows = await wantedRows(tx, jobs);
    const held = await recoverDoubtful(deps, tx, rows);
    const byJob = new Map(rows.filter(({ id }) => !held.has(id)).map((row) => [row.jobId, row]));
    await deps.jobs.remove(
      tx,
      queue,
      jobs.filter(({ id }) => !byJob.has(id)),
    );
    return jobs.flatMap((job) => {
      const row = byJob.get(job.id);
      if (row?.channelAccountId == null) return [];
      const { tenantId, messageId } = job.data;
      return [{ job, queue, tenantId, messageId, accountId: row.channelAccountId }];
    });
  });
}

const claimedJobs = (claimed: readonly Claimed[]) => {
  const rows = claimed.map(({ job, tenantId, messageId }) => ({ job_id: job.id, tenant_id: tenantId, id: messageId }));
  return sql`(${messages.tenantId}, ${messages.id}, ${messages.jobId}) in (
    select tenant_id, id, job_id from json_to_recordset(${JSON.stringify(rows)}::json)
      as job(tenant_id uuid, id uuid, job_id uuid))`;
};

/** Removes the jobs of claims that end. */
export async function removeJobs(deps: ClaimDeps, tx: Tx, claimed: readonly Claimed[]): Promise<void> {
  for (const [queue, list] of Map.groupBy(claimed, (one) => one.queue)) {
    await deps.jobs.remove(
      tx,
      queue,
      list.map(({ job }) => job),
    );
  }
}

/** Gives claimed messages that are not begun back to wait for their turn. */
export async function returnClaimed(
  deps: ClaimDeps,
  tx: Tx,
  claimed: readonly Claimed[],
  releaseAt: Date = deps.clock.now(),
): Promise<void> {
  if (claimed.length === 0) return;
  const rows = await tx
    .update(messages)
    .set({ dispatchState: 'waiting', jobId: null, releaseAt, updatedAt: deps.clock.now() })
    .where(and(claimedJobs(claimed), sql`${messages.dispatchState} = 'queued'`))
    .returning(claimColumns);
  await openLanes(
    tx,
    rows.map((row) => ({ ...row, releaseAt })),
  );
  await removeJobs(deps, tx, claimed);
}

/**
 * Gives back messages of a window that could not be opened. Where the commit's answer was lost, they may be open all
 * the same: nothing of them was handed over, so their attempts are closed as not begun.
 */
export async function undoWindow(
  deps: ClaimDeps & { workerId: string },
  tx: Tx,
  claimed: readonly Claimed[],
  releaseAt: Date,
): Promise<void> {
  const now = deps.clock.now();
  const closed = await tx
    .update(attempts)
    .set({ finishedAt: now, outcome: 'not_begun', durationMs: 0 })
    .where(
      and(
        sql`${attempts.messageId} = any(${idList(claimed.map(({ messageId }) => messageId))})`,
        eq(attempts.workerId, deps.workerId),
        isNull(attempts.finishedAt),
      ),
    )
    .returning({ messageId: attempts.messageId });
  const open = new Set(closed.map(({ messageId }) => messageId));
  const reopened = claimed.filter(({ messageId }) => open.has(messageId));
  if (reopened.length > 0) {
    await tx
      .update(messages)
      .set({ dispatchState: 'queued', attemptCount: sql`${messages.attemptCount} - 1`, updatedAt: now })
      .where(and(claimedJobs(reopened), eq(messages.dispatchState, 'sending')));
  }
  await returnClaimed(deps, tx, claimed, releaseAt);
}
