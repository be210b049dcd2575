import { sql } from 'drizzle-orm';
import type { AccountRow } from '../../accounts/store.ts';
import type { Tx } from '../../db/client.ts';
import { at, keyList } from '../../db/rows.ts';
import { messages, type StoredCopy } from '../../db/tables/messages.ts';
import { together } from '../../db/together.ts';
import type { EventType } from '../../events/store.ts';
import type { MessageRow } from '../../messages/content.ts';
import { openLanes } from '../../messages/enqueue.ts';
import { recordMoves } from '../../messages/record-moves.ts';
import { serviceActor } from '../../tenants/rights.ts';
import { holdAccount } from '../account/rhythm.ts';
import { type ClaimDeps, isIn, removeJobs } from '../claim/claimed.ts';
import { tooOftenInDoubt } from '../claim/doubt.ts';
import { type Decision, decide } from './decide.ts';
import type { Delivered } from './deliver.ts';

type SettleDeps = ClaimDeps & { random(): number };

interface Decided {
  delivered: Delivered;
  decision: Decision;
}

const storable = (text: string | null) => text?.replaceAll('\u0000', '').toWellFormed() ?? null;

const attemptRow = ({ open, verdict, copyOutcomes, finishedAt, durationMs }: Delivered) => {
  const answer = 'answer' in verdict ? verdict.answer : null;
  return {
    tenant_id: open.row.tenantId,
    message_id: open.row.id,
    id: open.attemptId,
    finished_at: finishedAt,
    outcome: verdict.kind === 'unsendable' ? 'permanent' : verdict.kind,
    reason: 'reason' in verdict ? verdict.reason : null,
    step: verdict.kind === 'unsendable' ? 'prepare' : (answer?.step ?? null),
    code: answer?.code ?? null,
    enhanced_code: answer?.enhancedCode ?? null,
    // Whatever a driver says: a text that PostgreSQL refuses would leave the attempt open, and the message in doubt.
    answer: storable(answer?.text ?? null),
    duration_ms: durationMs,
    copies: copyOutcomes,
  };
};

/** Closes the attempts. @returns the ids of those that were still open: another worker may have given some up. */
async function closeAttempts(tx: Tx, delivered: readonly Delivered[]): Promise<Set<string>> {
  const rows = await tx.execute<{ id: string }>(sql`
    update attempts set finished_at = done.finished_at, outcome = done.outcome, reason = done.reason, step = done.step,
      code = done.code, enhanced_code = done.enhanced_code, answer = done.answer, duration_ms = done.duration_ms,
      copies = done.copies
    from json_populate_recordset(null::attempts, ${JSON.stringify(delivered.map(attemptRow))}::json) done
    where attempts.tenant_id = done.tenant_id and attempts.message_id = done.message_id and attempts.id = done.id
      and attempts.finished_at is null
    returning attempts.id`);
  return new Set([...rows].map(({ id }) => id));
}

/** A late answer about copies of a message that is `OK` settles those that were left in doubt. */
async function keepLateCopies(deps: SettleDeps, tx: Tx, row: MessageRow, late: readonly StoredCopy[]): Promise<void> {
  const [found] = await tx.execute<{ copies: StoredCopy[] }>(sql`
    select copies from messages
    where tenant_id = ${row.tenantId} and id = ${row.id} and content_revision = ${row.contentRevision} for update`);
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
async function keepLateOutcomes(deps: SettleDeps, tx: Tx, late: readonly Delivered[]): Promise<void> {
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
        and content_revision = ${open.row.contentRevision}`);
    if (moved.count !== 1) continue;
    const move = { ...open.row, messageId: open.row.id, from: 'KO' as const, to: 'OK' as const };
    await recordMoves(deps, tx, serviceActor, [{ ...move, reason: null, remark: 'late answer of the provider' }]);
    if (copiesLeft) await openLanes(tx, [{ ...open.row, releaseAt: now }]);
  }
}

/** @returns how many rows were moved. */
async function moveMessages(deps: SettleDeps, tx: Tx, decided: readonly Decided[]): Promise<number> {
  // In the order of ids, as everybody locks messages.
  const ordered = decided.toSorted((a, b) => (a.delivered.open.row.id < b.delivered.open.row.id ? -1 : 1));
  const changes = ordered.map(({ delivered: { open, verdict, contentHash }, decision }) => ({
    tenant_id: open.row.tenantId,
    id: open.row.id,
    status: decision.status,
    delivery: decision.delivery,
    dispatch_state: decision.dispatchState,
    reason: decision.reason,
    reason_detail: decision.detail,
    release_at: decision.releaseAt,
    copies: decision.copies,
    uncounted: decision.countsAsAttempt ? 0 : 1,
    left_now: decision.status === 'OK' && open.row.status === 'V',
    provider_reference: verdict.kind === 'accepted' ? storable(verdict.providerReference) : null,
    content_hash: contentHash,
  }));
  const moved = await tx.execute(sql`
    update messages set status = done.status, delivery = done.delivery, dispatch_state = done.dispatch_state,
      reason = done.reason, reason_detail = done.reason_detail, copies = done.copies, job_id = null,
      release_at = coalesce(done.release_at, messages.release_at),
      attempt_count = attempt_count - done.uncounted,
      first_tried_at = case when done.uncounted = attempt_count then null else first_tried_at end,
      sent_at = case when done.left_now then ${at(deps.clock.now())} else sent_at end,
      provider_reference = coalesce(done.provider_reference, messages.provider_reference),
      content_hash = coalesce(done.content_hash, messages.content_hash),
      revision = revision + 1, updated_at = ${at(deps.clock.now())}
    from json_to_recordset(${JSON.stringify(changes)}::json) as done(tenant_id uuid, id uuid, status text,
      delivery text, dispatch_state text, reason text, reason_detail jsonb, release_at timestamptz, copies jsonb,
      uncounted int, left_now boolean, provider_reference text, content_hash text)
    where messages.tenant_id = done.tenant_id and messages.id = done.id and ${isIn('sending', 'queued', 'waiting')}`);
  return moved.count;
}

function tell(deps: SettleDeps, tx: Tx, decided: readonly Decided[]): Promise<void> {
  const moves = decided.filter(({ delivered, decision }) => delivered.open.row.status !== decision.status);
  const told = decided.filter(({ decision }) => decision.event !== null);
  return recordMoves(
    deps,
    tx,
    serviceActor,
    moves.map(({ delivered: { open }, decision }) => ({
      ...open.row,
      messageId: open.row.id,
      from: open.row.status,
      to: decision.status,
      reason: decision.reason,
      remark: null,
    })),
    told.map(({ delivered: { open }, decision }) => ({
      tenantId: open.row.tenantId,
      type: decision.event as EventType,
      test: open.row.test,
      resourceId: open.row.id,
      data: { sendRequest: open.row.sendRequestId, reason: decision.reason, nextTryAt: decision.releaseAt },
    })),
  );
}

/** The wait after a send, which outlasts the window (W4). What else an account suffers is told at once: `trouble.ts`. */
async function restAfterSend(tx: Tx, account: AccountRow, delivered: readonly Delivered[]): Promise<void> {
  const handedOver = delivered.filter(({ verdict }) => verdict.kind !== 'unsendable' && verdict.kind !== 'not_begun');
  const last = handedOver.map(({ finishedAt }) => finishedAt.getTime()).reduce((a, b) => Math.max(a, b), 0);
  if (account.waitAfterSendMs > 0 && last > 0) {
    await holdAccount(tx, account, new Date(last + account.waitAfterSendMs));
  }
}

function decideAll(
  deps: SettleDeps,
  account: AccountRow,
  delivered: readonly Delivered[],
  often: ReadonlySet<string>,
): Decided[] {
  const now = deps.clock.now();
  return delivered.map((one) => {
    const onUncertain = often.has(one.open.row.id) ? 'hold' : account.onUncertain;
    return { delivered: one, decision: decide(one, { now, onUncertain, random: deps.random() }) };
  });
}

/** Everything that follows from the decisions. None waits for what another answers: they are sent behind one another. */
async function carryOut(
  deps: SettleDeps,
  tx: Tx,
  account: AccountRow,
  delivered: readonly Delivered[],
  decided: readonly Decided[],
): Promise<number> {
  const waiting = decided.filter(({ decision }) => decision.dispatchState === 'waiting');
  const lanes = waiting.map(({ delivered: { open }, decision }) => ({
    ...open.row,
    releaseAt: decision.releaseAt ?? deps.clock.now(),
  }));
  const ended = delivered.map(({ open: { claimed } }) => claimed);
  const [moved] = await together([
    moveMessages(deps, tx, decided),
    tell(deps, tx, decided),
    openLanes(tx, lanes),
    restAfterSend(tx, account, delivered),
    removeJobs(deps, tx, ended),
  ]);
  return moved;
}

/** An attempt was given up by another worker meanwhile: the transaction must be undone, and settled with care. */
export class Overtaken extends Error {}

/** Whether a window may be settled at once: nothing in it is in doubt, or to be tried again as long as its time lasts. */
export const isPlain = (delivered: readonly Delivered[]): boolean =>
  delivered.every(
    ({ verdict, copies }) =>
      verdict.kind !== 'uncertain' &&
      verdict.kind !== 'transient' &&
      copies.every(({ outcome }) => outcome !== 'pending'),
  );

/** Locks the messages and reads how long they may be tried: their request may have been moved while they were sent. */
async function withTimesOfNow(tx: Tx, delivered: readonly Delivered[]): Promise<Delivered[]> {
  if (delivered.length === 0) return [];
  const rows = await tx
    .select({ id: messages.id, notAfter: messages.notAfter })
    .from(messages)
    .where(sql`(${messages.tenantId}, ${messages.id}) in ${keyList(delivered.map(({ open: { row } }) => row))}`)
    .orderBy(messages.id)
    .for('update');
  const times = new Map(rows.map(({ id, notAfter }) => [id, notAfter]));
  return delivered.map((one) => {
    const row = { ...one.open.row, notAfter: times.get(one.open.row.id) ?? null };
    return { ...one, open: { ...one.open, row } };
  });
}

/**
 * Settles a plain window in the caller's transaction with one round trip, supposing that every attempt is still its
 * own. @throws Overtaken when one is not.
 */
export async function settleAtOnce(
  deps: SettleDeps,
  tx: Tx,
  account: AccountRow,
  delivered: readonly Delivered[],
): Promise<void> {
  if (delivered.length === 0) return;
  const decided = decideAll(deps, account, delivered, new Set());
  const [open, moved] = await together([closeAttempts(tx, delivered), carryOut(deps, tx, account, delivered, decided)]);
  if (open.size !== delivered.length || moved !== delivered.length) throw new Overtaken();
}

/**
 * Settles a window in the caller's transaction: attempts, statuses, transitions, events, the next try, the account's
 * waits, and the jobs, all at once. What another worker gave up meanwhile is kept as a late outcome.
 */
export async function settleWindow(
  deps: SettleDeps,
  tx: Tx,
  account: AccountRow,
  delivered: readonly Delivered[],
): Promise<void> {
  if (delivered.length === 0) return;
  const open = await closeAttempts(tx, delivered);
  const own = await withTimesOfNow(
    tx,
    delivered.filter((one) => open.has(one.open.attemptId)),
  );
  await keepLateOutcomes(
    deps,
    tx,
    delivered.filter((one) => !open.has(one.open.attemptId)),
  );
  // The attempts are closed by now: this one counts.
  const doubtful = own.filter(({ verdict }) => verdict.kind === 'uncertain').map(({ open: { row } }) => row);
  const decided = decideAll(deps, account, own, await tooOftenInDoubt(tx, doubtful));
  const moved = await carryOut(deps, tx, account, delivered, decided);
  // Who claims a message closes its open attempts: where this one was open, the message is still ours to settle, even
  // if it was given a new job meanwhile because ours had vanished.
  if (moved !== decided.length) throw new Error(`${moved} of ${decided.length} attempts could be settled`);
}
