import { sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';
import { at, idList, mustReachAll } from '../../db/rows.ts';
import { messages, type StoredCopy } from '../../db/tables/messages.ts';
import { blockMessages } from '../../messages/act.ts';
import { lockMessages, type MessageState } from '../../messages/store.ts';
import { serviceActor } from '../../tenants/rights.ts';
import type { Erasure, ErasureDeps } from './deps.ts';
import { doubtDocuments } from './documents.ts';
import { hideDedupeKeys } from './kept-keys.ts';

/** What was emptied, for what else may hold it. */
export interface Emptied {
  ids: string[];
  contextRefs: string[];
  /** What people wrote beside them. */
  remarks: string[];
  /** Those they were written to, in their compared form. */
  addresses: string[];
}

/** A copy without who it was for. The sender's own archive is no person's. */
function emptyCopy(copy: StoredCopy): StoredCopy {
  const reached = copy.outcome === 'pending' ? { outcome: 'skipped' as const, reason: 'erased' } : {};
  return { ...copy, ...reached, name: null, address: copy.kind === 'archive' ? copy.address : '' };
}

async function readContent(tx: Tx, tenantId: string, ids: readonly string[]) {
  return tx
    .select({
      id: messages.id,
      sendRequestId: messages.sendRequestId,
      channel: messages.channel,
      toNormalized: messages.toNormalized,
      copies: messages.copies,
      documents: messages.documents,
      contextRef: messages.contextRef,
    })
    .from(messages)
    .where(sql`${messages.tenantId} = ${tenantId} and ${messages.id} = any(${idList(ids)})`);
}

type Content = Awaited<ReturnType<typeof readContent>>;

async function addressHashesOf({ addressHashes }: ErasureDeps, tx: Tx, tenantId: string, rows: Content) {
  const normalized = [...new Set(rows.flatMap((row) => row.toNormalized ?? []))];
  const hashes = await addressHashes.of(tx, tenantId, 'mail', normalized);
  if (hashes === null) throw new Error(`the tenant ${tenantId} has no key for its address hashes`);
  return new Map(normalized.map((address, place) => [address, hashes[place] ?? null]));
}

async function emptyRows(deps: ErasureDeps, tx: Tx, tenantId: string, rows: Content): Promise<void> {
  const hashes = await addressHashesOf(deps, tx, tenantId, rows);
  const changes = rows.map(({ id, toNormalized, copies }) => ({
    id,
    to_hash: toNormalized === null ? null : hashes.get(toNormalized),
    copies: copies.map(emptyCopy),
  }));
  const now = at(deps.clock.now());
  const done = await tx.execute(sql`
    update messages set recipient_id = null, to_name = null, to_address = null, to_normalized = null,
      to_hash = erased.to_hash, reply_to = null, copies = erased.copies, data = '{}', overrides = '{}',
      documents = '[]', subject = null, remark = null, reason_detail = null, context_ref = null,
      provider_reference = null, dispatch_state = 'idle', job_id = null, release_at = null,
      erased_at = ${now}, revision = revision + 1, updated_at = ${now}
    from json_to_recordset(${JSON.stringify(changes)}::json) as erased(id uuid, to_hash text, copies jsonb)
    where messages.tenant_id = ${tenantId} and messages.id = erased.id and messages.status not in ('E', 'V')
      and messages.dispatch_state <> 'sending'`);
  mustReachAll(done.count, rows, 'erased');
}

async function readRemarks(tx: Tx, tenantId: string, ids: readonly string[]): Promise<string[]> {
  const written = await tx.execute<{ remark: string }>(sql`
    select distinct remark from transitions
    where tenant_id = ${tenantId} and message_id = any(${idList(ids)}) and remark is not null`);
  return [...written].map(({ remark }) => remark);
}

/** What people and providers wrote beside the messages: it quotes addresses. */
async function emptyTraces(tx: Tx, tenantId: string, ids: readonly string[]): Promise<void> {
  const theirs = sql`tenant_id = ${tenantId} and message_id = any(${idList(ids)})`;
  await tx.execute(sql`update transitions set remark = null where ${theirs} and remark is not null`);
  await tx.execute(sql`
    update attempts set answer = null, copies = (
      select coalesce(jsonb_agg(copy || '{"address": ""}'), '[]') from jsonb_array_elements(
        case jsonb_typeof(copies) when 'array' then copies else '[]' end) copy)
    where ${theirs} and (answer is not null or copies is not null)`);
}

/** The file number of a request says whom it was about, once nobody else is in it. */
async function emptyRequests(tx: Tx, tenantId: string, sendRequestIds: readonly string[]): Promise<void> {
  await tx.execute(sql`
    update send_requests set context_ref = null
    where tenant_id = ${tenantId} and id = any(${idList(sendRequestIds)}) and context_ref is not null
      and not exists (
        select 1 from messages where messages.tenant_id = ${tenantId}
          and messages.send_request_id = send_requests.id and messages.erased_at is null)`);
}

/**
 * Makes messages hold nothing personal any more: what is left are statuses, reasons, times, hashes and counts. Those
 * that wait become `B` `erased` first.
 * @param states locked in this transaction, none of them being sent. The tenant has its key (`AddressHashes.prepare`).
 */
export async function emptyMessages(
  deps: ErasureDeps,
  tx: Tx,
  erasure: Erasure,
  states: readonly MessageState[],
): Promise<Emptied> {
  const { tenantId } = erasure;
  if (states.length === 0) return { ids: [], contextRefs: [], remarks: [], addresses: [] };
  const waiting = states.filter(({ status }) => status === 'E' || status === 'V');
  await blockMessages(deps, tx, serviceActor, waiting, { reason: 'erased', facts: null, remark: null });
  const ids = states.map(({ id }) => id);
  const rows = await readContent(tx, tenantId, ids);
  const sendRequestIds = [...new Set(rows.map(({ sendRequestId }) => sendRequestId))];
  const remarks = await readRemarks(tx, tenantId, ids);
  await emptyRows(deps, tx, tenantId, rows);
  await emptyTraces(tx, tenantId, ids);
  await hideDedupeKeys(deps, tx, tenantId, ids);
  await emptyRequests(tx, tenantId, sendRequestIds);
  const documentIds = [...new Set(rows.flatMap(({ documents }) => documents.map(({ id }) => id)))];
  await doubtDocuments(tx, erasure, documentIds);
  return {
    ids,
    contextRefs: [...new Set(rows.flatMap(({ contextRef }) => contextRef ?? []))],
    remarks,
    addresses: [...new Set(rows.flatMap(({ toNormalized }) => toNormalized ?? []))],
  };
}

/** Locks messages of a tenant that are not erased yet: those that can be, and how many are being sent. */
export async function lockUnerased(
  tx: Tx,
  tenantId: string,
  ids: readonly string[],
): Promise<{ free: MessageState[]; beingSent: string[] }> {
  const rows = await lockMessages(tx, { tenantId, testOnly: false }, ids);
  const left = rows.filter(({ erasedAt }) => erasedAt === null);
  const isSending = ({ dispatchState }: MessageState) => dispatchState === 'sending';
  return { free: left.filter((row) => !isSending(row)), beingSent: left.filter(isSending).map(({ id }) => id) };
}
