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
import { instant, lifetime, tenantId } from './columns.ts';

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

/** An address never to be used again, by channel. */
export const suppressions = pgTable(
  'suppressions',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    channel: text('channel', { enum: ['mail'] }).notNull(),
    /** Compared form; null once it was forgotten: the hash stays, and still stops messages. */
    address: text('address'),
    /** Of channel and compared form, under the tenant's own key. */
    addressHash: text('address_hash').notNull(),
    cause: text('cause', { enum: ['bounce', 'complaint', 'unsubscribed', 'manual'] }).notNull(),
    since: instant('since').notNull(),
    note: text('note'),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('suppressions_address').on(table.tenantId, table.channel, table.addressHash),
    check('suppressions_cause', sql`${table.cause} in ('bounce', 'complaint', 'unsubscribed', 'manual')`),
  ],
);

/** The key of a tenant's address hashes. It is made once and never changes: hashes that are kept depend on it. */
export const suppressionKeys = pgTable(
  'suppression_keys',
  {
    tenantId: tenantId(),
    /** Sealed with the service's secrets; sealed anew when those are rotated. */
    sealedKey: text('sealed_key').notNull(),
    ...lifetime(),
  },
  (table) => [primaryKey({ columns: [table.tenantId] })],
);
