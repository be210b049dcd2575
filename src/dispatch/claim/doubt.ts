import { and, isNull, sql } from 'drizzle-orm';
import type { AccountRow } from '../../accounts/store.ts';
import type { Tx } from '../../db/client.ts';
import { at, keyList, mustReachAll } from '../../db/rows.ts';
import { attempts } from '../../db/tables/messages.ts';
import { recordEvents } from '../../events/store.ts';
import type { MessageRow } from '../../messages/content.ts';
import { recordMoves } from '../../messages/record-moves.ts';
import { serviceActor } from '../../tenants/rights.ts';
import type { ClaimDeps } from './claimed.ts';

/** A message that was claimed, and that another worker may have begun to send. */
export type Doubtful = Pick<
  MessageRow,
  'tenantId' | 'id' | 'sendRequestId' | 'test' | 'status' | 'channel' | 'attemptCount' | 'copies'
> & {
  account: Pick<AccountRow, 'id' | 'driver' | 'onUncertain'>;
};

type MessageKey = Pick<MessageRow, 'tenantId' | 'id'>;

/** Under `resend` a message is sent in doubt this often in all; then a person must tell what became of it. */
export const uncertainTries = 3;

/** Attempts with no outcome are of a worker that died: whether the provider has the message is not known. */
async function closeOpenAttempts(deps: ClaimDeps, tx: Tx, rows: readonly MessageKey[]): Promise<Set<string>> {
  const closed = await tx
    .update(attempts)
    .set({ finishedAt: deps.clock.now(), outcome: 'uncertain', reason: 'outcome_unknown' })
    .where(and(sql`(${attempts.tenantId}, ${attempts.messageId}) in ${keyList(rows)}`, isNull(attempts.finishedAt)))
    .returning({ messageId: attempts.messageId });
  return new Set(closed.map(({ messageId }) => messageId));
}

/** Under `hold` a doubtful message becomes `KO` `outcome_unknown`: never a silent second copy. */
async function holdDoubtful(deps: ClaimDeps, tx: Tx, rows: readonly Doubtful[]): Promise<void> {
  if (rows.length === 0) return;
  const changes = rows.map((row) => ({
    tenant_id: row.tenantId,
    id: row.id,
    // Copies of a message that is already OK are doubtful by themselves: the message stays OK.
    status: row.status === 'V' ? 'KO' : row.status,
    reason: row.status === 'V' ? 'outcome_unknown' : null,
    delivery: row.status === 'V' ? 'uncertain' : 'sent',
    copies: row.copies.map((copy) => (copy.outcome === 'pending' ? { ...copy, outcome: 'uncertain' } : copy)),
  }));
  const changed = await tx.execute(sql`
    update messages set status = held.status, reason = held.reason, delivery = held.delivery, copies = held.copies,
      dispatch_state = 'idle', job_id = null, revision = revision + 1, updated_at = ${at(deps.clock.now())}
    from json_to_recordset(${JSON.stringify(changes)}::json)
      as held(tenant_id uuid, id uuid, status text, reason text, delivery text, copies jsonb)
    where messages.tenant_id = held.tenant_id and messages.id = held.id`);
  mustReachAll(changed.count, rows, 'held');
  const moved = rows.filter(({ status }) => status === 'V');
  await recordMoves(
    deps,
    tx,
    serviceActor,
    moved.map((row) => ({ ...row, messageId: row.id, from: 'V', to: 'KO', reason: 'outcome_unknown' })),
  );
}

/** Of these messages, those that have been in doubt too often since they were validated to be sent once more. */
export async function tooOftenInDoubt(tx: Tx, rows: readonly MessageKey[]): Promise<Set<string>> {
  if (rows.length === 0) return new Set();
  const often = await tx.execute<{ id: string }>(sql`
    select messages.id from messages
    join attempts on attempts.tenant_id = messages.tenant_id and attempts.message_id = messages.id
    where (messages.tenant_id, messages.id) in ${keyList(rows)}
      and attempts.outcome = 'uncertain' and attempts.started_at >= messages.first_tried_at
    group by messages.tenant_id, messages.id having count(*) >= ${uncertainTries}`);
  return new Set([...often].map(({ id }) => id));
}

/**
 * Settles what a dead worker left open, by the account's own policy: `resend` sends again with the same Message-ID
 * (at least once, three times in doubt at most), `hold` waits for a person (at most once).
 * @returns those that were in doubt, and the ids of those that are held.
 */
export async function recoverDoubtful(
  deps: ClaimDeps,
  tx: Tx,
  rows: readonly Doubtful[],
): Promise<{ doubtful: Doubtful[]; held: Set<string> }> {
  const none = { doubtful: [], held: new Set<string>() };
  if (rows.length === 0) return none;
  const open = await closeOpenAttempts(deps, tx, rows);
  const doubtful = rows.filter(({ id }) => open.has(id));
  if (doubtful.length === 0) return none;
  await recordEvents(
    deps,
    tx,
    doubtful.map((row) => ({
      tenantId: row.tenantId,
      type: 'message.uncertain' as const,
      test: row.test,
      resourceId: row.id,
      data: { sendRequest: row.sendRequestId, policy: row.account.onUncertain },
    })),
  );
  const often = await tooOftenInDoubt(tx, doubtful);
  const held = doubtful.filter(({ account, id }) => account.onUncertain === 'hold' || often.has(id));
  await holdDoubtful(deps, tx, held);
  const heldIds = new Set(held.map(({ id }) => id));
  const again = doubtful.filter(({ id }) => !heldIds.has(id));
  await tx.execute(sql`
    update messages set dispatch_state = 'queued', updated_at = ${at(deps.clock.now())}
    where (tenant_id, id) in ${keyList(again)} and dispatch_state = 'sending'`);
  return { doubtful, held: heldIds };
}
