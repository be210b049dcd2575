import { assembleMail } from '../../channels/mail/assembly.ts';
import type { Config } from '../../config.ts';
import { databaseError, isUnavailable } from '../../db/client.ts';
import {
  type ContentCache,
  carriedFiles,
  compositionOf,
  linkOf,
  type MessageRow,
  prepareTask,
  type Redirect,
} from '../../messages/content.ts';
import type { UnsubscribeLinks } from '../../messages/unsubscribe/links.ts';
import { type IncidentDeps, reportEndedThreads } from '../../templates/incidents.ts';
import type { PrepareResult, PrepareTask, Renderer, TemplateParts } from '../../templates/rendering/renderer.ts';

/** What preparing needs. */
export interface PrepareDeps extends IncidentDeps {
  renderer: Renderer;
  content: ContentCache;
  links: UnsubscribeLinks;
  config: Pick<Config, 'deployment' | 'safeRecipientEmail'>;
}

/** A message as it would leave: composed, or why it cannot be sent as it is. */
export type Prepared =
  | { kind: 'ready'; raw: Uint8Array[]; from: string /** Null: that of the message. */; contentHash: string | null }
  | { kind: 'unsendable'; reason: string };

const unsendable = (reason: string) => ({ kind: 'unsendable' as const, reason });

interface Task {
  kind: 'task';
  from: string;
  parts: TemplateParts;
  task: PrepareTask;
}

type Unsendable = Extract<Prepared, { kind: 'unsendable' }>;

/** The renderer's task of one message, unless it lacks something: what it pins is gone, or the service has no link for it. */
async function taskOf(
  deps: PrepareDeps,
  row: MessageRow,
  carriage: { date: Date; redirect: Redirect | null },
): Promise<Task | Unsendable> {
  try {
    const sender = await deps.content.sender(row);
    const texts = await deps.content.texts(row);
    const link = linkOf(deps.links, row, texts, carriage.redirect);
    if (link.kind === 'missing') return unsendable('unsubscribe_link_missing');
    const task = prepareTask(row, sender, texts, link, compositionOf(row, sender, texts, { ...carriage, link }));
    return { kind: 'task', from: sender.fromAddress, parts: texts.parts, task };
  } catch (error) {
    // Whatever the database's own trouble is, it says nothing of the message.
    if (isUnavailable(error) || databaseError(error) !== null) throw error;
    return unsendable('content_gone');
  }
}

/** What was approved is what is sent: a different content stops a message that a person validated. */
function preparedOf(
  row: MessageRow,
  from: string,
  result: PrepareResult | undefined,
  attachments: Parameters<typeof assembleMail>[1],
): Prepared {
  if (result?.kind === 'template_error') return unsendable('template_error');
  if (result?.kind === 'field_missing') return unsendable('field_missing');
  if (result?.kind !== 'prepared') return unsendable('template_timeout');
  const changed = result.contentHash !== row.contentHash;
  if (changed && row.validatedByPerson) return unsendable('content_changed');
  const raw = result.mail === null ? null : assembleMail(result.mail, attachments);
  if (raw === null) return unsendable('content_gone');
  return { kind: 'ready', raw, from, contentHash: changed ? result.contentHash : null };
}

/**
 * Renders and composes messages of one tenant, in the renderer's threads, in one call. What was approved is computed
 * again and held against the hash that was kept. A message that cannot be prepared stops alone.
 * @returns what became of each, in order.
 */
export async function prepareMessages(
  deps: PrepareDeps,
  rows: readonly MessageRow[],
  redirect: Redirect | null,
): Promise<Prepared[]> {
  const [first] = rows;
  if (first === undefined) return [];
  const date = deps.clock.now();
  const made = await Promise.all(rows.map((row) => taskOf(deps, row, { date, redirect })));
  const tasks = made.filter((one) => one.kind === 'task');
  const hashes = tasks.flatMap(({ task }) => carriedFiles(task.composition));
  const attachments = await deps.content.attachments(first.tenantId, hashes);
  const templates = Object.fromEntries(tasks.map(({ task, parts }) => [task.template, parts] as const));
  const results = await deps.renderer.prepare(
    templates,
    tasks.map(({ task }) => task),
  );
  const rendered = rows.filter((_, place) => made[place]?.kind === 'task');
  await reportEndedThreads(deps, first.tenantId, rendered, results);
  const answers = results.values();
  return rows.map((row, place) => {
    const one = made[place];
    return one?.kind === 'task' ? preparedOf(row, one.from, answers.next().value, attachments) : (one as Unsendable);
  });
}
