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
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { bytea, instant, lifetime, tenantId } from './columns.ts';

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
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    index('documents_sha256').on(table.tenantId, table.sha256),
    index('documents_unused').on(table.createdAt).where(sql`${table.usedAt} is null`),
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
    currentVersion: integer('current_version').notNull(),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('senders_key').on(table.tenantId, table.key),
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
    createdAt: instant('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.senderId, table.version] })],
);

/** What to write. */
export const templates = pgTable(
  'templates',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    key: text('key').notNull(),
    title: text('title').notNull(),
    description: text('description'),
    family: text('family'),
    channel: text('channel', { enum: ['mail'] }).notNull(),
    category: text('category', { enum: ['transactional', 'service', 'marketing'] }).notNull(),
    recipientTypes: text('recipient_types').array().notNull(),
    documentTypes: text('document_types').array().notNull(),
    pages: text('pages').array().notNull().default(sql`'{}'`),
    trigger: text('trigger', { enum: ['person', 'activity'] }),
    notificationTypeId: uuid('notification_type_id'),
    /** Where its fields come from, for rows that have a key; null: from the caller alone. */
    extractionId: uuid('extraction_id'),
    validation: text('validation', { enum: ['manual', 'automatic'] }),
    active: boolean('active').notNull(),
    currentVersion: integer('current_version'),
    createdBy: text('created_by'),
    updatedBy: text('updated_by'),
    /** Kept for the history of what was sent with it (M6); for everything else it is gone. */
    deletedAt: instant('deleted_at'),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('templates_key').on(table.tenantId, table.key).where(sql`${table.deletedAt} is null`),
    index('templates_document_types').using('gin', table.documentTypes),
  ],
);

/** A merge field, in a part of JSON Schema. */
export interface FieldShape {
  type: 'string' | 'number' | 'integer' | 'boolean' | 'object' | 'array';
  title?: string;
  description?: string;
  format?: 'date' | 'date-time' | 'email' | 'uri';
  examples?: unknown[];
  /** Whether it differs for each recipient of a group (J2). */
  scope?: 'individual' | 'shared';
  properties?: Record<string, FieldShape>;
  items?: FieldShape;
  required?: string[];
}

/** Merge fields by name. `json`, not `jsonb`, keeps their order. */
export interface FieldsShape {
  type: 'object';
  properties: Record<string, FieldShape>;
  required?: string[];
}

/** Merge fields that a page of the calling application gives, or all of them. */
export const fieldLists = pgTable(
  'field_lists',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    key: text('key').notNull(),
    title: text('title').notNull(),
    trigger: text('trigger', { enum: ['person', 'activity'] }),
    pages: text('pages').array().notNull(),
    fields: json('fields').$type<FieldsShape>().notNull(),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('field_lists_key').on(table.tenantId, table.key),
  ],
);

/** Where extractions ask: another database, or an HTTP service. */
export const dataSources = pgTable(
  'data_sources',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    key: text('key').notNull(),
    title: text('title').notNull(),
    kind: text('kind', { enum: ['postgresql', 'mariadb', 'http'] }).notNull(),
    settings: jsonb('settings').$type<Record<string, unknown>>().notNull(),
    sealedSecrets: text('sealed_secrets'),
    statementTimeoutMs: integer('statement_timeout_ms').notNull(),
    maximumRows: integer('maximum_rows').notNull(),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('data_sources_key').on(table.tenantId, table.key),
  ],
);

/** A named query that gives the merge fields of some keys (M3). */
export const extractions = pgTable(
  'extractions',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    key: text('key').notNull(),
    title: text('title').notNull(),
    description: text('description'),
    dataSourceId: uuid('data_source_id').notNull(),
    query: text('query').notNull(),
    keyColumn: text('key_column').notNull(),
    keyType: text('key_type', { enum: ['string', 'integer'] }).notNull(),
    /** The rows of a key become a list of this name; null: one row per key, whose columns are the fields. */
    listField: text('list_field'),
    trigger: text('trigger', { enum: ['person', 'activity'] }),
    pages: text('pages').array().notNull(),
    /** What it gives; null: not said, so nothing is unknown where it is used. */
    fields: json('fields').$type<FieldsShape>(),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('extractions_key').on(table.tenantId, table.key),
    index('extractions_data_source').on(table.tenantId, table.dataSourceId),
  ],
);

/** The texts of a template at one time. A published version never changes. */
export const templateVersions = pgTable(
  'template_versions',
  {
    tenantId: tenantId(),
    templateId: uuid('template_id').notNull(),
    version: integer('version').notNull(),
    status: text('status', { enum: ['draft', 'published'] }).notNull(),
    subject: text('subject').notNull(),
    text: text('text').notNull(),
    html: text('html').notNull(),
    /** Paths of the fields the texts read. */
    usedFields: jsonb('fields').$type<string[]>().notNull(),
    /** What it says itself of its fields; null: nothing. */
    fields: json('declared_fields').$type<FieldsShape>(),
    allowUnknown: boolean('allow_unknown').notNull().default(false),
    senderId: uuid('sender_id'),
    publishedAt: instant('published_at'),
    publishedBy: text('published_by'),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.templateId, table.version] }),
    check('template_versions_status', sql`${table.status} in ('draft', 'published')`),
  ],
);
