import type { Db } from '../../db/client.ts';
import type { JobQueue } from '../../queue/boss.ts';
import type { Claimed } from './claimed.ts';

/** Often enough that three in a row may fail before pg-boss gives the jobs to another worker (10 s). */
export const touchEveryMs = 3_000;
/** Longer than this without being heard of, and another worker may be about to take the jobs: nothing is begun. */
const silentAfterMs = 7_000;

/** What the worker knows of the jobs it holds. */
export interface JobWatch {
  /** Whether a send of this message may still begin: its job is ours, and the worker has been heard of. */
  mayBegin(claimed: Claimed): boolean;
  /** The job is settled or given back. */
  forget(claimed: readonly Claimed[]): void;
}

/** Keeps the claims of this worker alive, and knows which are lost. */
export interface HeldJobs extends JobWatch {
  hold(claimed: readonly Claimed[]): void;
  count(): number;
  /** Tells the queue that the claims are alive, when it is time to. */
  touch(): Promise<void>;
  /** Keeps touching until aborted. */
  run(stopped: AbortSignal, wait: (milliseconds: number, signal: AbortSignal) => Promise<void>): Promise<void>;
}

/**
 * Makes the watch. It reads the process's monotonic time, not the service's clock: it is about whether this process
 * was running, not about what time it is for messages.
 * @param onError told when a touch failed; the next one is tried in its time.
 */
export function createHeldJobs(deps: { db: Db; jobs: JobQueue }, onError: (error: unknown) => void): HeldJobs {
  const held = new Map<string, { claimed: Claimed; heardAt: number; lost: boolean }>();

  /** The entry of this very claim: a job that was lost may have come back to this worker as another claim. */
  function entryOf({ job }: Claimed) {
    const entry = held.get(job.id);
    return entry?.claimed.job.retryCount === job.retryCount ? entry : undefined;
  }

  async function touch(): Promise<void> {
    const byQueue = Map.groupBy(held.values(), ({ claimed }) => claimed.queue);
    for (const [queue, list] of byQueue) {
      const askedAt = performance.now();
      const jobsOfQueue = list.map(({ claimed }) => claimed.job);
      try {
        const gone = await deps.jobs.touch(deps.db, queue, jobsOfQueue);
        for (const entry of list) {
          if (gone.has(entry.claimed.job.id)) entry.lost = true;
          else entry.heardAt = askedAt;
        }
      } catch (error) {
        // The other queue's claims are kept all the same.
        onError(error);
      }
    }
  }

  return {
    hold(claimed) {
      const heardAt = performance.now();
      for (const one of claimed) held.set(one.job.id, { claimed: one, heardAt, lost: false });
    },
    forget(claimed) {
      for (const one of claimed) if (entryOf(one) !== undefined) held.delete(one.job.id);
    },
    mayBegin(claimed) {
      const entry = entryOf(claimed);
      return entry !== undefined && !entry.lost && performance.now() - entry.heardAt < silentAfterMs;
    },
    count: () => held.size,
    touch,
    async run(stopped, wait) {
      while (!stopped.aborted) {
        await wait(touchEveryMs, stopped);
        await touch();
      }
    },
  };
}
