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
import { instant, lifetime, tenantId } from './columns.ts';
import type { StoredDocument } from './content.ts';
import type { FieldsShape } from './merge-fields.ts';

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
    extractionId: uuid('extraction_id'),
    validation: text('validation', { enum: ['manual', 'automatic'] }),
    /** What recipients must have consented to (M8). */
    consentPurpose: text('consent_purpose', { enum: ['management', 'prospecting', 'third-party'] }),
    /** Which address is written to (A9); null: as the tenant says. */
    addressPolicy: text('address_policy'),
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
