import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Db } from '../db/client.ts';
import { loadContents } from '../documents/store.ts';
import { type ContentCache, compositionOf, partsKey, prepareTask, type Redirect } from '../messages/content.ts';
import type { PrepareResult, Renderer, TemplateParts } from '../templates/renderer.ts';
import { type Delivered, type ReadyMessage, type Verdict, withoutCopies } from './deliver.ts';
import type { OpenMessage } from './open-window.ts';

/** What preparing needs. */
export interface PrepareDeps {
  db: Db;
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

/**
 * Renders and composes the messages of a window, in the renderer's threads, in one call. What was approved is
 * computed again and held against the hash that was kept.
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
  const templates: Record<string, TemplateParts> = {};
  const hashes = new Set(opened.flatMap(({ row }) => row.documents.map(({ sha256 }) => sha256)));
  const contents = await loadContents(deps.db, first.row.tenantId, [...hashes]);
  const senders = await Promise.all(opened.map(({ row }) => deps.content.sender(row)));
  const tasks = [];
  for (const [index, { row }] of opened.entries()) {
    const sender = senders[index];
    if (sender === undefined) throw new Error(`the message ${row.id} has no sender`);
    templates[partsKey(row)] = await deps.content.parts(row);
    tasks.push(prepareTask(row, sender, compositionOf(row, sender, { date: now, redirect, contents })));
  }
  const results = await deps.renderer.prepare(templates, tasks);
  const ready: ReadyMessage[] = [];
  const stopped: Delivered[] = [];
  for (const [index, open] of opened.entries()) {
    const result = results[index];
    const verdict = verdictOf(open, result);
    if (verdict !== null) stopped.push(withoutCopies(open, verdict, now));
    else if (result?.kind === 'prepared' && result.raw !== null) {
      const contentHash = result.contentHash === open.row.contentHash ? null : result.contentHash;
      ready.push({ open, raw: result.raw, from: senders[index]?.fromAddress ?? '', contentHash });
    }
  }
  return { ready, stopped };
}
