import type { Tx } from '../db/client.ts';
import { recordEvents } from '../events/store.ts';
import {
  createSuppression,
  type GivenSuppression,
  insertSuppression,
  type SuppressionRow,
} from '../suppressions/store.ts';
import type { Actor } from '../tenants/rights.ts';
import { type Blocked, blockMatching } from './block-matching.ts';
import { factsOfSuppression } from './rule-facts.ts';
import type { MoveDeps } from './to-valid.ts';

async function tellSuppressed(deps: MoveDeps, tx: Tx, row: SuppressionRow, stopped: Blocked): Promise<void> {
  const { tenantId, id: resourceId, channel, cause } = row;
  const event = { tenantId, type: 'suppression.created' as const, test: false, resourceId };
  const counts = { blocked: stopped.blocked, beingSent: stopped.beingSent.length };
  await recordEvents(deps, tx, [{ ...event, data: { channel, cause, ...counts } }]);
}

/**
 * Suppresses an address and stops what waits for it: every message of the tenant, test messages too, in `E` or `V` that
 * is not being sent and whose `to` it is becomes `B` `suppressed`. One that is being sent, and one whose copy it is, is
 * looked at when it next leaves.
 * @throws AppError as `createSuppression`.
 */
export async function suppressAddress(
  deps: MoveDeps,
  tx: Tx,
  target: { tenantId: string; actor: Actor },
  given: GivenSuppression,
): Promise<Blocked & { row: SuppressionRow }> {
  const { tenantId, actor } = target;
  const row = await createSuppression(deps, tx, target, given);
  const filter = { channel: row.channel, address: given.address };
  const why = { reason: 'suppressed' as const, facts: factsOfSuppression(row) };
  const stopped = await blockMatching(deps, tx, { tenantId, testOnly: false }, actor, filter, why);
  await tellSuppressed(deps, tx, row, stopped);
  return { ...stopped, row };
}

/**
 * Suppresses an address that is known by its hash alone. What waits for it cannot be found without its address: it stops
 * when it is validated, or when it leaves.
 * @throws AppError as `insertSuppression`.
 */
export async function suppressForgotten(
  deps: MoveDeps,
  tx: Tx,
  target: { tenantId: string; actor: Actor },
  given: Omit<GivenSuppression, 'address'> & { addressHash: string },
): Promise<SuppressionRow> {
  const since = given.since ?? deps.clock.now();
  const row = await insertSuppression(deps, tx, target, { ...given, address: null, since });
  await tellSuppressed(deps, tx, row, { blocked: 0, beingSent: [] });
  return row;
}
