/**
 * The rendering thread. It has no environment, no file system in its templates, and a memory cap; what
 * it cannot survive kills it alone, and `task-thread.ts` starts another.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { createBoundedCache } from '../../bounded-cache.ts';
import { composeMail } from '../../channels/mail/composition.ts';
import { contentHash } from './content-hash.ts';
import type { TemplateParts } from './liquid.ts';
import { parseParts, renderParts } from './render-parts.ts';
import type { PrepareResult, PrepareTask } from './renderer.ts';
import type { TaskReport, TaskThreadData } from './task-thread.ts';
import { placeUnsubscribeLink, withoutLink } from './unsubscribe-place.ts';

/** One batch. Tasks name their templates by key. */
export interface RenderBatch {
  templates: Record<string, TemplateParts>;
  tasks: PrepareTask[];
}

type RenderReport = TaskReport<PrepareResult>;

/** Characters of source whose parsed templates are kept: some are a hundred times longer than others. */
const CACHED_SOURCE = 4_000_000;
/** A piece is sent when it holds about this many bytes, so that results do not pile up under the memory cap. */
const PIECE_BYTES = 2_000_000;

const { progress, partLimitMs } = workerData as TaskThreadData;
const parsedTemplates = createBoundedCache<ReturnType<typeof parseParts>>(CACHED_SOURCE);

function parsedTemplate(key: string, templates: Record<string, TemplateParts>): ReturnType<typeof parseParts> {
  const known = parsedTemplates.get(key);
  if (known !== undefined) return known;
  const parts = templates[key];
  if (parts === undefined) throw new Error(`no template "${key}" in the batch`);
  const parsed = parseParts(parts);
  parsedTemplates.set(key, parsed, parts.subject.length + parts.text.length + parts.html.length);
  return parsed;
}

function dataOf(json: string): object | null {
  try {
    const data: unknown = JSON.parse(json);
    return typeof data === 'object' && data !== null && !Array.isArray(data) ? data : null;
  } catch {
    return null;
  }
}

function prepare(task: PrepareTask, templates: Record<string, TemplateParts>): PrepareResult {
  const data = dataOf(task.dataJson);
  const at = new Date(task.clockAt);
  if (data === null || Number.isNaN(at.getTime())) {
    return { kind: 'template_error', part: 'subject', message: data === null ? 'invalid_data' : 'invalid_clock' };
  }
  const clock = { at, timezone: task.timezone, locale: task.locale };
  const link = task.unsubscribeUrl;
  const given = { data, sender: task.sender ?? null, linked: link !== undefined };
  const rendered = renderParts(parsedTemplate(task.template, templates), given, clock, task.overrides, partLimitMs);
  if (rendered.kind === 'template_timeout') return { ...rendered, endedThread: false };
  if (rendered.kind !== 'rendered') return rendered;
  const placed = link === undefined ? rendered : placeUnsubscribeLink(rendered.parts, link);
  if (placed.kind === 'template_error') return placed;
  const { parts } = placed;
  if (task.mail === null) return { kind: 'prepared', ...parts, contentHash: null, mail: null };
  const content = { ...task.mail, ...parts };
  const approved = link === undefined ? content : { ...task.mail, ...withoutLink(rendered.parts) };
  try {
    const mail = task.composition === null ? null : composeMail(content, task.composition);
    // A fresh copy: small Buffers share one pool, which could not be handed over to another thread.
    const own = mail === null ? null : { ...mail, bytes: new Uint8Array(mail.bytes) };
    return { kind: 'prepared', ...parts, contentHash: contentHash(approved), mail: own };
  } catch (error) {
    return { kind: 'template_error', part: 'subject', message: `composition_refused: ${(error as Error).message}` };
  }
}

/** What no code expected (a stack that ran out on deep data, say) is still the fault of one task only. */
function prepareAlone(task: PrepareTask, templates: Record<string, TemplateParts>): PrepareResult {
  try {
    return prepare(task, templates);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'template_error', part: 'subject', message };
  }
}

function sizeOf(result: PrepareResult): number {
  return result.kind === 'prepared'
    ? 2 * (result.text.length + result.html.length) + (result.mail?.bytes.length ?? 0)
    : 100;
}

function send(port: NonNullable<typeof parentPort>, report: RenderReport): void {
  const handedOver = report.results.flatMap((result) =>
    result.kind === 'prepared' && result.mail?.bytes.buffer instanceof ArrayBuffer ? [result.mail.bytes.buffer] : [],
  );
  port.postMessage(report, handedOver);
}

function work(port: NonNullable<typeof parentPort>, { templates, tasks }: RenderBatch): void {
  let report: RenderReport = { from: 0, results: [] };
  let bytes = 0;
  for (const [index, task] of tasks.entries()) {
    Atomics.store(progress, 0, index);
    const result = prepareAlone(task, templates);
    report.results.push(result);
    bytes += sizeOf(result);
    if (bytes < PIECE_BYTES && index < tasks.length - 1) continue;
    send(port, report);
    report = { from: index + 1, results: [] };
    bytes = 0;
  }
}

const port = parentPort;
if (port === null) throw new Error('render.worker.ts is a thread');
// An error here is a bug of ours; it ends the thread and reaches the caller with its cause.
port.on('message', (batch: RenderBatch) => work(port, batch));
