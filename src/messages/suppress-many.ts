import { and, asc, eq, gt, inArray, sql } from 'drizzle-orm';
import type { Tx } from '../db/client.ts';
import { insertOrLock } from '../db/rows.ts';
import { messages } from '../db/tables/messages.ts';
import { suppressions } from '../db/tables/permissions.ts';
import { recordEvents } from '../events/store.ts';
import type { ReadSuppression } from '../suppressions/import-row.ts';
import type { Actor } from '../tenants/rights.ts';
import { blockMessages } from './act.ts';
import { factsOfSuppression } from './rule-facts.ts';
import { lockWaiting, type MessageState } from './store.ts';
import type { MoveDeps } from './to-valid.ts';

const messagesPerStep = 1_000;

type MadeSuppression = ReadSuppression & { id: string };

interface Target {
  tenantId: string;
  actor: Actor;
  /** The addresses are kept as their hashes only: whose they are is not in a record any more. Default: false. */
  hashOnly?: boolean;
}

/** What waits for an address, counted. */
type Stopped = Map<string, { blocked: number; beingSent: number }>;

/** Makes those that are not there yet, one after another in the order of their hashes. */
async function makeAbsent(
  deps: MoveDeps,
  tx: Tx,
  { tenantId, hashOnly = false }: Target,
  given: readonly ReadSuppression[],
): Promise<MadeSuppression[]> {
  const now = deps.clock.now();
  const byHash = new Map<string, MadeSuppression>();
  for (const [channel, list] of Map.groupBy(given, (one) => one.channel)) {
    const addresses = list.map(({ address }) => address);
    const hashes = await deps.addressHashes.of(tx, tenantId, channel, addresses);
    if (hashes === null) throw new Error(`the tenant ${tenantId} has no key for its address hashes`);
    // The first row of an address holds, as the first of two requests does.
    for (const [place, one] of list.entries()) {
      const hash = hashes[place] ?? '';
      if (!byHash.has(hash)) byHash.set(hash, { ...one, id: deps.newId() });
    }
  }
  const sorted = [...byHash].sort(([left], [right]) => (left < right ? -1 : 1));
  const rows = sorted.map(([addressHash, one]) => ({
    tenantId,
    ...one,
    address: hashOnly ? null : one.address,
    addressHash,
    createdAt: now,
    updatedAt: now,
    revision: 1,
  }));
  const { tenantId: tenant, channel, addressHash } = suppressions;
  const made = await insertOrLock(tx, suppressions, rows, [tenant, channel, addressHash]);
  return sorted.map(([, one]) => one).filter(({ id }) => made.has(id));
}

/** Blocks what waits for any of the addresses, locked in the order of the ids whatever their addresses. */
async function stopWaiting(
  deps: MoveDeps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  made: readonly MadeSuppression[],
): Promise<Stopped> {
  const stopped: Stopped = new Map(made.map(({ address }) => [address, { blocked: 0, beingSent: 0 }]));
  const factsOf = new Map(made.map((one) => [one.address, factsOfSuppression(one)]));
  const addresses = JSON.stringify([...stopped.keys()]);
  const viewer = { tenantId, testOnly: false };
  for (let after: string | null = null; ; ) {
    const found: { id: string }[] = await tx
      .select({ id: messages.id })
      .from(messages)
      .where(
        and(
          eq(messages.tenantId, tenantId),
          eq(messages.channel, 'mail'),
          inArray(messages.status, ['E', 'V']),
          sql`${messages.toNormalized} in (select json_array_elements_text(${addresses}::json))`,
          after === null ? undefined : gt(messages.id, after),
        ),
      )
      .orderBy(asc(messages.id))
      .limit(messagesPerStep);
    const ids = found.map(({ id }) => id);
    const { stoppable, beingSent } = await lockWaiting(tx, viewer, ids);
    for (const [address, list] of Map.groupBy(stoppable, ({ toNormalized }) => toNormalized)) {
      const facts = factsOf.get(address ?? '') ?? null;
      await blockMessages(deps, tx, actor, list, { reason: 'suppressed', facts, remark: null });
    }
    const count = (rows: readonly MessageState[], as: 'blocked' | 'beingSent') => {
      for (const { toNormalized } of rows) {
        const counts = stopped.get(toNormalized ?? '');
        if (counts !== undefined) counts[as] += 1;
      }
    };
    count(stoppable, 'blocked');
    count(beingSent, 'beingSent');
    after = ids.at(-1) ?? null;
    if (ids.length < messagesPerStep) return stopped;
  }
}

/**
 * Suppresses many addresses as `suppressAddress` does one, and stops what waits for them. An address that is suppressed
 * already stays as it is. The tenant must have its key for address hashes.
 */
export async function suppressAddresses(
  deps: MoveDeps,
  tx: Tx,
  target: Target,
  given: readonly ReadSuppression[],
): Promise<{ created: number; unchanged: number }> {
  if (given.length === 0) return { created: 0, unchanged: 0 };
  const { tenantId, actor } = target;
  const made = await makeAbsent(deps, tx, target, given);
  if (made.length > 0) {
    const stopped = await stopWaiting(deps, tx, tenantId, actor, made);
    await recordEvents(
      deps,
      tx,
      made.map(({ id, channel, cause, address }) => ({
        tenantId,
        type: 'suppression.created' as const,
        test: false,
        resourceId: id,
        data: { channel, cause, ...stopped.get(address) },
      })),
    );
  }
  return { created: made.length, unchanged: given.length - made.length };
}
