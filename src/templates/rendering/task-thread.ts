/** One thread for work that may never end, started when first needed and replaced when it is stuck or dies. */
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';

/** What the thread is started with. `progress[0]` is the index of the task in hand, -1 before the first. */
export interface TaskThreadData {
  progress: Int32Array;
  /** Cooperative limit of each part, in milliseconds. */
  partLimitMs: number;
}

/** What is given to a thread at once. */
interface TaskBatch {
  tasks: readonly unknown[];
}

/** Results come in pieces, in order: `from` is the index of the first one. */
export interface TaskReport<Result> {
  from: number;
  results: Result[];
}

/** Limits of a thread. */
export interface TaskThreadLimits {
  /** Longest time for one task, in milliseconds. */
  timeoutMs: number;
  /** Heap of the thread, in megabytes. */
  memoryMb: number;
}

/**
 * How a batch ended. `results` has a hole for each task that was not reported.
 * `stuck`: task `index` passed its time; `died`: the thread ended under it (out of memory, mostly). The
 * tasks without a result can be run again on the next thread.
 */
type BatchEnd<Result> =
  | { kind: 'finished'; results: (Result | undefined)[] }
  | { kind: 'stuck' | 'died'; results: (Result | undefined)[]; index: number };

/** Runs one batch at a time. */
export interface TaskThread<Batch extends TaskBatch, Result> {
  /** Rejects when the thread cannot start, or fails by a bug: no task is to blame then. */
  run(batch: Batch): Promise<BatchEnd<Result>>;
  /** Ends the thread; a batch in hand rejects. */
  close(): Promise<void>;
}

/** Loading the modules takes 0.2 s; a loaded machine may need much more, and no task is to blame. */
const START_LIMIT_MS = 60_000;

/** How often within its time a task is looked at; and how many looks must find it where it was before it is stuck. */
const looksPerLimit = 10;
const looksAtLeast = 5;

/** Gives a batch to a thread, and watches how far it gets. @throws Error when the thread fails outside any task. */
function watchBatch<Result>(
  thread: Worker,
  batch: TaskBatch,
  progress: Int32Array,
  limits: TaskThreadLimits,
): Promise<BatchEnd<Result>> {
  const results: (Result | undefined)[] = new Array(batch.tasks.length).fill(undefined);
  return new Promise<BatchEnd<Result>>((resolve, reject) => {
    let seen = -1;
    let seenAt = performance.now();
    let looks = 0;
    const watch = setInterval(
      () => {
        const index = Atomics.load(progress, 0);
        if (index !== seen) {
          seen = index;
          seenAt = performance.now();
          looks = 0;
          return;
        }
        looks += 1;
        // A process that stood still finds itself late at its first look: the thread stood still with it.
        if (looks < looksAtLeast) return;
        if (performance.now() - seenAt > (index < 0 ? START_LIMIT_MS : limits.timeoutMs)) {
          if (index < 0) fail(new Error('a thread did not start'));
          else settle(() => resolve({ kind: 'stuck', results, index }));
        }
      },
      Math.max(5, Math.floor(limits.timeoutMs / looksPerLimit)),
    );
    const settle = (end: () => void): void => {
      clearInterval(watch);
      thread.off('message', onReport).off('error', fail).off('exit', onExit);
      end();
    };
    const onReport = (report: TaskReport<Result>): void => {
      report.results.forEach((result, offset) => {
        results[report.from + offset] = result;
      });
      if (report.from + report.results.length === results.length) settle(() => resolve({ kind: 'finished', results }));
    };
    const fail = (error: unknown): void => {
      const index = Atomics.load(progress, 0);
      const outOfMemory = (error as { code?: string }).code === 'ERR_WORKER_OUT_OF_MEMORY';
      // Before the first task there is nobody to blame yet: the first one runs alone next, and so on.
      if (outOfMemory) settle(() => resolve({ kind: 'died', results, index: Math.max(0, index) }));
      else settle(() => reject(new Error('a thread failed', { cause: error })));
    };
    const onExit = (): void => fail(new Error('the thread ended'));
    thread.on('message', onReport).on('error', fail).on('exit', onExit);
    thread.postMessage(batch);
  });
}

/** A thread that is started by its first batch. @param script what it runs: `progress` is told of every task. */
export function createTaskThread<Batch extends TaskBatch, Result>(
  script: URL,
  limits: TaskThreadLimits,
): TaskThread<Batch, Result> {
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const compileCache = getCompileCacheDir();
  let worker: Worker | null = null;

  function start(): Worker {
    const data: TaskThreadData = { progress, partLimitMs: Math.max(20, Math.floor(limits.timeoutMs / 4)) };
    const started = new Worker(script, {
      workerData: data,
      // Neither our secrets nor our loaders are its business; where there is a compile cache it starts in half the time.
      env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(compileCache) },
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: limits.memoryMb, maxYoungGenerationSizeMb: 16 },
      name: 'templates',
    });
    // An error may come between batches, or while the thread is being ended; unheard, it would end the process.
    started.on('error', () => undefined);
    started.on('exit', () => {
      if (worker === started) worker = null;
    });
    return started;
  }

  async function run(batch: Batch): Promise<BatchEnd<Result>> {
    const thread = worker ?? start();
    worker = thread;
    Atomics.store(progress, 0, -1);
    const ended = await watchBatch<Result>(thread, batch, progress, limits).catch(async (error: unknown) => {
      await discard(thread);
      throw error;
    });
    if (ended.kind !== 'finished') await discard(thread);
    return ended;
  }

  async function discard(thread: Worker): Promise<void> {
    if (worker === thread) worker = null;
    await thread.terminate();
  }

  return {
    run,
    async close() {
      if (worker !== null) await worker.terminate();
      worker = null;
    },
  };
}
