import type { NewId } from '../clock.ts';
import type { Db } from '../db/client.ts';
import { findDocuments } from '../documents/store.ts';
import type { MessageRow } from '../messages/content.ts';
import type { Reason } from '../messages/reasons.ts';
import { applyRules, type RuleDeps } from '../messages/rules.ts';
import { priorityNumber } from '../messages/status.ts';
import { levelNeededBy } from '../recipients/permissions/consent-levels.ts';
import type { IncidentDeps } from '../templates/incidents.ts';
import type { Renderer } from '../templates/rendering/renderer.ts';
import { constantsFor, localeOf } from '../templates/version-content.ts';
import type { Caller } from '../tenants/rights.ts';
import { expressAddresses } from './express-addresses.ts';
import type { RowExtracts } from './extract.ts';
import type { People } from './people.ts';
import type { Plan, PlannedTemplate } from './plan.ts';
import {
  contactFault,
  copiesOf,
  type Documents,
  dataOfRecipient,
  documentsOf,
  type ExpressedAddress,
  type Fault,
  localeOfRow,
  type RowBody,
  type Target,
  targetsOf,
} from './row-parts.ts';
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
  /** Which message of the row: one for each address that is written to. */
  part: number;
  errors: RowError[];
}

function dataOf(
  { body, plan, people, extracts }: Source,
  planned: PlannedTemplate,
  row: RowBody,
): Record<string, unknown> {
  const recipient = row.recipient === undefined ? null : (people.byReference.get(row.recipient) ?? null);
  const constants = constantsFor(planned.version, plan.tenant.constants);
  const { data: extracted } = extracts.of(planned, row);
  const data: Record<string, unknown> = { ...constants, ...extracted, ...body.data, ...row.data };
  if (recipient === null || 'recipient' in data) return data;
  return { ...data, ...dataOfRecipient(recipient) };
}

function overridesOf({ overrides = {} }: SendRequestBody): MessageRow['overrides'] {
  const { subject, text, html } = overrides;
  return {
    ...(subject === undefined ? {} : { subject }),
    ...(text === undefined ? {} : { text }),
    ...(html === undefined ? {} : { html }),
  };
}

/** What drafts are made of. */
interface Source {
  body: SendRequestBody;
  plan: Plan;
  caller: Caller;
  people: People;
  documents: Documents;
  extracts: RowExtracts;
}

/** What the template and its sender have against the recipient of a row. */
export function plannedFaults(
  { template, sender }: Pick<PlannedTemplate, 'template' | 'sender'>,
  { recipient }: Pick<Target, 'recipient'>,
): (Target['fault'] | null)[] {
  const types = template.recipientTypes;
  const typeRefused = recipient !== null && types.length > 0 && !types.includes(recipient.type);
  return [
    typeRefused
      ? { pointer: '/recipient', code: 'recipient_type_refused', message: 'the template is for other types' }
      : null,
    sender === null
      ? { pointer: '', code: 'sender_missing', message: 'neither template nor tenant has a sender' }
      : null,
  ];
}

/** What all messages of a request have in common. */
function sharedColumns({ body, plan, caller }: Source) {
  return {
    test: caller.testOnly,
    delivery: 'none' as const,
    replyTo: plan.replyTo,
    overrides: overridesOf(body),
    highPriority: body.highPriority ?? false,
    subject: null,
    contentHash: null,
    contentRevision: 1,
    clockAt: plan.sendAt ?? plan.now,
    timezone: plan.tenant.timezone,
    priority: priorityNumber(body.priority ?? 'normal'),
    validatedByPerson: false,
    sendAt: plan.sendAt,
    notAfter: plan.notAfter,
    channelAccountId: plan.accountId,
    jobId: null,
    attemptCount: 0,
    firstTriedAt: null,
    sentAt: null,
    providerReference: null,
    origin: body.origin ?? 'api',
    requestedByUser: plan.asker,
    requestedByOsUser: body.requestedBy?.osUser ?? null,
    requestedByWorkstation: body.requestedBy?.workstation ?? null,
    toHash: null,
    editedAt: plan.editedAt,
    erasedAt: null,
    revision: 1,
    createdAt: plan.now,
    updatedAt: plan.now,
  };
}

/** A fault as a message keeps it: its code, and the part of the row it is about. */
const faultOf = ({ pointer, code }: { pointer: string; code: Reason }) => ({ code, part: pointer.split('/')[1] ?? '' });

/** What a message that cannot be sent, or may not be, keeps beside its reason. */
function detailOf(faults: readonly Fault[], { block }: Target): MessageRow['reasonDetail'] {
  const [first] = faults;
  // All of them: a correction of one must not let the message leave with the others.
  if (first !== undefined) return { message: first.message, faults: faults.map(faultOf) };
  return block === null ? null : { facts: block.facts };
}

/** One row of the request, for one of its templates. */
interface SourceRow {
  planned: PlannedTemplate;
  index: number;
  row: RowBody;
  data: Record<string, unknown>;
  /** What the template's expression of the address gives; null: it has none. */
  expressed: ExpressedAddress | null;
}

/** The messages of one row for one template: one for each address that is written to. */
function draftsOf(newId: NewId, source: Source, row: SourceRow): DraftMessage[] {
  const targets = targetsOf(row.row, source.people, row.planned.addressPolicy, row.expressed);
  return targets.map((target, part) => draftOf(newId, source, row, { target, part }));
}

function draftOf(
  newId: NewId,
  source: Source,
  { planned, index, row, data }: SourceRow,
  { target, part }: { target: Target; part: number },
): DraftMessage {
  const { body, plan } = source;
  const { template, version, sender, validation } = planned;
  const { copies, faults: copyFaults } = copiesOf(row, sender?.archiveBcc ?? []);
  const attached = documentsOf(
    [...(body.documents ?? []), ...(row.documents ?? [])],
    source.documents,
    version.documents,
  );
  const extracted = source.extracts.of(planned, row);
  // Without what it was to give, the address and the rest may be missing, too.
  const targetFault = extracted.fault !== null && version.to !== null ? null : target.fault;
  const whom = [extracted.fault, targetFault, contactFault(row, source.people)];
  const found = [...whom, ...copyFaults, attached.fault, ...plannedFaults(planned, target)];
  const faults = found.filter((fault) => fault !== null);
  const status = faults.length > 0 ? 'KO' : target.block !== null ? 'B' : validation === 'automatic' ? 'V' : 'E';
  const context = row.context ?? body.context ?? null;
  const homeless = status === 'V' && plan.accountId === null ? 'no_channel_account' : null;
  return {
    templateKey: template.key,
    dedupeKey: row.dedupeKey ?? null,
    part,
    errors: faults.map((fault) => ({ index, ...fault, pointer: `/recipients/${index}${fault.pointer}` })),
    row: {
      ...sharedColumns(source),
      id: newId(),
      rowIndex: index,
      channel: template.channel,
      status,
      dispatchState: status === 'V' ? 'waiting' : 'idle',
      reason: faults[0]?.code ?? target.block?.reason ?? homeless,
      reasonDetail: detailOf(faults, target),
      remark: row.remark ?? null,
      templateId: template.id,
      templateVersion: version.version,
      notificationTypeId: template.notificationTypeId,
      consentLevel: levelNeededBy(template),
      subscription: planned.subscription,
      senderId: sender?.id ?? null,
      senderVersion: sender?.version ?? null,
      recipientId: target.recipient?.id ?? null,
      toName: target.name,
      toAddress: target.address,
      toNormalized: target.normalized,
      copies,
      data,
      locale: localeOf(version, localeOfRow(row, target), plan.tenant.locale),
      documents: attached.documents,
      validation,
      releaseAt: status === 'V' ? (plan.sendAt ?? plan.now) : null,
      contextType: context?.type ?? null,
      contextRef: context?.ref ?? null,
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
async function applyRulesToDrafts(
  deps: RuleDeps & { db: Db },
  tenantId: string,
  drafts: readonly DraftMessage[],
): Promise<void> {
  const sendable = drafts.filter(({ row }) => row.status === 'E' || row.status === 'V');
  const verdicts = await applyRules(
    deps,
    deps.db,
    tenantId,
    sendable.map(({ row }) => ({ ...row, normalized: row.toNormalized })),
  );
  for (const [index, draft] of sendable.entries()) {
    const verdict = verdicts[index];
    for (const [position, reason] of verdict?.blockedCopies ?? []) {
      const copy = draft.row.copies[position];
      if (copy !== undefined) Object.assign(copy, { outcome: 'blocked', reason });
    }
    if (verdict?.reason != null) stopDraft(draft, 'B', verdict.reason, { facts: verdict.facts });
  }
}

/**
 * Makes a draft of every message of the request, still without its texts: who, with what, and whether a fault of
 * the row (`KO`) or a rule (`B`) stops it. Nobody is left out: each row gives a draft in each round.
 */
export async function draftMessages(
  deps: IncidentDeps & RuleDeps & { renderer: Renderer },
  caller: Caller,
  read: Omit<Source, 'caller' | 'documents'>,
): Promise<DraftMessage[]> {
  const { body, plan } = read;
  const documentIds = new Set([
    ...(body.documents ?? []),
    ...body.recipients.flatMap(({ documents = [] }) => documents),
  ]);
  const source: Source = {
    ...read,
    caller,
    documents: await findDocuments(deps.db, caller.tenantId, [...documentIds]),
  };
  const drafts: DraftMessage[] = [];
  for (const round of plan.rounds) {
    const rows = body.recipients.map((row, index) => {
      const planned = round(index);
      return { planned, index, row, data: dataOf(source, planned, row) };
    });
    const expressed = new Map<number, ExpressedAddress>();
    for (const [planned, served] of Map.groupBy(rows, (row) => row.planned)) {
      for (const [index, address] of await expressAddresses(deps, plan, planned, served)) expressed.set(index, address);
    }
    for (const row of rows) {
      drafts.push(...draftsOf(deps.newId, source, { ...row, expressed: expressed.get(row.index) ?? null }));
    }
  }
  await applyRulesToDrafts(deps, caller.tenantId, drafts);
  return drafts;
}
