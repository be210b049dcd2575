import { sql } from 'drizzle-orm';
import type { Db } from '../db/client.ts';
import { at } from '../db/rows.ts';
import { serviceActor } from '../tenants/rights.ts';
import type { MessageRow } from './content.ts';
import { recordMoves } from './record-moves.ts';
import type { MoveDeps } from './to-valid.ts';

/**
 * Messages whose `notAfter` has passed while they waited for a person (`E`) or for their turn (`V`) become `KO`
 * `expired`: never sent late, never lost silently. Those being sent are left to their attempt.
 * @returns how many, at most `limit`: call again while it is reached.
 */
export async function expireMessages(deps: MoveDeps & { db: Db }, limit: number): Promise<number> {
  const now = at(deps.clock.now());
  return deps.db.transaction(async (tx) => {
    const rows = await tx.execute<{
      tenant_id: string;
      id: string;
      send_request_id: string;
      test: boolean;
      from_status: MessageRow['status'];
    }>(sql`
      with late as (
        select tenant_id, id, status from messages
        where not_after <= ${now} and status in ('E', 'V') and dispatch_state in ('idle', 'waiting')
        limit ${limit} for update skip locked
      )
      update messages set status = 'KO', reason = 'expired', reason_detail = null, dispatch_state = 'idle',
        revision = revision + 1, updated_at = ${now}
      from late where messages.tenant_id = late.tenant_id and messages.id = late.id
      returning messages.tenant_id, messages.id, send_request_id, test, late.status as from_status`);
    await recordMoves(
      deps,
      tx,
      serviceActor,
      [...rows].map((row) => ({
        tenantId: row.tenant_id,
        messageId: row.id,
        sendRequestId: row.send_request_id,
        test: row.test,
        from: row.from_status,
        to: 'KO',
        reason: 'expired',
      })),
    );
    return rows.count;
  });
}
