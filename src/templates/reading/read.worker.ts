/** The reading thread: parses, checks, converts and compares texts that anybody may have written. */
import { parentPort, workerData } from 'node:worker_threads';
import type { TaskReport, TaskThreadData } from '../rendering/task-thread.ts';
import { type TextWork, textWork } from './text-work.ts';

/** One piece of work. */
export interface ReadTask {
  name: keyof TextWork;
  input: unknown[];
}

/** What came of it. `failed`: what no code expected, a stack that ran out, say; the fault of this text only. */
export type ReadResult = { kind: 'done'; value: unknown } | { kind: 'failed'; message: string };

/** Pieces of work. */
export interface ReadBatch {
  tasks: ReadTask[];
}

const { progress } = workerData as TaskThreadData;

async function work({ name, input }: ReadTask): Promise<ReadResult> {
  try {
    const carryOut = textWork[name] as (...input: unknown[]) => unknown;
    return { kind: 'done', value: await carryOut(...input) };
  } catch (error) {
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
}

const port = parentPort;
if (port === null) throw new Error('read.worker.ts is a thread');
port.on('message', async ({ tasks }: ReadBatch) => {
  const results: ReadResult[] = [];
  for (const [index, task] of tasks.entries()) {
    Atomics.store(progress, 0, index);
    results.push(await work(task));
  }
  port.postMessage({ from: 0, results } satisfies TaskReport<ReadResult>);
});
