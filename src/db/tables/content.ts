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
    validation: text('validation', { enum: ['manual', 'automatic'] }),
    /** What recipients must have consented to (M8). */
    consentPurpose: text('consent_purpose', { enum: ['management', 'prospecting', 'third-party'] }),
    resendAllowed: boolean('resend_allowed').notNull().default(false),
    active: boolean('active').notNull(),
    /** Why the service itself made it inactive; null: it did not. */
    disabledReason: text('disabled_reason', { enum: ['timeouts'] }),
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
    check('templates_disabled_is_inactive', sql`${table.disabledReason} is null or not ${table.active}`),
  ],
);

/** Threads that a template's current version ended within the last hour: some at most, since more disable it. */
export const templateIncidents = pgTable(
  'template_incidents',
  {
    tenantId: tenantId(),
    templateId: uuid('template_id').notNull(),
    id: uuid('id').notNull(),
    version: integer('version').notNull(),
    at: instant('at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.templateId, table.id] })],
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

/** The frame that the sections of mails are put into (A8). A change makes new versions of the templates that use it. */
export const layouts = pgTable(
  'layouts',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    key: text('key').notNull(),
    title: text('title').notNull(),
    logo: jsonb('logo').$type<StoredDocument>(),
    logoText: text('logo_text').notNull(),
    academicYear: text('academic_year'),
    /** Liquid. */
    identity: text('identity'),
    css: text('css'),
    /** The whole frame with the places of sections; null: the service's own. */
    html: text('html'),
    version: integer('version').notNull(),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('layouts_key').on(table.tenantId, table.key),
  ],
);

/** The texts of one language as they were written: HTML and text, MJML, or sections of a layout. */
export interface WrittenTexts {
  subject: string;
  html?: string;
  text?: string;
  mjml?: string;
  sections?: WrittenSections;
}

/** What stands in the places of a layout. */
export interface WrittenSections {
  header?: string;
  body?: string;
  list?: string;
  information?: string;
  signature?: string;
}

/** The three texts that are rendered. */
export interface StoredParts {
  subject: string;
  text: string;
  html: string;
}

/** A picture that a mail shows within its text, by its content id (RFC 2392). */
export interface StoredInlineImage {
  contentId: string;
  filename: string;
  mediaType: string;
  sha256: string;
}

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
    /** Liquid that gives the address to write to (M4). */
    to: text('to_expression'),
    /** The texts in other languages, by language tag. */
    locales: json('locales').$type<Record<string, StoredParts>>().notNull().default({}),
    /** What the texts were made from, by language tag, the empty one for those above; null: they were written as they are. */
    written: json('written').$type<Record<string, WrittenTexts>>(),
    layoutId: uuid('layout_id'),
    layoutVersion: integer('layout_version'),
    inlineImages: jsonb('inline_images').$type<StoredInlineImage[]>().notNull().default([]),
    /** Attached to every message. */
    documents: jsonb('documents').$type<StoredDocument[]>().notNull().default([]),
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
