import { and, asc, eq, inArray, or, sql } from 'drizzle-orm';
import type { Tx } from '../db/client.ts';
import { idList } from '../db/rows.ts';
import { messages } from '../db/tables/messages.ts';
import type { BeforeLeaving, LeavingRecord } from '../recipients/leaving.ts';
import { findLastRefusals } from '../recipients/permissions/refused-addresses.ts';
import type { Actor } from '../tenants/rights.ts';
import { blockMessages } from './act.ts';
import { applyRules } from './rules.ts';
import { lockWaiting, type MessageState } from './store.ts';
import { suppressAddresses } from './suppress-many.ts';
import type { MoveDeps } from './to-valid.ts';

interface Target {
  tenantId: string;
  actor: Actor;
}

async function waitingFor(tx: Tx, tenantId: string, records: readonly LeavingRecord[]): Promise<MessageState[]> {
  const addresses = JSON.stringify(records.flatMap((record) => record.addresses));
  const found = await tx
    .select({ id: messages.id })
    .from(messages)
    .where(
      and(
        eq(messages.tenantId, tenantId),
        inArray(messages.status, ['E', 'V']),
        or(
          sql`${messages.recipientId} = any(${idList(records.map(({ id }) => id))})`,
          sql`${messages.toNormalized} in (select json_array_elements_text(${addresses}::json))`,
        ),
      ),
    )
    .orderBy(asc(messages.id));
  const ids = found.map((one) => one.id);
  return (await lockWaiting(tx, { tenantId, testOnly: false }, ids)).stoppable;
}

async function blockRefused(
  deps: MoveDeps,
  tx: Tx,
  { tenantId, actor }: Target,
  records: readonly LeavingRecord[],
): Promise<void> {
  const waiting = await waitingFor(tx, tenantId, records);
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

async function suppressRefused(
  deps: MoveDeps,
  tx: Tx,
  target: Target,
  records: readonly LeavingRecord[],
): Promise<void> {
  const leaving = new Map<string, Set<string>>();
  for (const { id, leaving: addresses } of records) {
    for (const address of addresses) leaving.set(address, (leaving.get(address) ?? new Set()).add(id));
  }
  const deleted = new Set(records.filter((record) => record.deleted).map(({ id }) => id));
  const refused = await findLastRefusals(tx, target.tenantId, leaving, deleted);
  const kept = {
    channel: 'mail',
    cause: 'manual',
    since: deps.clock.now(),
    note: 'refused in its last record',
  } as const;
  await suppressAddresses(
    deps,
    tx,
    // An erasure of the person would not find an address that had left their record.
    { ...target, hashOnly: true },
    refused.map((address) => ({ ...kept, address })),
  );
}

/**
 * Lets no refusal go with a record, or with an address that leaves it. What waits and is refused now is blocked, with the
 * rule that refuses it: when it leaves, nobody would know of it any more. An address that is refused, and that no other
 * record has, is suppressed by its hash: copies, what is being sent, what is validated later, and whoever is known by it again are held
 * to that. The tenant must have its key for address hashes.
 */
export function stopRefused(deps: MoveDeps): BeforeLeaving {
  return async (tx, target, records) => {
    if (records.length === 0) return;
    await blockRefused(deps, tx, target, records);
    await suppressRefused(deps, tx, target, records);
  };
}
