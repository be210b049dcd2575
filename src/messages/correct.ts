import { and, eq, sql } from 'drizzle-orm';
import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import type { Tx } from '../db/client.ts';
import { messages, type StoredCopy } from '../db/tables/messages.ts';
import { pinDocuments } from '../documents/attach.ts';
import { AppError, invalidField } from '../errors.ts';
import { recordEvents } from '../events/store.ts';
import { recordAudit } from '../tenants/audit.ts';
import type { Actor } from '../tenants/rights.ts';
import { createContentCache, type MessageRow } from './content.ts';
import type { Viewer } from './filter.ts';
import { type PreviewDeps, previewMessage } from './preview.ts';
import { recordMoves } from './record-moves.ts';
import { applyRules } from './rules.ts';
import type { MessageChangeBody } from './schema.ts';
import { actionSources } from './status.ts';
import { getMessage, isErased } from './store.ts';
import type { MoveDeps } from './to-valid.ts';

type CorrectDeps = MoveDeps & PreviewDeps;

function strictAddress(address: string, pointer: string) {
  const parsed = parseAddrSpec(address);
  if (parsed.kind === 'invalid') throw invalidField(pointer, 'address_invalid', parsed.why);
  return parsed;
}

function correctedCopies(row: MessageRow, change: MessageChangeBody): StoredCopy[] {
  const kept = (kind: 'cc' | 'bcc') => row.copies.filter((copy) => copy.kind === kind);
  const made = (kind: 'cc' | 'bcc') =>
    change[kind]?.map(({ address, name }, index): StoredCopy => {
      const parsed = strictAddress(address, `/${kind}/${index}/address`);
      // A copy that went out already is not sent again because another one is corrected.
      const sent = kept(kind).find((copy) => copy.address === parsed.address && copy.outcome === 'accepted');
      const pending = { outcome: 'pending' as const, reason: null, code: null, at: null };
      return sent ?? { kind, name: name ?? null, address: parsed.address, ...pending };
    });
  const archive = row.copies.filter((copy) => copy.kind === 'archive');
  return [...(made('cc') ?? kept('cc')), ...(made('bcc') ?? kept('bcc')), ...archive];
}

function correctedOverrides(row: MessageRow, change: MessageChangeBody): MessageRow['overrides'] {
  const overrides = { ...row.overrides };
  for (const part of ['subject', 'text', 'html'] as const) {
    const text = change[part];
    if (text === null) delete overrides[part];
    else if (text !== undefined) overrides[part] = text;
  }
  return overrides;
}

function checkState(row: MessageRow, revision: number | null): void {
  if (isErased(row)) throw new AppError('erased', { extra: { currentStatus: row.status } });
  if (row.dispatchState === 'sending') throw new AppError('being_sent', { extra: { currentStatus: row.status } });
  const sources: readonly string[] = actionSources.correct;
  if (!sources.includes(row.status)) {
    const detail = `Only a message in ${sources.join(', ')} can be corrected; this one is in ${row.status}.`;
    throw new AppError('illegal_move', { detail, extra: { currentStatus: row.status } });
  }
  if (revision !== null && revision !== row.revision) throw new AppError('precondition_failed');
}

/** Faults of the row that the message was born with and that no correction has touched yet. */
function remainingFaults(row: MessageRow, change: MessageChangeBody): { code: string; part: string }[] {
  const faults = row.status === 'KO' ? (row.reasonDetail?.faults ?? []) : [];
  const corrects: Record<string, readonly (keyof MessageChangeBody)[]> = {
    to: ['to'],
    // A recipient that does not exist, or is not for this template: a person may still give an address.
    recipient: ['to'],
    // A contact that does not exist was to say where: the address says it.
    contact: ['to'],
    cc: ['cc'],
    bcc: ['bcc'],
    documents: ['documents'],
    key: ['data'],
  };
  return (faults as { code: string; part: string }[]).filter(
    ({ part }) => !(corrects[part] ?? []).some((field) => change[field] !== undefined),
  );
}

/** What the correction changes, before the texts are rendered again. */
async function corrected(deps: CorrectDeps, tx: Tx, row: MessageRow, change: MessageChangeBody): Promise<MessageRow> {
  const to = change.to === undefined ? null : strictAddress(change.to.address, '/to/address');
  return {
    ...row,
    ...(to === null ? {} : { toAddress: to.address, toNormalized: to.normalized }),
    ...(change.to?.name === undefined ? {} : { toName: change.to.name }),
    copies: correctedCopies(row, change),
    data: change.data === undefined ? row.data : { ...row.data, ...change.data },
    overrides: correctedOverrides(row, change),
    documents:
      change.documents === undefined ? row.documents : await pinDocuments(deps, tx, row.tenantId, change.documents),
    contentRevision: row.contentRevision + 1,
  };
}

/**
 * Corrects a message in `E`, `B` or `KO` (W11): a new content, hash and Message-ID. Texts are literal, never Liquid.
 * Rules follow the new address: an `E` they refuse becomes `B`. The status does not change otherwise: `validate` or
 * `resend` come after. A remark alone changes no content.
 * @throws AppError `erased`, `illegal_move`, `being_sent`, `precondition_failed`, `unprocessable` (an address, a document),
 * `cannot_be_sent` when the template cannot be rendered with the new data.
 */
export async function correctMessage(
  deps: CorrectDeps,
  tx: Tx,
  target: { viewer: Viewer; id: string; actor: Actor; revision: number | null },
  change: MessageChangeBody,
): Promise<MessageRow> {
  const row = await getMessage(tx, target.viewer, target.id, { lock: true });
  checkState(row, target.revision);
  const { remark = row.remark, ...contentChange } = change;
  const touched = Object.keys(contentChange).length > 0;
  const next = touched ? await corrected(deps, tx, row, change) : row;
  const [verdict] = touched
    ? await applyRules(deps, tx, row.tenantId, [{ ...next, normalized: next.toNormalized }])
    : [];
  for (const [position, reason] of verdict?.blockedCopies ?? []) {
    const copy = next.copies[position];
    // What has left stays as it was told.
    if (copy !== undefined && copy.outcome !== 'accepted') Object.assign(copy, { outcome: 'blocked', reason });
  }
  // Read with the connection that is held: waiting for another, as many corrections at once as there are never end.
  const faults = remainingFaults(row, change);
  const whole = touched && faults.length === 0;
  const prepared = whole
    ? await previewMessage(deps, createContentCache(tx), next, { redirect: null, composedAt: null })
    : null;
  const [fault] = touched ? faults : [];
  const blocked = row.status === 'E' ? (verdict?.reason ?? null) : null;
  const [saved] = await tx
    .update(messages)
    .set({
      toAddress: next.toAddress,
      toNormalized: next.toNormalized,
      toName: next.toName,
      copies: next.copies,
      data: next.data,
      overrides: next.overrides,
      documents: next.documents,
      contentRevision: next.contentRevision,
      subject: prepared?.subject ?? row.subject,
      contentHash: prepared?.contentHash ?? row.contentHash,
      remark,
      ...(fault === undefined ? {} : { reason: fault.code, reasonDetail: { faults } }),
      ...(whole && row.reasonDetail?.faults !== undefined ? { reasonDetail: null } : {}),
      ...(touched ? { validatedByPerson: false } : {}),
      ...(blocked === null ? {} : { status: 'B' as const, reason: blocked, reasonDetail: { facts: verdict?.facts } }),
      revision: sql`${messages.revision} + 1`,
      updatedAt: deps.clock.now(),
    })
    .where(and(eq(messages.tenantId, row.tenantId), eq(messages.id, row.id), eq(messages.status, row.status)))
    .returning();
  if (saved === undefined) throw new Error(`the locked message ${row.id} was not corrected`);
  const { tenantId, id, sendRequestId, test } = row;
  const fields = Object.keys(change);
  const resource = { resourceType: 'message', resourceId: id };
  await recordAudit(deps, tx, { tenantId, actor: target.actor, action: 'updated', ...resource, fields });
  const event = { tenantId, type: 'message.corrected' as const, test, resourceId: id };
  await recordEvents(deps, tx, [{ ...event, data: { sendRequest: sendRequestId, status: saved.status, fields } }]);
  if (blocked !== null) {
    const move = { tenantId, messageId: id, sendRequestId, test, from: 'E' as const, to: 'B' as const };
    await recordMoves(deps, tx, target.actor, [{ ...move, reason: blocked }]);
  }
  return saved;
}
