import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  index,
  integer,
  json,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { instant, lifetime, tenantId } from './columns.ts';
import type { StoredDocument } from './content.ts';

/** A display name and one address, as kept with a message. */
export interface StoredMailbox {
  name: string | null;
  address: string;
}

/** One copy of a message (cc, bcc, or the sender's archive) and what became of it. Its address is empty once erased. */
export interface StoredCopy extends StoredMailbox {
  kind: 'cc' | 'bcc' | 'archive';
  outcome: 'pending' | 'accepted' | 'failed' | 'uncertain' | 'blocked' | 'skipped';
  reason: string | null;
  code: number | null;
  at: string | null;
  /** How often nobody could tell whether it had left. */
  doubts?: number;
}

/** Literal texts that replace what the template would give. */
export interface StoredOverrides {
  subject?: string;
  text?: string;
  html?: string;
}

/** A template of a send request, pinned to one version. */
export interface PinnedTemplate {
  id: string;
  key: string;
  version: number;
}

/** One order to send. */
export const sendRequests = pgTable(
  'send_requests',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    test: boolean('test').notNull(),
    status: text('status', { enum: ['draft', 'accepted', 'cancelled'] }).notNull(),
    templates: jsonb('templates').$type<PinnedTemplate[]>().notNull(),
    documentType: text('document_type'),
    mode: text('mode', { enum: ['partial', 'all-or-nothing'] }).notNull(),
    validation: text('validation', { enum: ['manual', 'automatic'] }).notNull(),
    sendAt: instant('send_at'),
    notAfter: instant('not_after'),
    editedAt: instant('edited_at'),
    priority: text('priority', { enum: ['urgent', 'normal', 'bulk'] }).notNull(),
    highPriority: boolean('high_priority').notNull(),
    origin: text('origin').notNull(),
    contextType: text('context_type'),
    contextRef: text('context_ref'),
    requestedByUser: text('requested_by_user'),
    requestedByOsUser: text('requested_by_os_user'),
    requestedByWorkstation: text('requested_by_workstation'),
    recordEvent: boolean('record_event').notNull(),
    /** Rows in the request: what the caller asked for. */
    recipientCount: integer('recipient_count').notNull(),
    /** Messages it made: always the sum of its messages by status. */
    createdCount: integer('created_count').notNull(),
    apiKeyId: uuid('api_key_id').notNull(),
    confirmedAt: instant('confirmed_at'),
    cancelledAt: instant('cancelled_at'),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    check('send_requests_status', sql`${table.status} in ('draft', 'accepted', 'cancelled')`),
  ],
);

/** The body of a draft, kept until it is confirmed or cancelled. */
export const sendRequestDrafts = pgTable(
  'send_request_drafts',
  {
    tenantId: tenantId(),
    sendRequestId: uuid('send_request_id').notNull(),
    /** `json`, not `jsonb`: the order of keys is part of what a template sees. */
    body: json('body').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.sendRequestId] })],
);

/**
 * One recipient, one channel, one address, one content: the thing that has a status.
 *
 * `dispatchState` is where it stands on its way out (and is `idle` when nothing is to be done for it);
 * `delivery` is what is known once it left. The API shows the two as one field.
 */
export const messages = pgTable(
  'messages',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    sendRequestId: uuid('send_request_id').notNull(),
    rowIndex: integer('row_index').notNull(),
    test: boolean('test').notNull(),
    channel: text('channel', { enum: ['mail'] }).notNull(),
    status: text('status', { enum: ['E', 'V', 'OK', 'KO', 'B'] }).notNull(),
    dispatchState: text('dispatch_state', { enum: ['idle', 'waiting', 'queued', 'sending'] }).notNull(),
    delivery: text('delivery', { enum: ['none', 'sent', 'delivered', 'bounced', 'uncertain'] }).notNull(),
    reason: text('reason'),
    /** What the reason is about: field names, a provider's code. Never an address. */
    reasonDetail: jsonb('reason_detail').$type<Record<string, unknown>>(),
    remark: text('remark'),
    templateId: uuid('template_id').notNull(),
    templateVersion: integer('template_version').notNull(),
    notificationTypeId: uuid('notification_type_id'),
    /** The level of consent it needs (M8). */
    consentLevel: smallint('consent_level').notNull().default(1),
    /** It carries a link to unsubscribe (RFC 8058). */
    subscription: boolean('subscription').notNull().default(false),
    senderId: uuid('sender_id'),
    senderVersion: integer('sender_version'),
    recipientId: uuid('recipient_id'),
    toName: text('to_name'),
    toAddress: text('to_address'),
    toNormalized: text('to_normalized'),
    /** Of the address, under the tenant's own key, once the address itself was erased. */
    toHash: text('to_hash'),
    replyTo: text('reply_to'),
    copies: jsonb('copies').$type<StoredCopy[]>().notNull(),
    /** `json`, not `jsonb`: the order of keys is part of what a template sees. */
    data: json('data').$type<Record<string, unknown>>().notNull(),
    overrides: jsonb('overrides').$type<StoredOverrides>().notNull(),
    documents: jsonb('documents').$type<StoredDocument[]>().notNull(),
    highPriority: boolean('high_priority').notNull(),
    subject: text('subject'),
    contentHash: text('content_hash'),
    /** Goes up with each correction and each resend by a person: part of the Message-ID. */
    contentRevision: integer('content_revision').notNull(),
    clockAt: instant('clock_at').notNull(),
    timezone: text('timezone').notNull(),
    locale: text('locale').notNull(),
    priority: smallint('priority').notNull(),
    validation: text('validation', { enum: ['manual', 'automatic'] }).notNull(),
    validatedByPerson: boolean('validated_by_person').notNull(),
    sendAt: instant('send_at'),
    notAfter: instant('not_after'),
    /** Not before this time may it be given to the queue. */
    releaseAt: instant('release_at'),
    channelAccountId: uuid('channel_account_id'),
    jobId: uuid('job_id'),
    attemptCount: integer('attempt_count').notNull(),
    /** First try since it was last validated: tries end a day later where there is no `notAfter`. */
    firstTriedAt: instant('first_tried_at'),
    sentAt: instant('sent_at'),
    providerReference: text('provider_reference'),
    origin: text('origin').notNull(),
    contextType: text('context_type'),
    contextRef: text('context_ref'),
    requestedByUser: text('requested_by_user'),
    requestedByOsUser: text('requested_by_os_user'),
    requestedByWorkstation: text('requested_by_workstation'),
    editedAt: instant('edited_at'),
    /** Since when it holds nothing personal. */
    erasedAt: instant('erased_at'),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    index('messages_send_request').on(table.tenantId, table.sendRequestId, table.rowIndex),
    index('messages_status').on(table.tenantId, table.status, table.id),
    index('messages_template').on(table.tenantId, table.templateId, table.status, table.test),
    index('messages_address').on(table.tenantId, table.toNormalized),
    // What most rows have not is not in their indexes: each costs every move of every message.
    index('messages_recipient').on(table.tenantId, table.recipientId).where(sql`${table.recipientId} is not null`),
    index('messages_context').on(table.tenantId, table.contextRef).where(sql`${table.contextRef} is not null`),
    index('messages_requested_by')
      .on(table.tenantId, table.requestedByUser, table.id)
      .where(sql`${table.requestedByUser} is not null`),
    index('messages_os_user')
      .on(table.tenantId, table.requestedByOsUser, table.id)
      .where(sql`${table.requestedByOsUser} is not null`),
    index('messages_workstation')
      .on(table.tenantId, table.requestedByWorkstation, table.id)
      .where(sql`${table.requestedByWorkstation} is not null`),
    index('messages_reason').on(table.tenantId, table.reason, table.id).where(sql`${table.reason} is not null`),
    index('messages_sent_at').on(table.tenantId, table.sentAt).where(sql`${table.sentAt} is not null`),
    index('messages_edited_at').on(table.tenantId, table.editedAt).where(sql`${table.editedAt} is not null`),
    index('messages_waiting')
      .on(table.tenantId, table.channelAccountId, table.sendRequestId, table.priority, table.releaseAt)
      .where(sql`${table.dispatchState} = 'waiting'`),
    index('messages_homeless')
      .on(table.tenantId)
      .where(sql`${table.dispatchState} = 'waiting' and ${table.channelAccountId} is null`),
    index('messages_expiring')
      .on(table.notAfter)
      .where(sql`${table.status} in ('E', 'V') and ${table.notAfter} is not null`),
    index('messages_in_queue')
      .on(table.tenantId, table.channelAccountId)
      .where(sql`${table.dispatchState} in ('queued', 'sending')`),
    check('messages_status_known', sql`${table.status} in ('E', 'V', 'OK', 'KO', 'B')`),
    check('messages_valid_is_on_its_way', sql`${table.status} <> 'V' or ${table.dispatchState} <> 'idle'`),
    check('messages_only_valid_leaves', sql`${table.dispatchState} = 'idle' or ${table.status} in ('V', 'OK')`),
    check('messages_failure_has_reason', sql`${table.status} not in ('KO', 'B') or ${table.reason} is not null`),
    check(
      'messages_erased_is_empty',
      sql`${table.erasedAt} is null or (${table.status} not in ('E', 'V') and ${table.dispatchState} = 'idle'
        and coalesce(${table.toAddress}, ${table.toNormalized}, ${table.toName}, ${table.subject}) is null)`,
    ),
    check(
      'messages_job_while_queued',
      sql`(${table.dispatchState} in ('queued', 'sending')) = (${table.jobId} is not null)`,
    ),
  ],
);

/** Every move of a message: who, when, from, to, why. */
export const transitions = pgTable(
  'transitions',
  {
    tenantId: tenantId(),
    messageId: uuid('message_id').notNull(),
    id: uuid('id').notNull(),
    at: instant('at').notNull(),
    fromStatus: text('from_status'),
    toStatus: text('to_status').notNull(),
    actorKind: text('actor_kind', { enum: ['key', 'service'] }).notNull(),
    actorKeyId: uuid('actor_key_id'),
    actorUser: text('actor_user'),
    reason: text('reason'),
    remark: text('remark'),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.messageId, table.id] })],
);

/** What became of one copy in one attempt. */
export interface StoredCopyOutcome {
  address: string;
  outcome: string;
  reason: string | null;
  code: number | null;
}

/** One try to hand a message to a provider. Committed before the provider is called. */
export const attempts = pgTable(
  'attempts',
  {
    tenantId: tenantId(),
    messageId: uuid('message_id').notNull(),
    id: uuid('id').notNull(),
    number: integer('number').notNull(),
    channelAccountId: uuid('channel_account_id').notNull(),
    workerId: uuid('worker_id').notNull(),
    contentRevision: integer('content_revision').notNull(),
    startedAt: instant('started_at').notNull(),
    finishedAt: instant('finished_at'),
    outcome: text('outcome'),
    reason: text('reason'),
    step: text('step'),
    code: integer('code'),
    enhancedCode: text('enhanced_code'),
    answer: text('answer'),
    durationMs: integer('duration_ms'),
    copies: jsonb('copies').$type<StoredCopyOutcome[]>(),
    /** An outcome that came after the attempt had been given up as uncertain. */
    lateOutcome: text('late_outcome'),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.messageId, table.id] }),
    uniqueIndex('attempts_one_open').on(table.tenantId, table.messageId).where(sql`${table.finishedAt} is null`),
  ],
);
