import type { Logger } from 'pino';
import { isUnavailable, type Tx } from '../db/client.ts';
import { pastDeadlocks } from '../db/deadlocks.ts';
import type { ClaimedJob, OperationJobData } from '../queue/boss.ts';
import { queueNames } from '../queue/queues.ts';
import { stepErasure } from './erase.ts';
import { stepExport } from './export.ts';
import { stepFilterAction } from './filter-action.ts';
import { stepImport } from './import/step.ts';
import { stepRetention } from './retention.ts';
import { finishOperation, getOperation, type OperationDeps, type OperationRow, type Progress } from './store.ts';

/** Steps of one pass: then other operations, and a stop, have their turn. */
const stepsPerPass = 10;
/** How long an operation waits for what it cannot act on at this moment. */
const laterSeconds = 1;
/** Claims after which an operation that faults each time is given up. */
const maximumClaims = 5;

type RunDeps = OperationDeps & { log: Logger };
type Job = ClaimedJob<OperationJobData>;

async function doStep(deps: RunDeps, tx: Tx, row: OperationRow): Promise<Progress> {
  switch (row.kind) {
    case 'export':
      return (await stepExport(deps, tx, row)) ? 'more' : 'done';
    case 'import':
      return stepImport(deps, tx, row);
    case 'erase':
      return stepErasure(deps, tx, row);
    case 'retention':
      return stepRetention(deps, tx, row);
    default:
      return (await stepFilterAction(deps, tx, row)) ? 'more' : 'done';
  }
}

/**
 * One step, in a transaction that also moves the operation's cursor.
 * @param last whether the pass ends with it: what is left gets a job of its own, behind the others.
 * @returns whether there is more to do in this pass.
 */
async function step(deps: RunDeps, job: Job, last: boolean): Promise<boolean> {
  const { tenantId, operationId } = job.data;
  const viewer = { tenantId, testOnly: false };
  return deps.db.transaction(async (tx) => {
    // Locked: a worker that stood still and one that took over its job cannot do the same step.
    const row = await getOperation(tx, viewer, operationId, { lock: true });
    const progress = row.finishedAt === null ? await doStep(deps, tx, row) : 'done';
    if (progress === 'more' && !last) return true;
    if (progress === 'more' || progress === 'later') {
      const wait = progress === 'later' ? { startAfter: laterSeconds } : {};
      await deps.jobs.insert(tx, queueNames.operations, [{ id: deps.newId(), data: job.data, ...wait }]);
    } else if (progress === 'done' && row.finishedAt === null) {
      await finishOperation(deps, tx, await getOperation(tx, viewer, operationId), 'done');
    }
    await deps.jobs.remove(tx, queueNames.operations, [job]);
    return false;
  });
}

/** What was done stays done, and is told; the rest is not tried again. */
async function giveUp(deps: RunDeps, job: Job): Promise<void> {
  const { tenantId, operationId } = job.data;
  await deps.db.transaction(async (tx) => {
    const row = await getOperation(tx, { tenantId, testOnly: false }, operationId, { lock: true });
    if (row.finishedAt === null) await finishOperation(deps, tx, row, 'failed');
    await deps.jobs.remove(tx, queueNames.operations, [job]);
  });
}

async function work(deps: RunDeps, job: Job): Promise<void> {
  for (let turn = 1; turn <= stepsPerPass; turn += 1) {
    if (!(await pastDeadlocks(() => step(deps, job, turn === stepsPerPass)))) return;
    if (turn === stepsPerPass) return;
    const lost = await deps.jobs.touch(deps.db, queueNames.operations, [job]);
    if (!lost.has(job.id)) continue;
    deps.log.warn({ operationId: job.data.operationId }, 'operation.lost');
    return;
  }
}

/**
 * Claims one operation and does its next steps. Killed at any point, another worker goes on from the last committed
 * step when the job's heartbeat has ended. An operation that faults at each of five claims becomes `failed`.
 * @returns 1 when an operation was worked on, else 0.
 */
export async function runOperations(deps: RunDeps): Promise<number> {
  const [job] = await deps.db.transaction((tx) => deps.jobs.fetch<OperationJobData>(tx, queueNames.operations, 1));
  if (job === undefined) return 0;
  try {
    await work(deps, job);
  } catch (error) {
    if (isUnavailable(error) || job.retryCount + 1 < maximumClaims) throw error;
    deps.log.error({ err: error, operationId: job.data.operationId }, 'operation.failed');
    await giveUp(deps, job);
  }
  return 1;
}
