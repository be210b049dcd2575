import { sql } from 'drizzle-orm';
import { boolean, index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant, lifetime, tenantId } from './columns.ts';

/** A document as a message, or a template, pins it. */
export interface StoredDocument {
  id: string;
  filename: string;
  mediaType: string;
  size: number;
  sha256: string;
}

/** A file as one caller named it; its bytes are in `document_contents`. */
export const documents = pgTable(
  'documents',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    filename: text('filename').notNull(),
    mediaType: text('media_type').notNull(),
    size: integer('size').notNull(),
    sha256: text('sha256').notNull(),
    /** First time a message used it. Null for seven days and it is deleted. */
    usedAt: instant('used_at'),
    /** The operation that erased a message of it and looks whether anything else uses it; null: none does. */
    erasureId: uuid('erasure_id'),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    index('documents_sha256').on(table.tenantId, table.sha256),
    index('documents_unused').on(table.createdAt).where(sql`${table.usedAt} is null`),
    index('documents_erasure').on(table.tenantId, table.erasureId).where(sql`${table.erasureId} is not null`),
  ],
);

/** Bytes, kept once per tenant. */
export const documentContents = pgTable(
  'document_contents',
  {
    tenantId: tenantId(),
    sha256: text('sha256').notNull(),
    content: bytea('content').notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.sha256] })],
);

/** Who messages come from (W3). */
export const senders = pgTable(
  'senders',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    key: text('key').notNull(),
    isDefault: boolean('is_default').notNull(),
    /** The person of the calling application whose own it is (M2). */
    user: text('user_name'),
    currentVersion: integer('current_version').notNull(),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('senders_key').on(table.tenantId, table.key),
    uniqueIndex('senders_user').on(table.tenantId, table.user).where(sql`${table.user} is not null`),
    uniqueIndex('senders_one_default').on(table.tenantId).where(sql`${table.isDefault}`),
  ],
);

/** What a sender said at one time. Never changes: messages pin it. */
export const senderVersions = pgTable(
  'sender_versions',
  {
    tenantId: tenantId(),
    senderId: uuid('sender_id').notNull(),
    version: integer('version').notNull(),
    fromAddress: text('from_address').notNull(),
    fromName: text('from_name'),
    replyTo: text('reply_to'),
    archiveBcc: jsonb('archive_bcc').$type<string[]>().notNull(),
    /** HTML, literal; and the same as text (M2). */
    signature: text('signature'),
    signatureText: text('signature_text'),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.senderId, table.version] })],
);
