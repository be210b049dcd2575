import { and, asc, eq, inArray, or, sql } from 'drizzle-orm';
import type { Tx } from '../db/client.ts';
import { messages } from '../db/tables/messages.ts';
import { lockRelations } from '../recipients/relations.ts';
import { lockRecipient, type RecipientWithAddresses, withAddresses } from '../recipients/store.ts';
import type { Actor } from '../tenants/rights.ts';
import { blockMessages } from './act.ts';
import { applyRules } from './rules.ts';
import { lockWaiting, type MessageState } from './store.ts';
import type { MoveDeps } from './to-valid.ts';

async function waitingFor(
  tx: Tx,
  tenantId: string,
  { id, addresses }: RecipientWithAddresses,
): Promise<MessageState[]> {
  const normalized = addresses.filter(({ kind }) => kind === 'mail').map((one) => one.normalized);
  const theirs = sql`${messages.toNormalized} in (select json_array_elements_text(${JSON.stringify(normalized)}::json))`;
  const found = await tx
    .select({ id: messages.id })
    .from(messages)
    .where(
      and(
        eq(messages.tenantId, tenantId),
        inArray(messages.status, ['E', 'V']),
        or(eq(messages.recipientId, id), theirs),
      ),
    )
    .orderBy(asc(messages.id));
  const ids = found.map((one) => one.id);
  return (await lockWaiting(tx, { tenantId, testOnly: false }, ids)).stoppable;
}

/**
 * Blocks what waits for somebody and is refused now, before their word is gone with their record, or with an address that
 * does not accept contact: when it leaves, nobody would know of it any more. What is being sent is left to its end.
 * @param to.related whether relations are changed in the same transaction.
 */
export async function stopRefused(
  deps: MoveDeps,
  tx: Tx,
  to: { tenantId: string; reference: string; actor: Actor; related: boolean },
): Promise<void> {
  const { tenantId, reference, actor } = to;
  // In the order in which changes of a recipient lock.
  if (to.related) await lockRelations(tx, tenantId);
  const row = await lockRecipient(tx, tenantId, reference, 'update');
  if (row === null) return;
  const [person] = await withAddresses(tx, tenantId, [row]);
  const waiting = person === undefined ? [] : await waitingFor(tx, tenantId, person);
  const subjects = waiting.map((one) => ({ ...one, normalized: one.toNormalized }));
  const verdicts = await applyRules(deps, tx, tenantId, subjects);
  const judged = waiting.map((one, place) => ({ one, reason: null, facts: null, ...verdicts[place] }));
  const alike = Map.groupBy(judged, ({ reason, facts }) => JSON.stringify([reason, facts]));
  for (const list of alike.values()) {
    const { reason = null, facts = null } = list[0] ?? {};
    const rows = list.map(({ one }) => one);
    if (reason !== null) await blockMessages(deps, tx, actor, rows, { reason, facts, remark: null });
  }
}
