import { sql } from 'drizzle-orm';
import { bigint, boolean, index, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { instant, tenantId } from './columns.ts';

/** What happened. Written unnumbered in the transaction that causes it; numbered after commit by the sequencer. */
export const events = pgTable(
  'events',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    sequence: bigint('sequence', { mode: 'number' }),
    type: text('type').notNull(),
    at: instant('at').notNull(),
    test: boolean('test').notNull(),
    resourceId: uuid('resource_id').notNull(),
    /** Ids, statuses and codes only. */
    data: jsonb('data').$type<Record<string, unknown>>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('events_sequence').on(table.tenantId, table.sequence),
    index('events_unnumbered').on(table.tenantId, table.id).where(sql`${table.sequence} is null`),
  ],
);

/** The last number given per tenant. */
export const eventCounters = pgTable('event_counters', {
  tenantId: uuid('tenant_id').primaryKey(),
  lastSequence: bigint('last_sequence', { mode: 'number' }).notNull(),
});

/** Work that one process at a time may do. */
export const leases = pgTable('leases', {
  name: text('name').primaryKey(),
  holder: uuid('holder').notNull(),
  expiresAt: instant('expires_at').notNull(),
});
