/** Compiling texts away from the event loop, one after another. */
import { Worker } from 'node:worker_threads';
import { AppError } from '../../errors.ts';
import { type CompileJob, type CompileResult, needsCompiling } from './compile.ts';

/** Makes texts from what was written. */
export interface Compiler {
  /**
   * Texts that are as they were written are given back at once.
   * @throws AppError `unavailable` when too many wait; Error after `close()`.
   */
  compile(job: CompileJob): Promise<CompileResult>;
  /** Ends the thread. What is waiting rejects. */
  close(): Promise<void>;
}

/** A text takes some tens of milliseconds; the first one waits for the modules, too. */
const longestMs = 15_000;
const memoryMb = 256;
const waitingAtMost = 1_000;

/** What ended the thread, or kept it for too long, is told to its author. */
function notCompiled({ written }: CompileJob, why: string): CompileResult {
  const pointer = written.mjml !== undefined ? '/mjml' : written.sections !== undefined ? '/sections' : '/html';
  return { kind: 'faults', faults: [{ pointer, code: 'not_compiled', message: `cannot be made into a mail: ${why}` }] };
}

function runIn(thread: Worker, job: CompileJob): Promise<{ result: CompileResult; ended: boolean }> {
  return new Promise((resolve) => {
    const settle = (result: CompileResult, ended: boolean): void => {
      clearTimeout(timer);
      thread.off('message', onMessage).off('error', onEnd).off('exit', onEnd);
      resolve({ result, ended });
    };
    const onMessage = (result: CompileResult): void => settle(result, false);
    const onEnd = (): void => settle(notCompiled(job, 'it needs too much memory'), true);
    const timer = setTimeout(() => settle(notCompiled(job, 'it takes too long'), true), longestMs);
    thread.on('message', onMessage).on('error', onEnd).on('exit', onEnd);
    thread.postMessage(job);
  });
}

function startThread(): Worker {
  const thread = new Worker(new URL('./compile.worker.ts', import.meta.url), {
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: 16 },
    name: 'compile',
  });
  // Unheard, an error between two jobs would end the process.
  thread.on('error', () => undefined);
  // A service that compiles nothing any more may end.
  thread.unref();
  return thread;
}

/** A compiler whose thread is started by the first text that needs one. */
export function createCompiler(): Compiler {
  let thread: Worker | null = null;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let closed = false;

  async function run(job: CompileJob): Promise<CompileResult> {
    if (closed) throw new Error('the compiler is closed');
    thread ??= startThread();
    const used = thread;
    used.ref();
    const { result, ended } = await runIn(used, job);
    used.unref();
    if (closed) throw new Error('the compiler is closed');
    if (ended) {
      if (thread === used) thread = null;
      await used.terminate();
    }
    return result;
  }

  return {
    async compile(job) {
      const { subject, text = '', html = '' } = job.written;
      if (!needsCompiling(job.written)) return { kind: 'texts', parts: { subject, text, html } };
      if (waiting >= waitingAtMost)
        throw new AppError('unavailable', { detail: 'Too many texts wait to be compiled.' });
      waiting += 1;
      const turn = last.then(() => run(job));
      last = turn.catch(() => undefined);
      try {
        return await turn;
      } finally {
        waiting -= 1;
      }
    },
    async close() {
      closed = true;
      await thread?.terminate();
      thread = null;
    },
  };
}
