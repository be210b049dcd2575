import { sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';
import { at } from '../../db/rows.ts';
import type { StoredCopy } from '../../db/tables/messages.ts';
import type { MessageRow } from '../../messages/content.ts';
import { openLanes } from '../../messages/enqueue.ts';
import { recordMoves } from '../../messages/record-moves.ts';
import { serviceActor } from '../../tenants/rights.ts';
import type { ClaimDeps } from '../claim/claimed.ts';
import type { Delivered } from './deliver.ts';

/** A provider's words as PostgreSQL takes them. */
export const storable = (text: string | null) => text?.replaceAll('\u0000', '').toWellFormed() ?? null;

/** A late answer about copies of a message that is `OK` settles those that were left in doubt. */
async function keepLateCopies(deps: ClaimDeps, tx: Tx, row: MessageRow, late: readonly StoredCopy[]): Promise<void> {
  const [found] = await tx.execute<{ copies: StoredCopy[] }>(sql`
    select copies from messages
    where tenant_id = ${row.tenantId} and id = ${row.id} and content_revision = ${row.contentRevision}
      and erased_at is null for update`);
  if (found === undefined) return;
  const copies = found.copies.map((copy, position) => {
    const answer = late[position];
    const told = answer?.outcome === 'accepted' || answer?.outcome === 'failed';
    return copy.outcome === 'uncertain' && told ? answer : copy;
  });
  await tx.execute(sql`
    update messages set copies = ${JSON.stringify(copies)}::jsonb, revision = revision + 1,
      updated_at = ${at(deps.clock.now())}
    where tenant_id = ${row.tenantId} and id = ${row.id}`);
}

/**
 * What comes back after the attempt was given up as uncertain is kept beside it. Where the message was held for its
 * unknown outcome, the late answer tells it: `KO→OK`.
 */
export async function keepLateOutcomes(deps: ClaimDeps, tx: Tx, late: readonly Delivered[]): Promise<void> {
  for (const { open, verdict, copies } of late) {
    await tx.execute(sql`
      update attempts set late_outcome = ${verdict.kind}
      where tenant_id = ${open.row.tenantId} and message_id = ${open.row.id} and id = ${open.attemptId}
        and outcome = 'uncertain' and ${verdict.kind} <> 'uncertain'`);
    if (open.row.status === 'OK') await keepLateCopies(deps, tx, open.row, copies);
    if (verdict.kind !== 'accepted' || open.row.status !== 'V') continue;
    const now = deps.clock.now();
    const copiesLeft = copies.some(({ outcome }) => outcome === 'pending');
    const moved = await tx.execute(sql`
      update messages set status = 'OK', delivery = 'sent', reason = null, reason_detail = null, sent_at = ${at(now)},
        provider_reference = ${storable(verdict.providerReference)}, copies = ${JSON.stringify(copies)}::jsonb,
        dispatch_state = ${copiesLeft ? 'waiting' : 'idle'}, release_at = ${at(now)},
        revision = revision + 1, updated_at = ${at(now)}
      where tenant_id = ${open.row.tenantId} and id = ${open.row.id} and status = 'KO' and reason = 'outcome_unknown'
        and content_revision = ${open.row.contentRevision} and erased_at is null`);
    if (moved.count !== 1) continue;
    const move = { ...open.row, messageId: open.row.id, from: 'KO' as const, to: 'OK' as const };
    await recordMoves(deps, tx, serviceActor, [{ ...move, reason: null, remark: 'late answer of the provider' }]);
    if (copiesLeft) await openLanes(tx, [{ ...open.row, releaseAt: now }]);
  }
}
