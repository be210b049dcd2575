import { and, asc, desc, eq, gt, inArray, lt, sql } from 'drizzle-orm';
import type { Db, Tx } from '../db/client.ts';
import { idList } from '../db/rows.ts';
import { attempts, messages, transitions } from '../db/tables/messages.ts';
import { notFound } from '../errors.ts';
import type { MessageRow } from './content.ts';
import { filterConditions, type MessageFilter, type Viewer } from './filter.ts';

const visible = (viewer: Viewer) =>
  and(eq(messages.tenantId, viewer.tenantId), viewer.testOnly ? eq(messages.test, true) : undefined);

/** @throws AppError `not_found`. `lock` keeps others from moving it until the transaction ends. */
export async function getMessage(
  db: Db | Tx,
  viewer: Viewer,
  id: string,
  options: { lock?: boolean } = {},
): Promise<MessageRow> {
  const query = db
    .select()
    .from(messages)
    .where(and(visible(viewer), eq(messages.id, id)));
  const [row] = await (options.lock ? query.for('update') : query);
  if (row === undefined) throw notFound();
  return row;
}

/** Messages that match, newest first, from before `before`. */
export function searchMessages(
  db: Db | Tx,
  viewer: Viewer,
  filter: MessageFilter,
  page: { limit: number; before: string | null },
): Promise<MessageRow[]> {
  return db
    .select()
    .from(messages)
    .where(and(filterConditions(viewer, filter), page.before === null ? undefined : lt(messages.id, page.before)))
    .orderBy(desc(messages.id))
    .limit(page.limit);
}

/** Ids of messages that match and are in one of `sources`, oldest first, after `after`. */
export async function matchingIds(
  db: Db | Tx,
  viewer: Viewer,
  filter: MessageFilter,
  options: { sources?: readonly MessageRow['status'][]; after: string | null; limit: number },
): Promise<string[]> {
  const rows = await db
    .select({ id: messages.id })
    .from(messages)
    .where(
      and(
        filterConditions(viewer, filter),
        options.sources === undefined ? undefined : inArray(messages.status, [...options.sources]),
        options.after === null ? undefined : gt(messages.id, options.after),
      ),
    )
    .orderBy(asc(messages.id))
    .limit(options.limit);
  return rows.map(({ id }) => id);
}

/** How many messages match. */
export async function countMatching(db: Db | Tx, viewer: Viewer, filter: MessageFilter): Promise<number> {
  return db.$count(messages, filterConditions(viewer, filter));
}

/** What an action decides by. Not all of the row: actions read thousands of them at once. */
const stateColumns = {
  tenantId: messages.tenantId,
  id: messages.id,
  sendRequestId: messages.sendRequestId,
  test: messages.test,
  channel: messages.channel,
  status: messages.status,
  dispatchState: messages.dispatchState,
  reason: messages.reason,
  notificationTypeId: messages.notificationTypeId,
  consentLevel: messages.consentLevel,
  recipientId: messages.recipientId,
  toAddress: messages.toAddress,
  toNormalized: messages.toNormalized,
  copies: messages.copies,
  contentHash: messages.contentHash,
  priority: messages.priority,
  sendAt: messages.sendAt,
  notAfter: messages.notAfter,
  erasedAt: messages.erasedAt,
  updatedAt: messages.updatedAt,
};

/** A message as actions see it. */
export type MessageState = Pick<MessageRow, keyof typeof stateColumns>;

/** Messages of these ids that the viewer sees, locked in the order of their ids so that no two actions deadlock. */
export function lockMessages(tx: Tx, viewer: Viewer, ids: readonly string[]): Promise<MessageState[]> {
  return tx
    .select(stateColumns)
    .from(messages)
    .where(and(visible(viewer), sql`${messages.id} = any(${idList(ids)})`))
    .orderBy(asc(messages.id))
    .for('update');
}

/** Of messages of these ids those that wait (`E`, `V`), locked: those that can be stopped, and those being sent. */
export async function lockWaiting(
  tx: Tx,
  viewer: Viewer,
  ids: readonly string[],
): Promise<{ stoppable: MessageState[]; beingSent: MessageState[] }> {
  if (ids.length === 0) return { stoppable: [], beingSent: [] };
  const rows = (await lockMessages(tx, viewer, ids)).filter(({ status }) => status === 'E' || status === 'V');
  const isSending = ({ dispatchState }: MessageState) => dispatchState === 'sending';
  return { stoppable: rows.filter((row) => !isSending(row)), beingSent: rows.filter(isSending) };
}

/** Whether a message is erased, or will be: what was stopped for it waits for the erasure to come to it. */
export const isErased = ({ erasedAt, status, reason }: Pick<MessageRow, 'erasedAt' | 'status' | 'reason'>): boolean =>
  erasedAt !== null || (status === 'B' && reason === 'erased');

export type TransitionRow = typeof transitions.$inferSelect;

/** The move that brought a message to its status, and its last try; null where there is none. */
export async function readLastSteps(
  db: Db,
  tenantId: string,
  messageId: string,
): Promise<{ lastMove: TransitionRow | null; lastAttempt: AttemptRow | null }> {
  const [lastMove = null] = await db
    .select()
    .from(transitions)
    .where(and(eq(transitions.tenantId, tenantId), eq(transitions.messageId, messageId)))
    .orderBy(desc(transitions.id))
    .limit(1);
  const [lastAttempt = null] = await db
    .select()
    .from(attempts)
    .where(and(eq(attempts.tenantId, tenantId), eq(attempts.messageId, messageId)))
    .orderBy(desc(attempts.id))
    .limit(1);
  return { lastMove, lastAttempt };
}

/** Moves of a message, oldest first. */
export function listTransitions(
  db: Db,
  tenantId: string,
  messageId: string,
  page: { limit: number; before: string | null },
): Promise<TransitionRow[]> {
  return db
    .select()
    .from(transitions)
    .where(
      and(
        eq(transitions.tenantId, tenantId),
        eq(transitions.messageId, messageId),
        page.before === null ? undefined : gt(transitions.id, page.before),
      ),
    )
    .orderBy(asc(transitions.id))
    .limit(page.limit);
}

export type AttemptRow = typeof attempts.$inferSelect;

/** Tries of a message, oldest first. */
export function listAttempts(
  db: Db,
  tenantId: string,
  messageId: string,
  page: { limit: number; before: string | null },
): Promise<AttemptRow[]> {
  return db
    .select()
    .from(attempts)
    .where(
      and(
        eq(attempts.tenantId, tenantId),
        eq(attempts.messageId, messageId),
        page.before === null ? undefined : gt(attempts.id, page.before),
      ),
    )
    .orderBy(asc(attempts.id))
    .limit(page.limit);
}
