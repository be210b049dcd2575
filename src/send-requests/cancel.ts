import { and, eq, sql } from 'drizzle-orm';
import type { Tx } from '../db/client.ts';
import { sendRequests } from '../db/tables/messages.ts';
import { recordEvents } from '../events/store.ts';
import { blockMatching } from '../messages/block-matching.ts';
import type { MoveDeps } from '../messages/to-valid.ts';
import { actorOf, type Caller } from '../tenants/rights.ts';
import { deleteDraftBody, getSendRequest } from './store.ts';

/** What a cancellation did. */
export interface Cancellation {
  id: string;
  /** Messages that are now `B` `cancelled`. */
  blocked: number;
  /** Messages that were being sent and could not be stopped. */
  refused: { id: string; code: 'being_sent' }[];
}

/**
 * Cancels a request: a draft is forgotten; of an accepted one every message in `E` or `V` that is not being sent
 * becomes `B` `cancelled`. What has left stays as it is. Cancelling twice is not an error.
 * @throws AppError `not_found`.
 */
export async function cancelSendRequest(deps: MoveDeps, tx: Tx, caller: Caller, id: string): Promise<Cancellation> {
  const viewer = { tenantId: caller.tenantId, testOnly: caller.testOnly };
  const row = await getSendRequest(tx, viewer, id, { lock: true });
  const { blocked, beingSent } = await blockMatching(
    deps,
    tx,
    viewer,
    actorOf(caller),
    { sendRequest: id },
    { reason: 'cancelled', facts: null },
  );
  const refused = beingSent.map((busy) => ({ id: busy, code: 'being_sent' as const }));
  if (row.status === 'cancelled') return { id, blocked, refused };
  const now = deps.clock.now();
  await tx
    .update(sendRequests)
    .set({ status: 'cancelled', cancelledAt: now, updatedAt: now, revision: sql`${sendRequests.revision} + 1` })
    .where(and(eq(sendRequests.tenantId, row.tenantId), eq(sendRequests.id, id)));
  await deleteDraftBody(tx, row.tenantId, id);
  const event = { tenantId: row.tenantId, type: 'send-request.cancelled' as const, test: row.test, resourceId: id };
  await recordEvents(deps, tx, [{ ...event, data: { blocked, refused: refused.length } }]);
  return { id, blocked, refused };
}
