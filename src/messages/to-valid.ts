import { sql } from 'drizzle-orm';
import { defaultAccount } from '../accounts/store.ts';
import type { Clock, NewId } from '../clock.ts';
import type { Tx } from '../db/client.ts';
import { at, mustReachAll } from '../db/rows.ts';
import type { StoredCopy } from '../db/tables/messages.ts';
import { together } from '../db/together.ts';
import type { ErrorCode } from '../errors.ts';
import type { JobQueue } from '../queue/boss.ts';
import type { Actor } from '../tenants/rights.ts';
import { enqueueUrgent, openLanes } from './enqueue.ts';
import { recordMoves } from './record-moves.ts';
import type { RuleFacts } from './rule-facts.ts';
import { applyRules, type RuleDeps } from './rules.ts';
import type { MessageState } from './store.ts';

/** What moving messages needs. */
export interface MoveDeps extends RuleDeps {
  clock: Clock;
  newId: NewId;
  jobs: JobQueue;
}

/** A message that an action left where it was, and why. */
export interface Refusal {
  id: string;
  code: ErrorCode;
  /** Its status now; absent when it does not exist. */
  status?: MessageState['status'];
  /** The rule or fault behind the code. */
  reason?: string;
}

/** What an action did. */
export interface ActionResult {
  done: string[];
  refused: Refusal[];
}

interface Judged {
  row: MessageState;
  copies: StoredCopy[];
}

/** Copies to be sent (again): those left aside when the message failed. What was accepted is never sent again. */
function renewedCopies(row: MessageState, blocked: ReadonlyMap<number, string>): StoredCopy[] {
  return row.copies.map((copy, position) => {
    const reason = blocked.get(position);
    if (copy.outcome === 'accepted' || copy.outcome === 'blocked') return copy;
    return reason === undefined
      ? { ...copy, outcome: 'pending', reason: null, code: null }
      : { ...copy, outcome: 'skipped', reason };
  });
}

/** Whether anything but a rule forbids sending it. */
function faultOf(row: MessageState, now: Date): Omit<Refusal, 'id' | 'status'> | null {
  if (row.notAfter !== null && row.notAfter <= now) return { code: 'cannot_be_sent', reason: 'expired' };
  // Never rendered without a fault: it must be corrected first.
  if (row.contentHash === null) return { code: 'cannot_be_sent', reason: row.reason ?? 'template_error' };
  if (row.toNormalized === null)
    return { code: 'cannot_be_sent', reason: row.toAddress === null ? 'address_missing' : 'address_invalid' };
  return null;
}

interface StoppedByRule {
  row: MessageState;
  reason: string;
  facts: RuleFacts | null;
}

/** Reasons that are somebody's own word. */
const refusals: ReadonlySet<string> = new Set(['contact_refused', 'choice_off', 'consent_refused']);

/** Runs every rule again: a person cannot validate over a refusal. */
async function judge(deps: MoveDeps, tx: Tx, tenantId: string, rows: readonly MessageState[]) {
  const now = deps.clock.now();
  const verdicts = await applyRules(
    deps,
    tx,
    tenantId,
    rows.map((row) => ({ ...row, normalized: row.toNormalized })),
  );
  const allowed: Judged[] = [];
  const refused: Refusal[] = [];
  const stopped: StoppedByRule[] = [];
  for (const [index, row] of rows.entries()) {
    const fault = faultOf(row, now);
    const verdict = verdicts[index];
    if (fault !== null) refused.push({ id: row.id, status: row.status, ...fault });
    else if (verdict?.reason != null) {
      const status = row.status === 'E' ? 'B' : row.status;
      refused.push({ id: row.id, status, code: 'blocked_by_rule', reason: verdict.reason });
      if (row.status === 'E') stopped.push({ row, reason: verdict.reason, facts: verdict.facts });
    } else if (verdict?.recipientGone && refusals.has(row.reason ?? '')) {
      // Their word stopped it, and went with their record: nobody can take it back for them.
      refused.push({ id: row.id, status: row.status, code: 'blocked_by_rule', reason: row.reason ?? '' });
    } else allowed.push({ row, copies: renewedCopies(row, verdict?.blockedCopies ?? new Map()) });
  }
  return { allowed, refused, stopped };
}

async function stopByRule(deps: MoveDeps, tx: Tx, actor: Actor, stopped: readonly StoppedByRule[]) {
  if (stopped.length === 0) return;
  const rows = stopped.map(({ row, reason, facts }) => ({
    tenant_id: row.tenantId,
    id: row.id,
    reason,
    detail: { facts },
  }));
  const changed = await tx.execute(sql`
    update messages set status = 'B', reason = stopped.reason, reason_detail = stopped.detail, revision = revision + 1,
      updated_at = ${at(deps.clock.now())}
    from json_to_recordset(${JSON.stringify(rows)}::json) as stopped(tenant_id uuid, id uuid, reason text, detail jsonb)
    where messages.tenant_id = stopped.tenant_id and messages.id = stopped.id and messages.status = 'E'`);
  mustReachAll(changed.count, stopped, 'stopped');
  const moves = stopped.map(({ row, reason }) => ({ ...moveOf(row, 'B'), reason }));
  await recordMoves(deps, tx, actor, moves);
}

const moveOf = (row: MessageState, to: MessageState['status']) => ({
  tenantId: row.tenantId,
  messageId: row.id,
  sendRequestId: row.sendRequestId,
  test: row.test,
  from: row.status,
  to,
});

/**
 * Moves locked messages of one tenant to `V`: `E→V`, `B→V`, `KO→V`, with every rule run again, and gives them to
 * the dispatcher. `KO→V` is a resend by a person: it gets a new Message-ID and its tries count from zero.
 * @param rows locked in this transaction, each in a status the action takes.
 */
export async function moveToValid(
  deps: MoveDeps,
  tx: Tx,
  actor: Actor,
  rows: readonly MessageState[],
  remark: string | null,
): Promise<ActionResult> {
  const [first] = rows;
  if (first === undefined) return { done: [], refused: [] };
  const { tenantId } = first;
  const now = deps.clock.now();
  const { allowed, refused, stopped } = await judge(deps, tx, tenantId, rows);
  await stopByRule(deps, tx, actor, stopped);
  const accounts = new Map<boolean, string | null>();
  for (const test of new Set(allowed.map(({ row }) => row.test))) {
    accounts.set(test, (await defaultAccount(tx, tenantId, 'mail', test, { hold: true }))?.id ?? null);
  }
  const ready = allowed.map(({ row, copies }) => ({
    ...row,
    copies,
    channelAccountId: accounts.get(row.test) ?? null,
    releaseAt: row.sendAt !== null && row.sendAt > now ? row.sendAt : now,
  }));
  const changes = ready.map((row) => ({
    id: row.id,
    from_status: row.status,
    account: row.channelAccountId,
    release_at: row.releaseAt,
    resend: row.status === 'KO' ? 1 : 0,
    copies: row.copies,
  }));
  const moving = tx.execute(sql`
    update messages set status = 'V', dispatch_state = 'waiting', delivery = 'none',
      reason = case when ready.account is null then 'no_channel_account' end, reason_detail = null,
      channel_account_id = ready.account, release_at = ready.release_at, copies = ready.copies,
      validated_by_person = validated_by_person or ${actor.kind === 'key'},
      content_revision = content_revision + ready.resend,
      attempt_count = case when ready.resend = 1 then 0 else attempt_count end, first_tried_at = null,
      revision = revision + 1, updated_at = ${at(now)}
    from json_to_recordset(${JSON.stringify(changes)}::json)
      as ready(id uuid, from_status text, account uuid, release_at timestamptz, resend int, copies jsonb)
    where messages.tenant_id = ${tenantId} and messages.id = ready.id and messages.status = ready.from_status`);
  const moves = allowed.map(({ row }) => ({ ...moveOf(row, 'V'), reason: null, remark }));
  const [moved] = await together([moving, recordMoves(deps, tx, actor, moves)]);
  mustReachAll(moved.count, ready, 'moved to V');
  await openLanes(tx, await enqueueUrgent(deps, tx, 'mail', ready));
  return { done: ready.map(({ id }) => id), refused };
}
