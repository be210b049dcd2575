import { and, eq, sql } from 'drizzle-orm';
import type { Db, Tx } from '../db/client.ts';
import { idList, insertIntoAll, rowsFor, type TableRows } from '../db/rows.ts';
import { messages, sendRequestDrafts, sendRequests } from '../db/tables/messages.ts';
import { together } from '../db/together.ts';
import { useDocuments } from '../documents/store.ts';
import { AppError } from '../errors.ts';
import type { NewEvent } from '../events/store.ts';
import type { SourceAsker } from '../extractions/data-sources/ask.ts';
import { enqueueUrgent, openLanes, type WaitingMessage } from '../messages/enqueue.ts';
import { moveRows } from '../messages/record-moves.ts';
import type { RuleDeps } from '../messages/rules.ts';
import type { UnsubscribeLinks } from '../messages/unsubscribe/links.ts';
import type { JobQueue } from '../queue/boss.ts';
import type { IncidentDeps } from '../templates/incidents.ts';
import type { Renderer } from '../templates/rendering/renderer.ts';
import { actorOf, type Caller } from '../tenants/rights.ts';
import { type DraftMessage, draftMessages } from './draft-messages.ts';
import { extractForRows } from './extract.ts';
import { outcomeOf, type SendRequestOutcome } from './outcome.ts';
import { findNamed, readPeople } from './people.ts';
import { type Plan, planSendRequest } from './plan.ts';
import { renderDrafts } from './render-drafts.ts';
import type { SendRequestBody } from './schema.ts';
import { type AskedKey, findKeyOwners, takeDedupeKeys } from './store.ts';

/** What intake needs. */
export interface IntakeDeps extends IncidentDeps, RuleDeps {
  jobs: JobQueue;
  renderer: Renderer;
  sources: SourceAsker;
  links: UnsubscribeLinks;
}

/** A request that has been read, checked and rendered, and is ready to be stored in one transaction. */
export interface PreparedRequest {
  body: SendRequestBody;
  caller: Caller;
  plan: Plan;
  drafts: DraftMessage[];
}

/**
 * All the work of intake that needs no transaction: what is pinned, what extractions give, who is written to, the rules, and one rendering
 * of every message.
 * @throws AppError for faults of the whole request (`plan.ts`, `extract.ts`). Faults of rows are in the drafts.
 */
export async function prepareSendRequest(
  deps: IntakeDeps,
  caller: Caller,
  body: SendRequestBody,
): Promise<PreparedRequest> {
  const byReference = await findNamed(deps.db, caller.tenantId, body);
  const plan = await planSendRequest(deps, caller, body, byReference);
  const extracts = await extractForRows(deps, caller, plan, body);
  const people = await readPeople(deps, caller.tenantId, byReference);
  const drafts = await draftMessages(deps, caller, { plan, body, people, extracts });
  await renderDrafts(deps, caller.tenantId, plan, drafts);
  return { body, caller, plan, drafts };
}

/**
 * The refusal `rows_refused` with every fault, when the request is all-or-nothing and a row is not acceptable; else
 * null. A value, because it is an answer to be kept like another.
 */
export function refusalOf({ body, drafts }: PreparedRequest): AppError | null {
  const errors = drafts.flatMap((draft) => draft.errors);
  if ((body.mode ?? 'partial') === 'partial' || errors.length === 0) return null;
  // Several templates may have the same fault of one row.
  const items = new Map(errors.map(({ pointer, code, message }) => [`${pointer} ${code}`, { pointer, code, message }]));
  return new AppError('rows_refused', {
    detail: `Faults: ${items.size}; nothing was kept.`,
    items: [...items.values()],
  });
}

/** The request's own row. */
export function requestRow(prepared: PreparedRequest, id: string, status: 'draft' | 'accepted', createdCount: number) {
  const { body, caller, plan } = prepared;
  const automatic = plan.templates.every(({ validation }) => validation === 'automatic');
  return {
    tenantId: caller.tenantId,
    id,
    test: caller.testOnly,
    status,
    templates: plan.templates.map(({ template, version: { version } }) => ({
      id: template.id,
      key: template.key,
      version,
    })),
    documentType: body.documentType ?? null,
    mode: body.mode ?? ('partial' as const),
    validation: automatic ? ('automatic' as const) : ('manual' as const),
    sendAt: plan.sendAt,
    notAfter: plan.notAfter,
    editedAt: plan.editedAt,
    priority: body.priority ?? ('normal' as const),
    highPriority: body.highPriority ?? false,
    origin: body.origin ?? 'api',
    contextType: body.context?.type ?? null,
    contextRef: body.context?.ref ?? null,
    requestedByUser: plan.asker,
    requestedByOsUser: body.requestedBy?.osUser ?? null,
    requestedByWorkstation: body.requestedBy?.workstation ?? null,
    recordEvent: body.recordEvent ?? false,
    recipientCount: body.recipients.length,
    createdCount,
    apiKeyId: caller.keyId,
    confirmedAt: status === 'accepted' ? plan.now : null,
    cancelledAt: null,
    createdAt: plan.now,
    updatedAt: plan.now,
  };
}

/** Keys of the drafts: of several rows with the same one, the first row's message has it. */
function askedKeys({ plan, drafts }: PreparedRequest): Map<string, AskedKey> {
  const asked = new Map<string, AskedKey>();
  for (const { row, dedupeKey, part } of drafts) {
    const name = `${row.templateId}/${dedupeKey}`;
    // One key for all messages of a row: they are made together, or not at all.
    if (dedupeKey === null || part > 0 || asked.has(name)) continue;
    asked.set(name, {
      templateId: row.templateId,
      test: row.test,
      key: dedupeKey,
      messageId: row.id,
      createdAt: plan.now,
    });
  }
  return asked;
}

/** Parts the drafts into those to keep and those that repeat a message that exists, here or from before. */
async function withoutRepeats(deps: RuleDeps, db: Db | Tx, prepared: PreparedRequest) {
  const asked = askedKeys(prepared);
  const owners = new Map([...asked].map(([name, { messageId }]) => [name, messageId]));
  const { tenantId } = prepared.caller;
  for (const { templateId, key, messageId } of await findKeyOwners(deps, db, tenantId, [...asked.values()])) {
    owners.set(`${templateId}/${key}`, messageId);
  }
  const kept: DraftMessage[] = [];
  const repeated: SendRequestOutcome['repeated'] = [];
  let first: DraftMessage | undefined;
  for (const draft of prepared.drafts) {
    if (draft.part === 0) first = draft;
    const owner = draft.dedupeKey === null ? undefined : owners.get(`${draft.row.templateId}/${draft.dedupeKey}`);
    if (owner === undefined || owner === first?.row.id) kept.push(draft);
    else repeated.push({ index: draft.row.rowIndex, template: draft.templateKey, messageId: owner });
  }
  return { kept, repeated };
}

/** What the request would do now. Nothing is kept: its messages have no ids. */
export async function trySendRequest(
  deps: RuleDeps,
  db: Db | Tx,
  prepared: PreparedRequest,
): Promise<SendRequestOutcome> {
  const { kept, repeated } = await withoutRepeats(deps, db, prepared);
  const made = new Set(kept.map(({ row }) => row.id));
  const known = repeated.map((one) => (made.has(one.messageId ?? '') ? { ...one, messageId: null } : one));
  return outcomeOf(null, 'dry-run', kept, known);
}

/**
 * Holds what the messages pin until they are stored: an account, a sender or a template that is deleted while a large
 * request is rendered would leave messages that can never be sent.
 */
async function holdPinned(tx: Tx, { plan, caller }: PreparedRequest): Promise<void> {
  const { tenantId } = caller;
  const pinned = {
    templates: plan.templates.map(({ template }) => template.id),
    senders: plan.templates.flatMap(({ sender }) => (sender === null ? [] : [sender.id])),
    channel_accounts: plan.accountId === null ? [] : [plan.accountId],
  };
  const held = (kind: keyof typeof pinned) => sql`
    select ${kind} as kind, id from ${sql.identifier(kind)}
    where tenant_id = ${tenantId} and id = any(${idList(pinned[kind])})
      ${kind === 'templates' ? sql`and deleted_at is null` : sql``} for key share`;
  const found = await tx.execute<{ kind: string; id: string }>(sql`
    with held_templates as (${held('templates')}), held_senders as (${held('senders')}),
      held_accounts as (${held('channel_accounts')})
    select * from held_templates union all select * from held_senders union all select * from held_accounts`);
  const names = new Set([...found].map(({ kind, id }) => `${kind}/${id}`));
  for (const [kind, ids] of Object.entries(pinned)) {
    if (ids.every((id) => names.has(`${kind}/${id}`))) continue;
    const what = kind === 'channel_accounts' ? 'channel account' : kind.slice(0, -1);
    throw new AppError('unprocessable', { detail: `The ${what} was deleted while the request was read.` });
  }
}

/**
 * Stores a request and its messages with their transitions and events, and gives those that may leave to the
 * dispatcher.
 */
async function storeMessages(
  deps: IntakeDeps,
  tx: Tx,
  prepared: PreparedRequest,
  kept: readonly DraftMessage[],
  stored: { request: TableRows; id: string; accepted: NewEvent },
): Promise<void> {
  const { tenantId } = prepared.caller;
  const rows = kept.map(({ row }) => ({ tenantId, sendRequestId: stored.id, ...row }));
  const moves = rows.map((row) => ({
    tenantId,
    messageId: row.id,
    sendRequestId: stored.id,
    test: row.test,
    from: null,
    to: row.status,
    reason: row.reason,
  }));
  const traces = moveRows(deps, actorOf(prepared.caller), moves, [stored.accepted]);
  await insertIntoAll(tx, [stored.request, rowsFor(messages, rows), ...traces]);
  const waiting = rows.filter(({ status }) => status === 'V') as (WaitingMessage & { channel: 'mail' })[];
  await openLanes(tx, await enqueueUrgent(deps, tx, 'mail', waiting));
}

async function acceptDraft(tx: Tx, { createdAt: _createdAt, ...row }: ReturnType<typeof requestRow>): Promise<void> {
  await tx
    .update(sendRequests)
    .set(row)
    .where(and(eq(sendRequests.tenantId, row.tenantId), eq(sendRequests.id, row.id)));
}

/**
 * Stores an accepted request: request, messages, transitions, events, and what the queue must know, in the
 * caller's transaction. Nothing is acknowledged before it is committed.
 * @param draftId the draft that is confirmed; null for a new request.
 */
export async function acceptSendRequest(
  deps: IntakeDeps,
  tx: Tx,
  prepared: PreparedRequest,
  draftId: string | null = null,
): Promise<SendRequestOutcome> {
  const { tenantId } = prepared.caller;
  await takeDedupeKeys(deps, tx, tenantId, [...askedKeys(prepared).values()]);
  const { kept, repeated } = await withoutRepeats(deps, tx, prepared);
  const documentIds = new Set(kept.flatMap(({ row }) => row.documents.map((document) => document.id)));
  const used = await useDocuments(tx, deps, tenantId, [...documentIds]);
  if (used.size !== documentIds.size) {
    throw new AppError('unprocessable', { detail: 'A document expired while the request was read: upload it again.' });
  }
  const id = draftId ?? deps.newId();
  const row = requestRow(prepared, id, 'accepted', kept.length);
  const accepted = {
    tenantId,
    type: 'send-request.accepted' as const,
    test: row.test,
    resourceId: id,
    data: { created: kept.length, repeated: repeated.length, recordEvent: row.recordEvent },
  };
  // A draft has its row already.
  const request = rowsFor(sendRequests, draftId === null ? [row] : []);
  await together([
    draftId === null ? null : acceptDraft(tx, row),
    holdPinned(tx, prepared),
    storeMessages(deps, tx, prepared, kept, { request, id, accepted }),
  ]);
  return outcomeOf(id, 'accepted', kept, repeated);
}

/** Keeps a draft: its body and what it would do. No message exists until it is confirmed (W6). */
export async function storeDraft(deps: IntakeDeps, tx: Tx, prepared: PreparedRequest): Promise<SendRequestOutcome> {
  const id = deps.newId();
  await holdPinned(tx, prepared);
  await tx.insert(sendRequests).values(requestRow(prepared, id, 'draft', 0));
  await tx
    .insert(sendRequestDrafts)
    .values({ tenantId: prepared.caller.tenantId, sendRequestId: id, body: prepared.body });
  // A draft may be confirmed after its documents would have expired as unused.
  const documentIds = new Set(prepared.drafts.flatMap(({ row }) => row.documents.map((document) => document.id)));
  await useDocuments(tx, deps, prepared.caller.tenantId, [...documentIds]);
  const checked = await trySendRequest(deps, tx, prepared);
  return { ...checked, id, status: 'draft', counts: { ...checked.counts, created: 0, E: 0, V: 0, KO: 0, B: 0 } };
}
