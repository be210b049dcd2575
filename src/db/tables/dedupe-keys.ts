import { boolean, index, pgTable, primaryKey, smallint, text, uuid } from 'drizzle-orm/pg-core';
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
    /** Which message of the row: one for each address that is written to (A9). */
    part: smallint('part').notNull().default(0),
    messageId: uuid('message_id').notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.templateId, table.test, table.key, table.part] }),
    index('dedupe_keys_message').on(table.tenantId, table.messageId),
  ],
);
