import { and, eq } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';
import { channelAccounts } from '../../db/tables/dispatch.ts';
import { messages } from '../../db/tables/messages.ts';
import type { ClaimedJob, DispatchJobData } from '../../queue/boss.ts';
import { type ClaimDeps, type Claimed, isIn, stillWanting } from './claimed.ts';
import { type Doubtful, recoverDoubtful } from './doubt.ts';

/** Messages of these jobs that still want this very job, locked, with their accounts. */
function lockWanting(tx: Tx, jobs: readonly ClaimedJob<DispatchJobData>[]) {
  return tx
    .select({
      tenantId: messages.tenantId,
      id: messages.id,
      sendRequestId: messages.sendRequestId,
      test: messages.test,
      status: messages.status,
      channel: messages.channel,
      attemptCount: messages.attemptCount,
      copies: messages.copies,
      jobId: messages.jobId,
      channelAccountId: messages.channelAccountId,
      account: channelAccounts,
    })
    .from(messages)
    .innerJoin(
      channelAccounts,
      and(eq(channelAccounts.tenantId, messages.tenantId), eq(channelAccounts.id, messages.channelAccountId)),
    )
    .where(and(stillWanting(jobs), isIn('queued', 'sending')))
    .orderBy(messages.id)
    .for('update', { of: messages });
}

/**
 * Claims up to `limit` jobs in one transaction. A job whose message no longer wants it (blocked, cancelled, moved) is
 * removed unsent; what a dead worker had begun is settled first.
 * @returns what was claimed, and which messages were found in doubt.
 */
export async function claimMessages(
  deps: ClaimDeps,
  queue: string,
  limit: number,
): Promise<{ claimed: Claimed[]; doubtful: Doubtful[] }> {
  return deps.db.transaction(async (tx) => {
    const jobs = await deps.jobs.fetch<DispatchJobData>(tx, queue, limit);
    if (jobs.length === 0) return { claimed: [], doubtful: [] };
    const rows = await lockWanting(tx, jobs);
    const { doubtful, held } = await recoverDoubtful(deps, tx, rows);
    const byJob = new Map(rows.filter(({ id }) => !held.has(id)).map((row) => [row.jobId, row]));
    await deps.jobs.remove(
      tx,
      queue,
      jobs.filter(({ id }) => !byJob.has(id)),
    );
    const claimedAt = performance.now();
    const claimed = jobs.flatMap((job): Claimed[] => {
      const row = byJob.get(job.id);
      if (row?.channelAccountId == null) return [];
      const { tenantId, messageId } = job.data;
      return [{ job, queue, tenantId, messageId, accountId: row.channelAccountId, claimedAt }];
    });
    return { claimed, doubtful };
  });
}
