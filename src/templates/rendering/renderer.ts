/**
 * Rendering and composing away from the event loop: a small pool of threads, fed in batches.
 */
import type { ComposedMail } from '../../channels/mail/assembly.ts';
import type { MailComposition } from '../../channels/mail/composition.ts';
import type { MailContent } from '../../channels/mail/content.ts';
import type { TemplatePart, TemplateParts } from './liquid.ts';
import type { RenderBatch } from './render.worker.ts';
import { createTaskThread, type TaskThread } from './task-thread.ts';

export type { TemplatePart, TemplateParts } from './liquid.ts';

/** The sender as texts may show it. Its signature is HTML in the HTML part, as it is, and text elsewhere (M2). */
export interface ShownSender {
  name: string | null;
  address: string;
  signature: { html: string; text: string } | null;
}

/** One message to render, and to hash and compose when asked. */
export interface PrepareTask {
  /** Identifies the parts for ever: a thread parses them once per key. A changed text needs a new key. */
  template: string;
  /** The row's data: the JSON text of an object. */
  dataJson: string;
  /** RFC 3339. What `now` means. */
  clockAt: string;
  /** IANA zone. */
  timezone: string;
  /** BCP 47 tag. */
  locale: string;
  /** Literal texts that replace a rendered part, never parsed as Liquid. */
  overrides: Partial<TemplateParts>;
  /** What texts may read as `sender`, unless the data has one. Default: nothing. */
  sender?: ShownSender;
  /**
   * What texts read as `unsubscribe_url`, unless the data has one. It is no part of `contentHash`: another link is not
   * another content. Default: nothing.
   */
  unsubscribeUrl?: string;
  /** Present for mail: everything of its content but the three texts. When given, the result carries `contentHash`. */
  mail: Omit<MailContent, 'subject' | 'text' | 'html'> | null;
  /** When given (needs `mail`), the result carries the composed mail. */
  composition: MailComposition | null;
}

/**
 * What became of a task.
 * - `field_missing`: every absent variable, by the path the template writes (`client.name`).
 * - `template_error`: `message` is LiquidJS's, or one of `empty_subject`, `control_character`, `too_large`,
 *   `unsafe_link`, `unsafe_signature`, `changed_link`, `data_too_large`, `invalid_data`, `invalid_clock`, `composition_refused: …`.
 * - `template_timeout`: too slow; `endedThread` when it was stuck in one step, or exhausted its thread's memory, so that
 *   the thread had to be ended.
 */
export type PrepareResult =
  | {
      kind: 'prepared';
      subject: string;
      text: string;
      html: string;
      contentHash: string | null;
      /** Its attachments are to be put in. */
      mail: ComposedMail | null;
    }
  | { kind: 'field_missing'; fields: string[] }
  | { kind: 'template_error'; part: TemplatePart; message: string }
  | { kind: 'template_timeout'; endedThread: boolean };

/** Renders messages. */
export interface Renderer {
  /**
   * One result per task, in order. A task that is stuck or ends its thread costs only itself.
   * @throws RendererOverloadedError when too much is waiting; Error after `close()`, or for a bug.
   */
  prepare(templates: Record<string, TemplateParts>, tasks: PrepareTask[]): Promise<PrepareResult[]>;
  /** Ends the threads. What is waiting or in hand rejects. */
  close(): Promise<void>;
}

/** Settings of the pool; the defaults are for a machine of two cores. */
export interface RendererSettings {
  /** Default 2. */
  threads?: number;
  /** Hard limit of one task, in milliseconds. Default 2000. */
  timeoutMs?: number;
  /**
   * Heap of each thread, in megabytes. Default 128: a backstop, well above what the limits of templates and data allow.
   * A thread that meets it slowly ends alone; one that asks for much more at once could end the process.
   */
  memoryMb?: number;
  /** Most tasks that may be waiting over all calls. Default 100,000. */
  maxWaitingTasks?: number;
}

/** More is waiting than the renderer may hold. Try again later. */
export class RendererOverloadedError extends Error {
  override name = 'RendererOverloadedError';
}

/** A round trip costs more than a rendering: batches of 100 were fastest, and larger ones only wait longer. */
const BATCH_SIZE = 100;
/** Characters of data in one batch: they are in the thread's memory all at once. */
const BATCH_DATA = 4_000_000;

/** Longest data of one row, in UTF-16 units of its JSON: what is made of it at once must fit into a thread's memory. */
export const LONGEST_DATA = 1_000_000;

type RenderThread = TaskThread<RenderBatch, PrepareResult>;

interface Call {
  templates: Record<string, TemplateParts>;
  tasks: PrepareTask[];
  results: (PrepareResult | undefined)[];
  /** Indexes not yet given to a thread. */
  waiting: number[];
  unfinished: number;
  /** Tasks that ended a thread once, perhaps by what others had left in its memory: they get one run alone. */
  suspects: Set<number>;
  resolve(results: PrepareResult[]): void;
  reject(error: unknown): void;
}

/** Threads, and the calls that wait for them. */
interface Pool {
  threads: number;
  idle: RenderThread[];
  calls: Call[];
  waitingTasks: number;
  closed: boolean;
}

/** Calls take turns, one batch each: a large one does not hold up a small one. */
function feed(pool: Pool): void {
  while (pool.idle.length > 0 && pool.calls.length > 0) {
    const call = pool.calls.shift() as Call;
    const indexes = nextBatch(call, pool.threads);
    pool.waitingTasks -= indexes.length;
    if (call.waiting.length > 0) pool.calls.push(call);
    const thread = pool.idle.pop() as RenderThread;
    void runBatch(pool, thread, call, indexes).then(() => {
      pool.idle.push(thread);
      feed(pool);
    });
  }
}

function nextBatch(call: Call, threads: number): number[] {
  const first = call.waiting[0] as number;
  if (call.suspects.has(first)) return call.waiting.splice(0, 1);
  const size = Math.min(BATCH_SIZE, Math.ceil(call.tasks.length / threads));
  let data = 0;
  const end = call.waiting.slice(0, size).findIndex((index, place) => {
    data += call.tasks[index]?.dataJson.length ?? 0;
    return call.suspects.has(index) || (place > 0 && data > BATCH_DATA);
  });
  return call.waiting.splice(0, end < 0 ? size : end);
}

async function runBatch(pool: Pool, thread: RenderThread, call: Call, indexes: number[]): Promise<void> {
  try {
    const tasks = indexes.map((index) => call.tasks[index] as PrepareTask);
    const templates = Object.fromEntries(
      tasks.map(({ template }) => [template, call.templates[template] as TemplateParts]),
    );
    const end = await thread.run({ templates, tasks });
    const again = indexes.filter((index, place) => {
      const result = end.results[place];
      if (result !== undefined) return finish(call, index, result);
      if (end.kind === 'finished' || place !== end.index) return true;
      if (end.kind === 'died' && !call.suspects.has(index) && indexes.length > 1) return call.suspects.add(index);
      return finish(call, index, { kind: 'template_timeout', endedThread: true });
    });
    if (again.length > 0 && !pool.closed) requeue(pool, call, again);
  } catch (error) {
    drop(pool, call, error);
  }
}

function requeue(pool: Pool, call: Call, indexes: number[]): void {
  if (call.unfinished < 0) return;
  if (call.waiting.length === 0) pool.calls.unshift(call);
  call.waiting.unshift(...indexes);
  pool.waitingTasks += indexes.length;
}

/** Always false, so that a filter reads as "what must run again". */
function finish(call: Call, index: number, result: PrepareResult): false {
  call.results[index] = result;
  call.unfinished -= 1;
  if (call.unfinished === 0) call.resolve(call.results as PrepareResult[]);
  return false;
}

function drop(pool: Pool, call: Call, error: unknown): void {
  const place = pool.calls.indexOf(call);
  if (place >= 0) pool.calls.splice(place, 1);
  pool.waitingTasks -= call.waiting.length;
  call.waiting = [];
  call.unfinished = -1;
  call.reject(error);
}

function enqueue(pool: Pool, templates: Record<string, TemplateParts>, tasks: PrepareTask[]): Promise<PrepareResult[]> {
  return new Promise((resolve, reject) => {
    const call: Call = {
      templates,
      tasks,
      resolve,
      reject,
      unfinished: tasks.length,
      suspects: new Set(),
      results: new Array(tasks.length).fill(undefined),
      waiting: [],
    };
    for (const [index, { dataJson }] of tasks.entries()) {
      if (dataJson.length <= LONGEST_DATA) call.waiting.push(index);
      else finish(call, index, { kind: 'template_error', part: 'text', message: 'data_too_large' });
    }
    pool.waitingTasks += call.waiting.length;
    if (call.waiting.length > 0) pool.calls.push(call);
    feed(pool);
  });
}

/** A pool of rendering threads. They are started when needed, and end with `close()`. */
export function createRenderer(settings: RendererSettings = {}): Renderer {
  const { threads = 2, timeoutMs = 2000, memoryMb = 128, maxWaitingTasks = 100_000 } = settings;
  const script = new URL('./render.worker.ts', import.meta.url);
  const all = Array.from({ length: threads }, () =>
    createTaskThread<RenderBatch, PrepareResult>(script, { timeoutMs, memoryMb }),
  );
  const pool: Pool = { threads, idle: [...all], calls: [], waitingTasks: 0, closed: false };
  return {
    async prepare(templates, tasks) {
      if (pool.closed) throw new Error('the renderer is closed');
      if (tasks.length === 0) return [];
      const unknown = tasks.find(({ template }) => !Object.hasOwn(templates, template));
      if (unknown !== undefined) throw new Error(`no template "${unknown.template}" was given`);
      if (pool.waitingTasks + tasks.length > maxWaitingTasks) {
        throw new RendererOverloadedError('too many messages are waiting to be rendered');
      }
      return enqueue(pool, templates, tasks);
    },
    async close() {
      pool.closed = true;
      const error = new Error('the renderer is closed');
      for (const call of [...pool.calls]) drop(pool, call, error);
      await Promise.all(all.map((thread) => thread.close()));
    },
  };
}
