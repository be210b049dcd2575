import { parseAddrSpec } from '../channels/addr-spec.ts';
import type { Clock, NewId } from '../clock.ts';
import type { Db } from '../db/client.ts';
import type { StoredCopy, StoredDocument } from '../db/tables/messages.ts';
import { findDocuments } from '../documents/store.ts';
import type { MessageRow } from '../messages/content.ts';
import type { Reason } from '../messages/reasons.ts';
import { applyRules } from '../messages/rules.ts';
import { priorityNumber } from '../messages/status.ts';
import { chooseMailAddress, findRecipients, type RecipientWithAddresses } from '../recipients/lookup.ts';
import type { Caller } from '../tenants/rights.ts';
import type { Plan, PlannedTemplate } from './plan.ts';
import type { SendRequestBody } from './schema.ts';

/** What is wrong with a row: where, which code, in words. */
export interface RowError {
  index: number;
  pointer: string;
  code: Reason;
  message: string;
}

/** A message of the request before it is stored. */
export interface DraftMessage {
  row: Omit<MessageRow, 'tenantId' | 'sendRequestId'>;
  templateKey: string;
  dedupeKey: string | null;
  errors: RowError[];
}

type RowBody = SendRequestBody['recipients'][number];

/** Most bytes of documents of one message. */
const documentBytesPerMessage = 10_000_000;
const documentsPerMessage = 10;

interface Target {
  recipient: RecipientWithAddresses | null;
  name: string | null;
  address: string | null;
  normalized: string | null;
  fault: { pointer: string; code: Reason; message: string } | null;
  /** A rule of the recipient's own record. */
  block: Reason | null;
}

const nowhere = { name: null, address: null, normalized: null, block: null };

/** Whom a row writes to: the inline `to` first, else the address of the recipient's record. */
function targetOf(row: RowBody, recipients: ReadonlyMap<string, RecipientWithAddresses>): Target {
  const recipient = row.recipient === undefined ? null : (recipients.get(row.recipient) ?? null);
  if (row.recipient !== undefined && recipient === null) {
    const fault = {
      pointer: '/recipient',
      code: 'recipient_unknown' as const,
      message: 'the recipient does not exist',
    };
    return { ...nowhere, recipient, fault };
  }
  const fallbackName = recipient?.displayName ?? null;
  if (row.to !== undefined) {
    const parsed = parseAddrSpec(row.to.address);
    const name = row.to.name ?? fallbackName;
    if (parsed.kind === 'invalid') {
      const fault = { pointer: '/to/address', code: 'address_invalid' as const, message: parsed.why };
      // Kept as it came, so that a person sees what is to be corrected.
      return { recipient, name, address: row.to.address, normalized: null, fault, block: null };
    }
    return { recipient, name, address: parsed.address, normalized: parsed.normalized, fault: null, block: null };
  }
  const chosen = recipient === null ? null : chooseMailAddress(recipient);
  if (chosen !== null) return { recipient, ...chosen, name: chosen.name ?? fallbackName, fault: null, block: null };
  const refuses = recipient?.addresses.some(({ kind, acceptsContact }) => kind === 'mail' && !acceptsContact) ?? false;
  if (refuses) return { ...nowhere, name: fallbackName, recipient, fault: null, block: 'contact_refused' };
  const message = recipient === null ? 'give a recipient or an inline to' : 'the recipient has no mail address';
  return { ...nowhere, name: fallbackName, recipient, fault: { pointer: '/to', code: 'address_missing', message } };
}

/** The copies of a row and the sender's archive; the first address that is not one, if any. */
function copiesOf(row: RowBody, archive: readonly string[]): { copies: StoredCopy[]; fault: Target['fault'] } {
  const copies: StoredCopy[] = [];
  const pending = { outcome: 'pending', reason: null, code: null, at: null } as const;
  for (const kind of ['cc', 'bcc'] as const) {
    for (const [index, copy] of (row[kind] ?? []).entries()) {
      const parsed = parseAddrSpec(copy.address);
      if (parsed.kind === 'invalid') {
        const fault = { pointer: `/${kind}/${index}/address`, code: 'address_invalid' as const, message: parsed.why };
        return { copies, fault };
      }
      copies.push({ kind, name: copy.name ?? null, address: parsed.address, ...pending });
    }
  }
  for (const address of archive) copies.push({ kind: 'archive', name: null, address, ...pending });
  return { copies, fault: null };
}

type Documents = Awaited<ReturnType<typeof findDocuments>>;

function documentsOf(
  ids: readonly string[],
  known: Documents,
): { documents: StoredDocument[]; fault: Target['fault'] } {
  const documents: StoredDocument[] = [];
  const refuse = (message: string) => ({
    documents,
    fault: { pointer: '/documents', code: 'document_invalid' as const, message },
  });
  const unique = [...new Set(ids)];
  if (unique.length > documentsPerMessage) return refuse(`more than ${documentsPerMessage} documents`);
  for (const id of unique) {
    const document = known.get(id);
    if (document === undefined) return refuse(`there is no document ${id}`);
    const { filename, mediaType, size, sha256 } = document;
    documents.push({ id, filename, mediaType, size, sha256 });
  }
  const bytes = documents.reduce((sum, { size }) => sum + size, 0);
  if (bytes > documentBytesPerMessage) return refuse(`the documents have more than ${documentBytesPerMessage} bytes`);
  return { documents, fault: null };
}

function dataOf(
  body: SendRequestBody,
  row: RowBody,
  recipient: RecipientWithAddresses | null,
): Record<string, unknown> {
  const data: Record<string, unknown> = { ...body.data, ...row.data };
  if (recipient === null || 'recipient' in data) return data;
  const { type, externalId, displayName, attributes } = recipient;
  return { ...data, recipient: { type, externalId, displayName, attributes } };
}

function overridesOf({ overrides = {} }: SendRequestBody): MessageRow['overrides'] {
  const { subject, text, html } = overrides;
  return {
    ...(subject === undefined ? {} : { subject }),
    ...(text === undefined ? {} : { text }),
    ...(html === undefined ? {} : { html }),
  };
}

/** Where a draft comes from. */
interface Source {
  body: SendRequestBody;
  plan: Plan;
  caller: Caller;
  recipients: ReadonlyMap<string, RecipientWithAddresses>;
  documents: Documents;
}

function draftOf(newId: NewId, source: Source, planned: PlannedTemplate, index: number, row: RowBody): DraftMessage {
  const { body, plan, caller } = source;
  const { template, version, sender, validation } = planned;
  const target = targetOf(row, source.recipients);
  const { copies, fault: copyFault } = copiesOf(row, sender?.archiveBcc ?? []);
  const attached = documentsOf([...(body.documents ?? []), ...(row.documents ?? [])], source.documents);
  const typeRefused =
    target.recipient !== null &&
    template.recipientTypes.length > 0 &&
    !template.recipientTypes.includes(target.recipient.type);
  const faults = [
    target.fault,
    copyFault,
    attached.fault,
    typeRefused
      ? { pointer: '/recipient', code: 'recipient_type_refused' as const, message: 'the template is for other types' }
      : null,
    sender === null
      ? { pointer: '', code: 'sender_missing' as const, message: 'neither template nor tenant has a sender' }
      : null,
  ].filter((fault) => fault !== null);
  const status = faults.length > 0 ? 'KO' : target.block !== null ? 'B' : validation === 'automatic' ? 'V' : 'E';
  const context = row.context ?? body.context ?? null;
  return {
    templateKey: template.key,
    dedupeKey: row.dedupeKey ?? null,
    errors: faults.map((fault) => ({ index, ...fault, pointer: `/recipients/${index}${fault.pointer}` })),
    row: {
      id: newId(),
      rowIndex: index,
      test: caller.testOnly,
      channel: template.channel,
      status,
      dispatchState: status === 'V' ? 'waiting' : 'idle',
      delivery: 'none',
      reason: faults[0]?.code ?? target.block,
      reasonDetail: faults[0] === undefined ? null : { message: faults[0].message },
      remark: row.remark ?? null,
      templateId: template.id,
      templateVersion: version.version,
      notificationTypeId: template.notificationTypeId,
      senderId: sender?.id ?? null,
      senderVersion: sender?.version ?? null,
      recipientId: target.recipient?.id ?? null,
      toName: target.name,
      toAddress: target.address,
      toNormalized: target.normalized,
      replyTo: plan.replyTo,
      copies,
      data: dataOf(body, row, target.recipient),
      overrides: overridesOf(body),
      documents: attached.documents,
      highPriority: body.highPriority ?? false,
      subject: null,
      contentHash: null,
      contentRevision: 1,
      clockAt: plan.sendAt ?? plan.now,
      timezone: plan.tenant.timezone,
      locale: plan.tenant.locale,
      priority: priorityNumber(body.priority ?? 'normal'),
      validation,
      validatedByPerson: false,
      sendAt: plan.sendAt,
      notAfter: plan.notAfter,
      releaseAt: status === 'V' ? (plan.sendAt ?? plan.now) : null,
      channelAccountId: plan.accountId,
      jobId: null,
      attemptCount: 0,
      firstTriedAt: null,
      sentAt: null,
      providerReference: null,
      origin: body.origin ?? 'api',
      contextType: context?.type ?? null,
      contextRef: context?.ref ?? null,
      requestedByUser: body.requestedBy?.user ?? caller.user,
      requestedByOsUser: body.requestedBy?.osUser ?? null,
      requestedByWorkstation: body.requestedBy?.workstation ?? null,
      editedAt: plan.editedAt,
      revision: 1,
      createdAt: plan.now,
      updatedAt: plan.now,
    },
  };
}

/** A message that cannot be sent, or may not be, stops here with its reason. */
export function stopDraft({ row }: DraftMessage, status: 'KO' | 'B', reason: Reason, detail: object | null): void {
  row.status = status;
  row.reason = reason;
  row.reasonDetail = detail === null ? null : { ...detail };
  row.dispatchState = 'idle';
  row.releaseAt = null;
}

/** Applies the rules to the drafts that could be sent: a refused one becomes `B`, a refused copy is left out. */
async function applyRulesToDrafts(db: Db, tenantId: string, drafts: readonly DraftMessage[]): Promise<void> {
  const sendable = drafts.filter(({ row }) => row.status === 'E' || row.status === 'V');
  const verdicts = await applyRules(
    db,
    tenantId,
    sendable.map(({ row }) => ({ ...row, normalized: row.toNormalized })),
  );
  for (const [index, draft] of sendable.entries()) {
    const verdict = verdicts[index];
    for (const [position, reason] of verdict?.blockedCopies ?? []) {
      const copy = draft.row.copies[position];
      if (copy !== undefined) Object.assign(copy, { outcome: 'blocked', reason });
    }
    if (verdict?.reason != null) stopDraft(draft, 'B', verdict.reason, null);
  }
}

/**
 * Makes a draft of every message of the request, still without its texts: who, with what, and whether a fault of
 * the row (`KO`) or a rule (`B`) stops it. Nobody is left out: each row and template gives one draft.
 */
export async function draftMessages(
  deps: { db: Db; clock: Clock; newId: NewId },
  caller: Caller,
  plan: Plan,
  body: SendRequestBody,
): Promise<DraftMessage[]> {
  const references = new Set(body.recipients.map(({ recipient }) => recipient).filter((one) => one !== undefined));
  const documentIds = new Set([
    ...(body.documents ?? []),
    ...body.recipients.flatMap(({ documents = [] }) => documents),
  ]);
  const source: Source = {
    body,
    plan,
    caller,
    recipients: await findRecipients(deps.db, caller.tenantId, [...references]),
    documents: await findDocuments(deps.db, caller.tenantId, [...documentIds]),
  };
  const drafts = plan.templates.flatMap((planned) =>
    body.recipients.map((row, index) => draftOf(deps.newId, source, planned, index, row)),
  );
  await applyRulesToDrafts(deps.db, caller.tenantId, drafts);
  return drafts;
}
