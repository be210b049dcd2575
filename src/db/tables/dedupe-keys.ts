import { boolean, index, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { instant, tenantId } from './columns.ts';

/** What must be unique across time: one message per caller's key and template. */
export const dedupeKeys = pgTable(
  'dedupe_keys',
  {
    tenantId: tenantId(),
    templateId: uuid('template_id').notNull(),
    test: boolean('test').notNull(),
    /** As the caller gave it; its keyed hash once the message was erased. */
    key: text('key').notNull(),
    /** Whether it is the hash. */
    hidden: boolean('hidden').notNull().default(false),
    messageId: uuid('message_id').notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.templateId, table.test, table.key] }),
    index('dedupe_keys_message').on(table.tenantId, table.messageId),
  ],
);
