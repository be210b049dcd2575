/**
 * Reading texts away from the event loop: a text of 200,000 characters may be written so that parsing it, listing its
 * fields or comparing it takes a second and more.
 */
import { AppError } from '../../errors.ts';
import { RendererOverloadedError } from '../rendering/renderer.ts';
import { createTaskThread } from '../rendering/task-thread.ts';
import type { ReadBatch, ReadResult } from './read.worker.ts';
import type { TextWork } from './text-work.ts';

/** Does work on texts in a thread of its own, one piece after another. The thread is started when first needed. */
export interface TextReader {
  /**
   * @throws AppError `template_invalid` when the text takes too long or too much memory to read; RendererOverloadedError
   * when too many wait; Error after `close()`.
   */
  run<Name extends keyof TextWork>(
    name: Name,
    ...input: Parameters<TextWork[Name]>
  ): Promise<Awaited<ReturnType<TextWork[Name]>>>;
  /** Ends the thread. What is waiting or in hand rejects. */
  close(): Promise<void>;
}

/** Longest time for one piece of work, in milliseconds: what people write takes some tens, MJML some hundreds. */
const longestMs = 5_000;
/** The programs that make HTML and text have a third of it before they begin. */
const memoryMb = 256;
/** Pieces that may wait: each has up to half a million characters. */
const waitingAtMost = 200;

/** Makes a reader. */
export function createTextReader(): TextReader {
  const script = new URL('./read.worker.ts', import.meta.url);
  const thread = createTaskThread<ReadBatch, ReadResult>(script, { timeoutMs: longestMs, memoryMb });
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let closed = false;

  async function inTurn(batch: ReadBatch): Promise<ReadResult | undefined> {
    if (closed) throw new Error('the reader is closed');
    return (await thread.run(batch)).results[0];
  }

  return {
    async run(name, ...input) {
      if (waiting >= waitingAtMost) throw new RendererOverloadedError('too many texts are waiting to be read');
      waiting += 1;
      const turn = last.then(() => inTurn({ tasks: [{ name, input }] }));
      last = turn.catch(() => undefined);
      const result = await turn.finally(() => {
        waiting -= 1;
      });
      if (result?.kind === 'done') return result.value as never;
      const why = result === undefined ? 'it takes too long to read' : result.message.slice(0, 200);
      throw new AppError('template_invalid', {
        detail: why,
        items: [{ pointer: '', code: 'too_complex', message: why }],
      });
    },
    async close() {
      closed = true;
      await thread.close();
    },
  };
}
