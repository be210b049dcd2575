import { and, eq, sql } from 'drizzle-orm';
import type { AccountRow } from '../../accounts/store.ts';
import type { Tx } from '../../db/client.ts';
import { at, keyList } from '../../db/rows.ts';
import { channelAccounts } from '../../db/tables/dispatch.ts';
import { messages } from '../../db/tables/messages.ts';
import { together } from '../../db/together.ts';
import type { EventType } from '../../events/store.ts';
import { openLanes } from '../../messages/enqueue.ts';
import { recordMoves } from '../../messages/record-moves.ts';
import { serviceActor } from '../../tenants/rights.ts';
import { holdAccount } from '../account/rhythm.ts';
import { type ClaimDeps, isIn, removeJobs } from '../claim/claimed.ts';
import { tooOftenInDoubt } from '../claim/doubt.ts';
import { type Decision, decide } from './decide.ts';
import type { Delivered } from './deliver.ts';
import { keepLateOutcomes, storable } from './late-outcomes.ts';

type SettleDeps = ClaimDeps & { random(): number };

interface Decided {
  delivered: Delivered;
  decision: Decision;
}

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
    // A try that counts for nothing does not begin the message's day, however often it was tried before.
    day_has_begun: decision.countsAsAttempt || open.row.firstTriedAt !== null,
    left_now: decision.status === 'OK' && open.row.status === 'V',
    provider_reference: verdict.kind === 'accepted' ? storable(verdict.providerReference) : null,
    content_hash: contentHash,
  }));
  const moved = await tx.execute(sql`
    update messages set status = done.status, delivery = done.delivery, dispatch_state = done.dispatch_state,
      reason = done.reason, reason_detail = done.reason_detail, copies = done.copies, job_id = null,
      release_at = coalesce(done.release_at, messages.release_at),
      attempt_count = attempt_count - done.uncounted,
      first_tried_at = case when done.day_has_begun then first_tried_at end,
      sent_at = case when done.left_now then ${at(deps.clock.now())} else sent_at end,
      provider_reference = coalesce(done.provider_reference, messages.provider_reference),
      content_hash = coalesce(done.content_hash, messages.content_hash),
      revision = revision + 1, updated_at = ${at(deps.clock.now())}
    from json_to_recordset(${JSON.stringify(changes)}::json) as done(tenant_id uuid, id uuid, status text,
      delivery text, dispatch_state text, reason text, reason_detail jsonb, release_at timestamptz, copies jsonb,
      uncounted int, day_has_begun boolean, left_now boolean, provider_reference text, content_hash text)
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

/** What the account wants of doubtful messages by now: it may have been changed while they were sent. */
async function policyOfNow(tx: Tx, { tenantId, id }: AccountRow): Promise<AccountRow['onUncertain']> {
  const [account] = await tx
    .select({ onUncertain: channelAccounts.onUncertain })
    .from(channelAccounts)
    .where(and(eq(channelAccounts.tenantId, tenantId), eq(channelAccounts.id, id)));
  return account?.onUncertain ?? 'hold';
}

function decideAll(
  deps: SettleDeps,
  account: Pick<AccountRow, 'onUncertain'>,
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
  const often = await tooOftenInDoubt(tx, doubtful);
  const onUncertain = doubtful.length > 0 ? await policyOfNow(tx, account) : account.onUncertain;
  const decided = decideAll(deps, { onUncertain }, own, often);
  const moved = await carryOut(deps, tx, account, delivered, decided);
  // Who claims a message closes its open attempts: where this one was open, the message is still ours to settle, even
  // if it was given a new job meanwhile because ours had vanished.
  if (moved !== decided.length) throw new Error(`${moved} of ${decided.length} attempts could be settled`);
}
