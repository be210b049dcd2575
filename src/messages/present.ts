import type { Language } from '../errors.ts';
import type { MessageRow } from './content.ts';
import { reasonSentence } from './reasons.ts';
import { type Delivery, priorities } from './status.ts';
import type { AttemptRow, TransitionRow } from './store.ts';

/** Where a message stands, in the one word the API has for it. */
export function deliveryOf(row: Pick<MessageRow, 'status' | 'dispatchState' | 'delivery'>): Delivery {
  return row.status === 'V' && row.dispatchState !== 'idle' ? row.dispatchState : row.delivery;
}

/** Of a copy that was erased nothing is left but what became of it. */
const shownAddress = (address: string) => (address === '' ? null : address);

/** A message as the API shows it. @param redirectedTo where it goes instead, or null. */
export function presentMessage(row: MessageRow, language: Language, redirectedTo: string | null) {
  return {
    id: row.id,
    sendRequest: row.sendRequestId,
    index: row.rowIndex,
    test: row.test,
    channel: row.channel,
    status: row.status,
    delivery: deliveryOf(row),
    reason: row.reason,
    reasonText: reasonSentence(row.reason, language),
    reasonDetail: row.reasonDetail,
    remark: row.remark,
    template: { id: row.templateId, version: row.templateVersion },
    sender: row.senderId === null ? null : { id: row.senderId, version: row.senderVersion },
    recipient: row.recipientId,
    to: row.toAddress === null ? null : { name: row.toName, address: row.toAddress },
    replyTo: row.replyTo,
    copies: row.copies.map(({ doubts: _doubts, address, ...copy }) => ({ ...copy, address: shownAddress(address) })),
    subject: row.subject,
    documents: row.documents,
    highPriority: row.highPriority,
    priority: priorities[row.priority],
    contentHash: row.contentHash,
    messageIdentifier: row.senderId === null ? null : `${row.id}.${row.contentRevision}`,
    validation: row.validation,
    validatedByPerson: row.validatedByPerson,
    sendAt: row.sendAt,
    notAfter: row.notAfter,
    nextTryAt: row.status === 'V' && row.dispatchState === 'waiting' ? row.releaseAt : null,
    editedAt: row.editedAt,
    sentAt: row.sentAt,
    attemptCount: row.attemptCount,
    channelAccount: row.channelAccountId,
    providerReference: row.providerReference,
    redirectedTo: row.test ? null : redirectedTo,
    origin: row.origin,
    context: row.contextRef === null ? null : { type: row.contextType, ref: row.contextRef },
    requestedBy: {
      user: row.requestedByUser,
      osUser: row.requestedByOsUser,
      workstation: row.requestedByWorkstation,
    },
    erasedAt: row.erasedAt,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

/** A move as the API shows it. */
export function presentTransition(row: TransitionRow, language: Language) {
  return {
    id: row.id,
    at: row.at,
    from: row.fromStatus,
    to: row.toStatus,
    actor: { kind: row.actorKind, keyId: row.actorKeyId, user: row.actorUser },
    reason: row.reason,
    reasonText: reasonSentence(row.reason, language),
    remark: row.remark,
  };
}

/** A try as the API shows it. */
export function presentAttempt(row: AttemptRow) {
  const { tenantId: _tenantId, messageId: _messageId, workerId: _workerId, channelAccountId, copies, ...shown } = row;
  return {
    ...shown,
    channelAccount: channelAccountId,
    copies: (copies ?? []).map((copy) => ({ ...copy, address: shownAddress(copy.address) })),
  };
}
