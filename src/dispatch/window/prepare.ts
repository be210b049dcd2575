import { assembleMail } from '../../channels/mail/assembly.ts';
import type { Config } from '../../config.ts';
import { databaseError, isUnavailable } from '../../db/client.ts';
import {
  type ContentCache,
  carriedFiles,
  compositionOf,
  type MessageRow,
  prepareTask,
  type Redirect,
} from '../../messages/content.ts';
import { type IncidentDeps, reportEndedThreads } from '../../templates/incidents.ts';
import type { PrepareResult, PrepareTask, Renderer, TemplateParts } from '../../templates/rendering/renderer.ts';

/** What preparing needs. */
export interface PrepareDeps extends IncidentDeps {
  renderer: Renderer;
  content: ContentCache;
  config: Pick<Config, 'deployment' | 'safeRecipientEmail'>;
}

/** A message as it would leave: composed, or why it cannot be sent as it is. */
export type Prepared =
  | { kind: 'ready'; raw: Uint8Array[]; from: string /** Null: that of the message. */; contentHash: string | null }
  | { kind: 'unsendable'; reason: string };

const unsendable = (reason: string): Prepared => ({ kind: 'unsendable', reason });

interface Task {
  from: string;
  parts: TemplateParts;
  task: PrepareTask;
}

/** The renderer's task of one message; null when what it pins is gone, which is that message's own trouble. */
async function taskOf(
  deps: PrepareDeps,
  row: MessageRow,
  carriage: { date: Date; redirect: Redirect | null },
): Promise<Task | null> {
  try {
    const sender = await deps.content.sender(row);
    const texts = await deps.content.texts(row);
    const task = prepareTask(row, sender, texts, compositionOf(row, sender, texts, carriage));
    return { from: sender.fromAddress, parts: texts.parts, task };
  } catch (error) {
    // Whatever the database's own trouble is, it says nothing of the message.
    if (isUnavailable(error) || databaseError(error) !== null) throw error;
    return null;
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
  const hashes = made.flatMap((one) => (one === null ? [] : carriedFiles(one.task.composition)));
  const attachments = await deps.content.attachments(first.tenantId, hashes);
  const templates = Object.fromEntries(
    made.flatMap((one) => (one === null ? [] : [[one.task.template, one.parts] as const])),
  );
  const results = await deps.renderer.prepare(
    templates,
    made.flatMap((one) => (one === null ? [] : [one.task])),
  );
  const rendered = rows.filter((_, place) => made[place] != null);
  await reportEndedThreads(deps, first.tenantId, rendered, results);
  const answers = results.values();
  return rows.map((row, place) => {
    const one = made[place];
    return one == null ? unsendable('content_gone') : preparedOf(row, one.from, answers.next().value, attachments);
  });
}
