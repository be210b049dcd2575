import { assembleMail } from '../../channels/mail/assembly.ts';
import type { Clock } from '../../clock.ts';
import type { Config } from '../../config.ts';
import { isUnavailable } from '../../db/client.ts';
import { type ContentCache, compositionOf, partsKey, prepareTask, type Redirect } from '../../messages/content.ts';
import type { PrepareResult, PrepareTask, Renderer, TemplateParts } from '../../templates/renderer.ts';
import { type Delivered, type ReadyMessage, type Verdict, withoutCopies } from './deliver.ts';
import type { OpenMessage } from './open.ts';

/** What preparing needs. */
export interface PrepareDeps {
  clock: Clock;
  renderer: Renderer;
  content: ContentCache;
  config: Pick<Config, 'deployment' | 'safeRecipientEmail'>;
}

/** What was approved is what is sent: a different content stops a message that a person validated. */
function verdictOf(open: OpenMessage, result: PrepareResult | undefined): Verdict | null {
  if (result?.kind === 'template_error') return { kind: 'unsendable', reason: 'template_error' };
  if (result?.kind === 'field_missing') return { kind: 'unsendable', reason: 'field_missing' };
  if (result?.kind !== 'prepared') return { kind: 'unsendable', reason: 'template_timeout' };
  const changed = result.contentHash !== open.row.contentHash;
  return changed && open.row.validatedByPerson ? { kind: 'unsendable', reason: 'content_changed' } : null;
}

interface Task {
  open: OpenMessage;
  from: string;
  parts: TemplateParts;
  task: PrepareTask;
}

/** The renderer's task of one message; null when what it pins is gone, which is that message's own trouble. */
async function taskOf(
  deps: PrepareDeps,
  open: OpenMessage,
  carriage: { date: Date; redirect: Redirect | null },
): Promise<Task | null> {
  try {
    const sender = await deps.content.sender(open.row);
    const parts = await deps.content.parts(open.row);
    const task = prepareTask(open.row, sender, compositionOf(open.row, sender, carriage));
    return { open, from: sender.fromAddress, parts, task };
  } catch (error) {
    if (isUnavailable(error)) throw error;
    return null;
  }
}

/**
 * Renders and composes the messages of a window, in the renderer's threads, in one call. What was approved is
 * computed again and held against the hash that was kept. A message that cannot be prepared stops alone.
 * @returns those that are ready, and those that cannot be sent as they are.
 */
export async function prepareWindow(
  deps: PrepareDeps,
  opened: readonly OpenMessage[],
  redirect: Redirect | null,
): Promise<{ ready: ReadyMessage[]; stopped: Delivered[] }> {
  const [first] = opened;
  if (first === undefined) return { ready: [], stopped: [] };
  const now = deps.clock.now();
  const hashes = opened.flatMap(({ row }) => row.documents.map(({ sha256 }) => sha256));
  const attachments = await deps.content.attachments(first.row.tenantId, hashes);
  const made = await Promise.all(opened.map((open) => taskOf(deps, open, { date: now, redirect })));
  const tasks = made.filter((one) => one !== null);
  const templates = Object.fromEntries(tasks.map(({ open, parts }) => [partsKey(open.row), parts]));
  const results = await deps.renderer.prepare(
    templates,
    tasks.map(({ task }) => task),
  );
  const ready: ReadyMessage[] = [];
  const gone = opened.filter((_, index) => made[index] === null);
  const stopped = gone.map((open) => withoutCopies(open, { kind: 'unsendable', reason: 'content_gone' }, now));
  for (const [index, { open, from }] of tasks.entries()) {
    const result = results[index];
    const verdict = verdictOf(open, result);
    const mail = result?.kind === 'prepared' ? result.mail : null;
    const raw = mail === null ? null : assembleMail(mail, attachments);
    if (verdict !== null) stopped.push(withoutCopies(open, verdict, now));
    else if (result?.kind !== 'prepared' || raw === null) {
      stopped.push(withoutCopies(open, { kind: 'unsendable', reason: 'content_gone' }, now));
    } else {
      const contentHash = result.contentHash === open.row.contentHash ? null : result.contentHash;
      ready.push({ open, raw, from, contentHash });
    }
  }
  return { ready, stopped };
}
