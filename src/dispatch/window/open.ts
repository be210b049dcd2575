import { and, type SQL, sql } from 'drizzle-orm';
import type { AccountRow } from '../../accounts/store.ts';
import type { Tx } from '../../db/client.ts';
import { at, idList, insertRows, mustReachAll } from '../../db/rows.ts';
import { attempts, messages } from '../../db/tables/messages.ts';
import { together } from '../../db/together.ts';
import type { MessageRow } from '../../messages/content.ts';
import { recordMoves } from '../../messages/record-moves.ts';
import type { RuleFacts } from '../../messages/rule-facts.ts';
import { applyRules, type RuleDeps, type RuleVerdict } from '../../messages/rules.ts';
import { serviceActor } from '../../tenants/rights.ts';
import { intervalMs, reserveSlots } from '../account/rhythm.ts';
import { type ClaimDeps, type Claimed, isIn, removeJobs, stillWanting } from '../claim/claimed.ts';
import { returnClaimed } from '../claim/give-back.ts';
import type { ReadAhead } from './read-ahead.ts';

/** A message that is being sent: its attempt is committed, its provider not yet called. */
export interface OpenMessage {
  claimed: Claimed;
  row: MessageRow;
  attemptId: string;
  attemptNumber: number;
  /** Its start slot: not to be begun before; null: at once. */
  slotAt: Date | null;
}

interface Stopped {
  row: MessageRow;
  status: 'KO' | 'B';
  reason: string;
  /** What a rule rested on; null: it was none. */
  facts: RuleFacts | null;
}

const ofAccount = <Value>(what: SQL) => sql<Value>`(
  select ${what} from channel_accounts
  where channel_accounts.tenant_id = ${messages.tenantId} and channel_accounts.id = ${messages.channelAccountId})`;

/** Claimed messages that still want to leave, locked: which revision they have, and what they depend on, by now. */
export async function lockClaimed(tx: Tx, claimed: readonly Claimed[]) {
  if (claimed.length === 0) return [];
  return tx
    .select({
      id: messages.id,
      revision: messages.revision,
      // Read for each row, not joined: a planner without statistics would begin with the joins, and read all messages.
      requestStatus: sql<string>`(
        select status from send_requests
        where send_requests.tenant_id = ${messages.tenantId} and send_requests.id = ${messages.sendRequestId})`,
      tenantRevision: sql<number>`(select revision from tenants where tenants.id = ${messages.tenantId})`,
      accountRevision: ofAccount<number>(sql`revision`),
      nextSlotMs: ofAccount<number | null>(sql`(extract(epoch from next_slot_at) * 1000)::float8`),
    })
    .from(messages)
    .where(and(stillWanting(claimed.map(({ job }) => job)), isIn('queued')))
    .orderBy(messages.id)
    .for('update', { of: messages });
}

/** A message that is locked to be opened. */
export type Locked = Awaited<ReturnType<typeof lockClaimed>>[number];

/**
 * Messages of a request that was cancelled while they were being sent: the cancellation could not stop that try, but
 * there is no other one. Those that a person validated again since then do leave.
 */
async function cancelledMeanwhile(tx: Tx, tenantId: string, locked: readonly Locked[]): Promise<Set<string>> {
  const ofCancelled = locked.filter(({ requestStatus }) => requestStatus === 'cancelled').map(({ id }) => id);
  if (ofCancelled.length === 0) return new Set();
  const found = await tx.execute<{ id: string }>(sql`
    select messages.id from messages
    join send_requests on send_requests.tenant_id = messages.tenant_id and send_requests.id = messages.send_request_id
    where messages.tenant_id = ${tenantId} and messages.id = any(${idList(ofCancelled)})
      and not exists (
        select 1 from transitions where transitions.tenant_id = messages.tenant_id
          and transitions.message_id = messages.id and to_status = 'V' and at >= send_requests.cancelled_at)`);
  return new Set([...found].map(({ id }) => id));
}

/** The rules are looked at again on leaving: what was allowed at intake may be refused by now. */
export async function rulesOnLeaving(
  deps: RuleDeps,
  tx: Tx,
  tenantId: string,
  { messages: read }: ReadAhead,
): Promise<Map<string, RuleVerdict>> {
  const rows = [...read.values()].map(({ row }) => row);
  const verdicts = await applyRules(
    deps,
    tx,
    tenantId,
    rows.map((row) => ({ ...row, normalized: row.toNormalized })),
  );
  return new Map(rows.flatMap(({ id }, place) => (verdicts[place] === undefined ? [] : [[id, verdicts[place]]])));
}

/** Messages that must not leave, or not any more. Copies that a rule refuses are left out. */
function stoppedOnLeaving(
  rows: readonly MessageRow[],
  known: { cancelled: ReadonlySet<string>; rules: ReadonlyMap<string, RuleVerdict>; now: Date },
): Stopped[] {
  const stopped: Stopped[] = [];
  for (const row of rows) {
    const verdict = known.rules.get(row.id);
    // What is OK has left: only its copies are looked at.
    if (row.status === 'V') {
      if (known.cancelled.has(row.id)) stopped.push({ row, status: 'B', reason: 'cancelled', facts: null });
      else if (row.notAfter !== null && row.notAfter <= known.now)
        stopped.push({ row, status: 'KO', reason: 'expired', facts: null });
      else if (verdict?.reason != null)
        stopped.push({ row, status: 'B', reason: verdict.reason, facts: verdict.facts });
    }
    for (const [position, reason] of verdict?.blockedCopies ?? []) {
      const copy = row.copies[position];
      if (copy?.outcome === 'pending') Object.assign(copy, { outcome: 'skipped', reason });
    }
  }
  return stopped;
}

async function stop(deps: ClaimDeps, tx: Tx, stopped: readonly Stopped[]): Promise<void> {
  if (stopped.length === 0) return;
  const changes = stopped.map(({ row, status, reason, facts }) => ({
    tenant_id: row.tenantId,
    id: row.id,
    status,
    reason,
    detail: facts === null ? null : { facts },
  }));
  const changed = await tx.execute(sql`
    update messages set status = stopped.status, reason = stopped.reason, reason_detail = stopped.detail,
      dispatch_state = 'idle', job_id = null, revision = revision + 1, updated_at = ${at(deps.clock.now())}
    from json_to_recordset(${JSON.stringify(changes)}::json)
      as stopped(tenant_id uuid, id uuid, status text, reason text, detail jsonb)
    where messages.tenant_id = stopped.tenant_id and messages.id = stopped.id and messages.dispatch_state = 'queued'
      and messages.status = 'V'`);
  mustReachAll(changed.count, stopped, 'stopped');
  await recordMoves(
    deps,
    tx,
    serviceActor,
    stopped.map(({ row, status, reason }) => ({
      ...row,
      messageId: row.id,
      from: row.status,
      to: status,
      reason,
      remark: null,
    })),
  );
}

/** What is known of a window's messages when it is opened. */
export interface Leaving {
  claimed: readonly Claimed[];
  ahead: ReadAhead;
  /** Those that still want to leave, by `lockClaimed`. */
  locked: readonly Locked[];
  /** By `rulesOnLeaving`, asked behind the lock. */
  rules: ReadonlyMap<string, RuleVerdict>;
}

/**
 * Opens a window: moves claimed messages to `sending` and writes their attempts, in the caller's transaction. Nothing
 * is handed to a provider before it is committed. Messages that were blocked meanwhile, have expired, or that a rule
 * refuses by now are not opened, and their jobs are removed; all go back to wait when the account's next slot is far.
 * @returns those that are open, and those that are still claimed because they have changed since they were read.
 */
export async function openWindow(
  deps: ClaimDeps & { workerId: string },
  tx: Tx,
  account: AccountRow,
  { claimed, ahead, locked, rules }: Leaving,
): Promise<{ opened: OpenMessage[]; changed: Claimed[] }> {
  if (claimed.length === 0) return { opened: [], changed: [] };
  const now = deps.clock.now();
  const rows = locked.flatMap(({ id, revision }) => {
    const row = ahead.messages.get(id)?.row;
    return row?.revision === revision ? [row] : [];
  });
  const asRead = new Set(rows.map(({ id }) => id));
  const later = new Set(locked.map(({ id }) => id).filter((id) => !asRead.has(id)));
  const changed = claimed.filter(({ messageId }) => later.has(messageId));
  const cancelled = await cancelledMeanwhile(tx, account.tenantId, locked);
  const stopped = stoppedOnLeaving(rows, { cancelled, rules, now });
  await stop(deps, tx, stopped);
  const stoppedIds = new Set(stopped.map(({ row }) => row.id));
  const claims = new Map(claimed.map((one) => [one.messageId, one]));
  const interval = intervalMs(account);
  const leaving = rows.filter(({ id }) => !stoppedIds.has(id));
  const slots =
    leaving.length > 0
      ? await reserveSlots(tx, account, { now, count: leaving.length, intervalMs: interval })
      : ({ kind: 'reserved', first: now } as const);
  if (slots.kind === 'held') {
    await returnClaimed(deps, tx, claimed, slots.until);
    return { opened: [], changed: [] };
  }
  const opened = leaving.flatMap((row, place): OpenMessage[] => {
    const claim = claims.get(row.id);
    if (claim === undefined) return [];
    const slotAt = new Date(slots.first.getTime() + place * interval);
    return [
      {
        claimed: claim,
        row,
        attemptId: deps.newId(),
        attemptNumber: row.attemptCount + 1,
        slotAt: interval > 0 || slotAt > now ? slotAt : null,
      },
    ];
  });
  const openedIds = new Set(opened.map(({ row }) => row.id));
  const ended = claimed.filter(({ messageId }) => !openedIds.has(messageId) && !later.has(messageId));
  await together([begin(deps, tx, account, opened, now), removeJobs(deps, tx, ended)]);
  return { opened, changed };
}

async function begin(
  deps: ClaimDeps & { workerId: string },
  tx: Tx,
  account: AccountRow,
  opened: readonly OpenMessage[],
  now: Date,
): Promise<void> {
  if (opened.length === 0) return;
  const changes = opened.map(({ row, claimed }) => ({
    tenant_id: row.tenantId,
    id: row.id,
    job_id: claimed.job.id,
    copies: row.copies,
  }));
  const moving = tx.execute(sql`
    update messages set dispatch_state = 'sending', attempt_count = attempt_count + 1, copies = opened.copies,
      first_tried_at = coalesce(first_tried_at, ${at(now)}), updated_at = ${at(now)}
    from json_to_recordset(${JSON.stringify(changes)}::json)
      as opened(tenant_id uuid, id uuid, job_id uuid, copies jsonb)
    where messages.tenant_id = opened.tenant_id and messages.id = opened.id and messages.job_id = opened.job_id
      and ${isIn('queued')} and messages.status in ('V', 'OK')`);
  const inserting = insertRows(
    tx,
    attempts,
    opened.map(({ row, attemptId, attemptNumber }) => ({
      tenantId: row.tenantId,
      messageId: row.id,
      id: attemptId,
      number: attemptNumber,
      channelAccountId: account.id,
      workerId: deps.workerId,
      contentRevision: row.contentRevision,
      startedAt: now,
    })),
  );
  const [moved] = await together([moving, inserting]);
  mustReachAll(moved.count, opened, 'opened');
}
