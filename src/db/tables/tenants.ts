import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { instant, lifetime, tenantId } from './columns.ts';

/** An organisation: it owns every other row. */
export const tenants = pgTable(
  'tenants',
  {
    id: uuid('id').primaryKey(),
    name: text('name').notNull(),
    timezone: text('timezone').notNull(),
    locale: text('locale').notNull(),
    defaultValidation: text('default_validation', { enum: ['manual', 'automatic'] }).notNull(),
    /** The address that receives everything instead of the real people (A10). */
    testRedirect: text('test_redirect'),
    /** Key of the template used where a document type has none of its own (W2). */
    defaultTemplate: text('default_template'),
    /** Merge fields that are the same for every message (A8: `URL_PJ_WEB`). */
    constants: jsonb('constants').$type<Record<string, string>>().notNull().default({}),
    documentMaxBytes: integer('document_max_bytes').notNull(),
    /** Which address people are written to (A9), where neither request nor template says. */
    addressPolicy: text('address_policy').notNull().default('preferred'),
    /** The consent of those who never said anything (M8). */
    defaultConsentLevel: smallint('default_consent_level').notNull().default(1),
    /** Days after which what was sent keeps nothing personal; null: for ever. */
    retentionDays: integer('retention_days'),
    /** The same for a category of templates. */
    retentionDaysByCategory: jsonb('retention_days_by_category')
      .$type<{ transactional?: number; service?: number; marketing?: number }>()
      .notNull()
      .default({}),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    check('tenants_validation', sql`${table.defaultValidation} in ('manual', 'automatic')`),
    check('tenants_default_consent_level', sql`${table.defaultConsentLevel} between 0 and 3`),
  ],
);

/** A caller's credential: the secret itself is never kept. */
export const apiKeys = pgTable(
  'api_keys',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    name: text('name').notNull(),
    kind: text('kind', { enum: ['live', 'test'] }).notNull(),
    publicPart: text('public_part').notNull(),
    secretHash: text('secret_hash').notNull(),
    scopes: text('scopes').array().notNull(),
    unit: text('unit'),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
    lastUsedAt: instant('last_used_at'),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('api_keys_public_part').on(table.publicPart),
  ],
);

/** Who changed what, when. */
export const auditEntries = pgTable(
  'audit_entries',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    at: instant('at').notNull(),
    action: text('action').notNull(),
    resourceType: text('resource_type').notNull(),
    resourceId: uuid('resource_id').notNull(),
    actorKeyId: uuid('actor_key_id'),
    actorUser: text('actor_user'),
    /** Names of the fields that changed; never their values, which may be personal or secret. */
    fields: jsonb('fields').$type<string[]>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    index('audit_entries_resource').on(table.tenantId, table.resourceType, table.resourceId),
  ],
);

/** First answers of requests that carried an `Idempotency-Key`. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    tenantId: tenantId(),
    /** Its keyed hash: the text may name a person. As the caller gave it where an older version kept it. */
    key: text('key').notNull(),
    test: boolean('test').notNull(),
    fingerprint: text('fingerprint').notNull(),
    status: integer('status'),
    /** Ids, indexes and codes only; never personal data. */
    answer: jsonb('answer'),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.test, table.key] }),
    index('idempotency_keys_created_at').on(table.createdAt),
  ],
);
