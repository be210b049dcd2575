import { and, eq, sql } from 'drizzle-orm';
import { defaultAccount } from '../accounts/store.ts';
import type { Tx } from '../db/client.ts';
import { messages, type StoredCopy } from '../db/tables/messages.ts';
import { AppError } from '../errors.ts';
import type { Actor } from '../tenants/rights.ts';
import { openLanes } from './enqueue.ts';
import type { Viewer } from './filter.ts';
import { recordMoves } from './record-moves.ts';
import { getMessage } from './store.ts';
import type { MoveDeps } from './to-valid.ts';

/** Copies that waited for the `to` to be accepted: not those that a rule left out. */
const withCopiesDue = (copies: readonly StoredCopy[]): StoredCopy[] =>
  copies.map((copy) =>
    copy.outcome === 'skipped' && copy.reason === null ? { ...copy, outcome: 'pending' as const } : copy,
  );

/**
 * A person tells what became of a message whose outcome was unknown: `sent` makes it `OK`, and its copies,
 * which waited for it, leave; `notSent` keeps it `KO` with the reason `not_sent`, from where it can be sent again.
 * @throws AppError `not_found`, `erased`, `illegal_move` unless it is `KO` `outcome_unknown`.
 */
export async function resolveMessage(
  deps: MoveDeps,
  tx: Tx,
  viewer: Viewer,
  actor: Actor,
  id: string,
  resolution: { outcome: 'sent' | 'notSent'; remark: string | null },
): Promise<void> {
  const row = await getMessage(tx, viewer, id, { lock: true });
  if (row.erasedAt !== null) throw new AppError('erased', { extra: { currentStatus: row.status } });
  if (row.status !== 'KO' || row.reason !== 'outcome_unknown') {
    throw new AppError('illegal_move', {
      detail: `Only a message in KO with the reason outcome_unknown can be resolved; this one is in ${row.status}.`,
      extra: { currentStatus: row.status, reason: row.reason },
    });
  }
  const sent = resolution.outcome === 'sent';
  const now = deps.clock.now();
  const account = sent ? await defaultAccount(tx, row.tenantId, row.channel, row.test, { hold: true }) : null;
  const copies = account === null ? row.copies : withCopiesDue(row.copies);
  const leaving = copies.some(({ outcome }) => outcome === 'pending') ? account : null;
  const moved = await tx
    .update(messages)
    .set({
      status: sent ? 'OK' : 'KO',
      delivery: sent ? 'sent' : 'none',
      reason: sent ? null : 'not_sent',
      reasonDetail: null,
      sentAt: sent ? now : null,
      copies,
      ...(leaving === null ? {} : { dispatchState: 'waiting' as const, channelAccountId: leaving.id, releaseAt: now }),
      revision: sql`${messages.revision} + 1`,
      updatedAt: now,
    })
    .where(and(eq(messages.tenantId, row.tenantId), eq(messages.id, id), eq(messages.status, 'KO')))
    .returning({ id: messages.id });
  if (moved.length !== 1) throw new Error(`the locked message ${id} was not resolved`);
  await recordMoves(deps, tx, actor, [
    {
      tenantId: row.tenantId,
      messageId: id,
      sendRequestId: row.sendRequestId,
      test: row.test,
      from: 'KO',
      to: sent ? 'OK' : 'KO',
      reason: sent ? null : 'not_sent',
      remark: resolution.remark,
    },
  ]);
  if (leaving !== null) await openLanes(tx, [{ ...row, channelAccountId: leaving.id, releaseAt: now }]);
}
