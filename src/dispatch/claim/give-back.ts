import { and, inArray, isNull, sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';
import { keyList } from '../../db/rows.ts';
import { attempts, messages } from '../../db/tables/messages.ts';
import { openLanes } from '../../messages/enqueue.ts';
import { type ClaimDeps, type Claimed, isIn, removeJobs, stillWanting } from './claimed.ts';

const jobsOf = (claimed: readonly Claimed[]) => claimed.map(({ job }) => job);

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
    .where(and(stillWanting(jobsOf(claimed)), isIn('queued')))
    .returning({
      tenantId: messages.tenantId,
      id: messages.id,
      sendRequestId: messages.sendRequestId,
      channelAccountId: messages.channelAccountId,
      priority: messages.priority,
    });
  await openLanes(
    tx,
    rows.map((row) => ({ ...row, releaseAt })),
  );
  await removeJobs(deps, tx, claimed);
}

/**
 * Gives back messages of a window that could not be opened. Where the commit's answer was lost, they may be open all
 * the same: nothing of them was handed over, so their attempts are closed as not begun.
 * @param written the attempts of this window, and of no other one.
 */
export async function undoWindow(
  written: readonly string[],
  deps: ClaimDeps,
  tx: Tx,
  claimed: readonly Claimed[],
  releaseAt?: Date,
): Promise<void> {
  const now = deps.clock.now();
  const keys = claimed.map(({ tenantId, messageId }) => ({ tenantId, id: messageId }));
  // The commit may still be on its way: it has ended when its rows can be locked.
  await tx
    .select({ id: messages.id })
    .from(messages)
    .where(stillWanting(jobsOf(claimed)))
    .orderBy(messages.id)
    .for('update');
  const closed = await tx
    .update(attempts)
    .set({ finishedAt: now, outcome: 'not_begun', durationMs: 0 })
    .where(
      and(
        sql`(${attempts.tenantId}, ${attempts.messageId}) in ${keyList(keys)}`,
        inArray(attempts.id, [...written]),
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
      .where(and(stillWanting(jobsOf(reopened)), isIn('sending')));
  }
  await returnClaimed(deps, tx, claimed, releaseAt);
}
