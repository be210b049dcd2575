import { sql } from 'drizzle-orm';
import { boolean, index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { instant, lifetime, tenantId } from './columns.ts';

/** A kind of person or structure that the tenant knows: student, client, member, provider, … */
export const recipientTypes = pgTable(
  'recipient_types',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    key: text('key').notNull(),
    title: text('title').notNull(),
    /** Where those of this type are written to: J5 (`contact`), D3 (`contact-first`), M11 (`own`). */
    reachedThrough: text('reached_through', { enum: ['own', 'contact', 'contact-first'] }).notNull(),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('recipient_types_key').on(table.tenantId, table.key),
  ],
);

/** A person or structure, known by the caller's own reference. */
export const recipients = pgTable(
  'recipients',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    type: text('type').notNull(),
    externalId: text('external_id').notNull(),
    displayName: text('display_name'),
    locale: text('locale'),
    preferredChannel: text('preferred_channel'),
    attributes: jsonb('attributes').$type<Record<string, unknown>>().notNull(),
    /** The member whose consents and choices hold for them, and who is written to (M8, M11). */
    householdOf: uuid('household_of'),
    /** The structure that is reached through them (J5, D3). */
    referenceContactOf: uuid('reference_contact_of'),
    /** The structure that this one is a part of (M11). */
    partOf: uuid('part_of'),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('recipients_external_id').on(table.tenantId, table.type, table.externalId),
    index('recipients_type').on(table.tenantId, table.type, table.id),
    // Only containment is asked of it: half the size of the other operator class.
    index('recipients_attributes').using('gin', table.attributes.op('jsonb_path_ops')),
    // What most rows have not is not in their indexes.
    index('recipients_household').on(table.tenantId, table.householdOf).where(sql`${table.householdOf} is not null`),
    uniqueIndex('recipients_reference_contact')
      .on(table.tenantId, table.referenceContactOf)
      .where(sql`${table.referenceContactOf} is not null`),
    index('recipients_part').on(table.tenantId, table.partOf).where(sql`${table.partOf} is not null`),
  ],
);

/** One way to reach a recipient. */
export const recipientAddresses = pgTable(
  'recipient_addresses',
  {
    tenantId: tenantId(),
    recipientId: uuid('recipient_id').notNull(),
    position: integer('position').notNull(),
    kind: text('kind', { enum: ['mail', 'mobile', 'landline', 'postal', 'push', 'portal'] }).notNull(),
    value: text('value').notNull(),
    /** Compared form: lower case, domain in A-labels. The value itself where the kind has no such form. */
    normalized: text('normalized').notNull(),
    role: text('role'),
    preferred: boolean('preferred').notNull(),
    acceptsContact: boolean('accepts_contact').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.recipientId, table.position] }),
    index('recipient_addresses_normalized').on(table.tenantId, table.kind, table.normalized),
  ],
);

/** That somebody has answered what a context asked (D10). */
export const responses = pgTable(
  'responses',
  {
    tenantId: tenantId(),
    recipientId: uuid('recipient_id').notNull(),
    id: uuid('id').notNull(),
    contextType: text('context_type').notNull(),
    contextRef: text('context_ref').notNull(),
    answeredAt: instant('answered_at').notNull(),
    source: text('source'),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.recipientId, table.id] }),
    uniqueIndex('responses_context').on(table.tenantId, table.contextType, table.contextRef, table.recipientId),
  ],
);
