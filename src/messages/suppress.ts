import type { Tx } from '../db/client.ts';
import { recordEvents } from '../events/store.ts';
import { createSuppression, type GivenSuppression, type SuppressionRow } from '../suppressions/store.ts';
import type { Actor } from '../tenants/rights.ts';
import { type Blocked, blockMatching } from './block-matching.ts';
import type { MoveDeps } from './to-valid.ts';

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
  const { id, channel, cause, since } = row;
  const facts = { rule: 'suppression' as const, suppressionId: id, cause, since: since.toISOString() };
  const filter = { channel, address: given.address };
  const stopped = await blockMatching(deps, tx, { tenantId, testOnly: false }, actor, filter, {
    reason: 'suppressed',
    facts,
  });
  const event = { tenantId, type: 'suppression.created' as const, test: false, resourceId: id };
  const counts = { blocked: stopped.blocked, beingSent: stopped.beingSent.length };
  await recordEvents(deps, tx, [{ ...event, data: { channel, cause, ...counts } }]);
  return { ...stopped, row };
}
