import { index, integer, json, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { lifetime, tenantId } from './columns.ts';

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
