import { inArray, type Placeholder, type SQL, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { messages } from '../../db/tables/messages.ts';
import type { ClaimedJob, DispatchJobData, JobQueue } from '../../queue/boss.ts';

/** What claiming, and all that ends a claim, needs. */
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
  /** In monotonic milliseconds. */
  claimedAt: number;
}

/** Jobs and their messages as one parameter, for `wantsOneOf`. */
export function jobList(jobs: readonly ClaimedJob<DispatchJobData>[]): string {
  return JSON.stringify(jobs.map(({ id, data }) => ({ job_id: id, tenant_id: data.tenantId, id: data.messageId })));
}

/** @param jobs a `jobList`, or its placeholder. */
export function wantsOneOf(jobs: string | Placeholder): SQL {
  return sql`(${messages.tenantId}, ${messages.id}, ${messages.jobId}) in (
    select tenant_id, id, job_id from json_to_recordset(${jobs}::json)
      as job(tenant_id uuid, id uuid, job_id uuid))`;
}

/** Messages that still want this very job: one that was given another, or none, is not ours any more. */
export function stillWanting(jobs: readonly ClaimedJob<DispatchJobData>[]): SQL {
  return wantsOneOf(jobList(jobs));
}

/**
 * Whether a message that is found by its key is in one of these states. Not a plain comparison: for that the planner
 * takes the small index of what is queued, which is mostly dead entries of what has left, and reads it whole.
 */
export function isIn(...states: (typeof messages.$inferSelect)['dispatchState'][]): SQL {
  return inArray(sql`coalesce(${messages.dispatchState}, '')`, states);
}

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
