import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  index,
  integer,
  json,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { lifetime, tenantId } from './columns.ts';

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
    attributes: json('attributes').$type<Record<string, unknown>>().notNull(),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('recipients_external_id').on(table.tenantId, table.type, table.externalId),
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

/** A kind of notice of the tenant's catalogue (W5, M9). */
export const notificationTypes = pgTable(
  'notification_types',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    key: text('key').notNull(),
    title: text('title').notNull(),
    active: boolean('active').notNull(),
    channels: text('channels').array().notNull(),
    /** What holds for a person who has said nothing. `off`: the box must be ticked. */
    defaultChoice: text('default_choice', { enum: ['on', 'off'] }).notNull(),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('notification_types_key').on(table.tenantId, table.key),
    check('notification_types_default_choice', sql`${table.defaultChoice} in ('on', 'off')`),
  ],
);

/** What one person chose for one kind of notice and one channel. */
export const choices = pgTable(
  'choices',
  {
    tenantId: tenantId(),
    recipientId: uuid('recipient_id').notNull(),
    notificationTypeId: uuid('notification_type_id').notNull(),
    channel: text('channel').notNull(),
    accepted: boolean('accepted').notNull(),
    source: text('source'),
    author: text('author'),
    ...lifetime(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.recipientId, table.notificationTypeId, table.channel] })],
);
