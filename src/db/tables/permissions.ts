import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  index,
  integer,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { instant, lifetime, tenantId } from './columns.ts';

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
    /** Mail of this kind carries a link to unsubscribe (RFC 8058). */
    subscription: boolean('subscription').notNull().default(false),
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

/** Every choice that was made, with its date and author (M10). Append-only. */
export const choiceChanges = pgTable(
  'choice_changes',
  {
    tenantId: tenantId(),
    recipientId: uuid('recipient_id').notNull(),
    id: uuid('id').notNull(),
    notificationTypeId: uuid('notification_type_id').notNull(),
    channel: text('channel').notNull(),
    accepted: boolean('accepted').notNull(),
    source: text('source'),
    author: text('author'),
    at: instant('at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.recipientId, table.id] })],
);

/**
 * What a person allows by one kind of address (M8). Append-only: the newest that has begun holds, the others are the
 * history.
 */
export const consents = pgTable(
  'consents',
  {
    tenantId: tenantId(),
    recipientId: uuid('recipient_id').notNull(),
    id: uuid('id').notNull(),
    addressKind: text('address_kind', { enum: ['postal', 'landline', 'mobile', 'mail'] }).notNull(),
    /** 0 refused, 1 management only, 2 also prospecting, 3 also third parties. */
    level: smallint('level').notNull(),
    /** From when it holds. */
    since: instant('since').notNull(),
    source: text('source'),
    author: text('author'),
    /** The words that were agreed to. */
    proof: text('proof'),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.recipientId, table.id] }),
    index('consents_held').on(table.tenantId, table.recipientId, table.addressKind, table.since, table.id),
    check('consents_level', sql`${table.level} between 0 and 3`),
  ],
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
