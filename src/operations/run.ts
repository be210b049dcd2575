import type { Logger } from 'pino';
import type { ClaimedJob, OperationJobData } from '../queue/boss.ts';
import { queueNames } from '../queue/queues.ts';
import { stepExport } from './export.ts';
import { stepFilterAction } from './filter-action.ts';
import { finishOperation, getOperation, type OperationDeps } from './store.ts';

/** More steps than any honest operation has: a bound, not a limit. */
const maximumSteps = 100_000;

type RunDeps = OperationDeps & { log: Logger };

/** One step, in a transaction that also moves the operation's cursor. @returns whether there is more. */
async function step(deps: RunDeps, job: ClaimedJob<OperationJobData>): Promise<boolean> {
  const { tenantId, operationId } = job.data;
  return deps.db.transaction(async (tx) => {
    // Locked: a worker that stood still and one that took over its job cannot do the same step.
    const row = await getOperation(tx, { tenantId, testOnly: false }, operationId, { lock: true });
    const more =
      row.finishedAt === null &&
      (row.kind === 'export' ? await stepExport(deps, tx, row) : await stepFilterAction(deps, tx, row));
    if (more) return true;
    if (row.finishedAt === null) {
      const done = await getOperation(tx, { tenantId, testOnly: false }, operationId);
      await finishOperation(deps, tx, done, 'done');
    }
    await deps.jobs.remove(tx, queueNames.operations, [job]);
    return false;
  });
}

/**
 * Claims one operation and works through it. Killed at any point, another worker goes on from the last committed
 * step when the job's heartbeat has ended.
 * @returns 1 when an operation was worked on, else 0.
 */
export async function runOperations(deps: RunDeps): Promise<number> {
  const [job] = await deps.db.transaction((tx) => deps.jobs.fetch<OperationJobData>(tx, queueNames.operations, 1));
  if (job === undefined) return 0;
  for (let turn = 0; turn < maximumSteps; turn += 1) {
    if (!(await step(deps, job))) return 1;
    const lost = await deps.jobs.touch(queueNames.operations, [job]);
    if (lost.has(job.id)) {
      deps.log.warn({ operationId: job.data.operationId }, 'operation.lost');
      return 1;
    }
  }
  throw new Error(`the operation ${job.data.operationId} does not end`);
}
