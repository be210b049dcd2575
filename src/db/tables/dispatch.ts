import { sql } from 'drizzle-orm';
import {
  bigint,
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
import { bytea, instant, lifetime, tenantId } from './columns.ts';

/** The settings and secrets of one driver, with its rhythm (W4). */
export const channelAccounts = pgTable(
  'channel_accounts',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    name: text('name').notNull(),
    channel: text('channel', { enum: ['mail'] }).notNull(),
    driver: text('driver').notNull(),
    settings: jsonb('settings').$type<Record<string, unknown>>().notNull(),
    /** AES-256-GCM, with the id of the key: see `tenants/secrets.ts`. */
    sealedSecrets: text('sealed_secrets'),
    isDefault: boolean('is_default').notNull(),
    /** The account that messages of test keys use. */
    test: boolean('test').notNull(),
    waitAfterSendMs: integer('wait_after_send_ms').notNull(),
    waitWhenIdleMs: integer('wait_when_idle_ms').notNull(),
    waitAfterErrorMs: integer('wait_after_error_ms').notNull(),
    maxPerMinute: integer('max_per_minute'),
    concurrency: integer('concurrency').notNull(),
    onUncertain: text('on_uncertain', { enum: ['resend', 'hold'] }).notNull(),
    pausedAt: instant('paused_at'),
    pauseReason: text('pause_reason'),
    /** The earliest start of the next send, over all workers. */
    nextSlotAt: instant('next_slot_at'),
    /** Nothing was waiting: not looked at again before this time. */
    idleUntil: instant('idle_until'),
    revision: integer('revision').notNull().default(1),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('channel_accounts_id').on(table.id),
    uniqueIndex('channel_accounts_one_default')
      .on(table.tenantId, table.channel, table.test)
      .where(sql`${table.isDefault}`),
    check('channel_accounts_on_uncertain', sql`${table.onUncertain} in ('resend', 'hold')`),
  ],
);

/** How many connections of an account each worker may use now: their sum stays under its concurrency. */
export const accountLeases = pgTable(
  'account_leases',
  {
    tenantId: tenantId(),
    channelAccountId: uuid('channel_account_id').notNull(),
    workerId: uuid('worker_id').notNull(),
    connections: integer('connections').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [
    primaryKey({ name: 'account_leases_pk', columns: [table.tenantId, table.channelAccountId, table.workerId] }),
  ],
);

/**
 * The send requests that have messages waiting, per account and priority: what the releaser takes in turn.
 * `revision` goes up whenever messages are added, so that a lane is never removed under them.
 */
export const dispatchLanes = pgTable(
  'dispatch_lanes',
  {
    tenantId: tenantId(),
    channelAccountId: uuid('channel_account_id').notNull(),
    sendRequestId: uuid('send_request_id').notNull(),
    priority: smallint('priority').notNull(),
    nextReleaseAt: instant('next_release_at').notNull(),
    lastServedAt: instant('last_served_at'),
    revision: bigint('revision', { mode: 'number' }).notNull(),
  },
  (table) => [
    primaryKey({
      name: 'dispatch_lanes_pk',
      columns: [table.tenantId, table.channelAccountId, table.sendRequestId, table.priority],
    }),
    index('dispatch_lanes_due').on(table.tenantId, table.channelAccountId, table.priority, table.nextReleaseAt),
  ],
);

/** A row of a file that was refused: one entry for each thing that is wrong with it. */
export interface StoredRowFault {
  row: number;
  line: number;
  /** Kept for some days, as the message is: it may be a name that the file gave. */
  pointer?: string;
  code: string;
  message?: string;
}

/** What an import has done so far. */
export interface StoredImport {
  created: number;
  changed: number;
  unchanged: number;
  bytesReceived: number;
  bytesRead: number;
  /** The separator of a CSV file. */
  separator: string | null;
  encoding: string | null;
  /** The first row that did not come, when the file was cut. */
  truncatedAt: { row: number; line: number } | null;
  /** The last line has no end, and the others have: the file may have been cut before it was sent. */
  lastLineOpen: boolean;
}

/** Work accepted with a 202: its progress, counts, and errors by row. */
export const operations = pgTable(
  'operations',
  {
    tenantId: tenantId(),
    id: uuid('id').notNull(),
    kind: text('kind').notNull(),
    status: text('status', { enum: ['queued', 'running', 'done', 'failed'] }).notNull(),
    test: boolean('test').notNull(),
    parameters: jsonb('parameters').$type<Record<string, unknown>>().notNull(),
    actor: jsonb('actor').$type<Record<string, unknown>>().notNull(),
    /** Where it goes on after an interruption: committed together with the rows it covers. */
    cursor: text('cursor'),
    total: integer('total').notNull(),
    done: integer('done').notNull(),
    succeeded: integer('succeeded').notNull(),
    refused: jsonb('refused').$type<({ id: string; code: string; status?: string } | StoredRowFault)[]>().notNull(),
    /** Null: it is no import. */
    imported: jsonb('imported').$type<StoredImport>(),
    refusedCount: integer('refused_count').notNull(),
    finishedAt: instant('finished_at'),
    ...lifetime(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    index('operations_unfinished').on(table.createdAt).where(sql`${table.finishedAt} is null`),
    // Imports whose refused rows are still told whole.
    index('operations_refused_rows')
      .on(table.finishedAt)
      .where(
        sql`${table.kind} = 'import' and ${table.refusedCount} > 0 and ${table.parameters} -> 'rowsForgotten' is null`,
      ),
  ],
);

/** The pages of an export, in order. */
export const exportChunks = pgTable(
  'export_chunks',
  {
    tenantId: tenantId(),
    operationId: uuid('operation_id').notNull(),
    number: integer('number').notNull(),
    content: bytea('content').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.operationId, table.number] })],
);

/**
 * A file that comes in while it is being imported. Apart from its operation: who receives it and who works on it each
 * lock their own row.
 */
export const importUploads = pgTable(
  'import_uploads',
  {
    tenantId: tenantId(),
    operationId: uuid('operation_id').notNull(),
    state: text('state', { enum: ['receiving', 'complete', 'cut'] }).notNull(),
    receivedBytes: bigint('received_bytes', { mode: 'number' }).notNull(),
    /** Its work has no job: what comes next gives it one. */
    waiting: boolean('waiting').notNull(),
    /** The last sign of life of who receives it. */
    seenAt: instant('seen_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.operationId] }),
    index('import_uploads_receiving').on(table.seenAt).where(sql`${table.state} = 'receiving'`),
    check('import_uploads_state', sql`${table.state} in ('receiving', 'complete', 'cut')`),
  ],
);

/** A file that is being imported, in pieces of one size. They go as they are read: they hold personal data. */
export const importChunks = pgTable(
  'import_chunks',
  {
    tenantId: tenantId(),
    operationId: uuid('operation_id').notNull(),
    number: integer('number').notNull(),
    content: bytea('content').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.operationId, table.number] })],
);

/**
 * Rows of an import that name somebody who was not there when they were read: looked at again when the file has been
 * read. They go when the import ends: they hold personal data.
 */
export const importWaitingRows = pgTable(
  'import_waiting_rows',
  {
    tenantId: tenantId(),
    operationId: uuid('operation_id').notNull(),
    row: integer('row').notNull(),
    line: integer('line').notNull(),
    type: text('type').notNull(),
    externalId: text('external_id').notNull(),
    /** What the row says, read and checked. */
    given: jsonb('given').$type<Record<string, unknown>>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.operationId, table.row] }),
    index('import_waiting_rows_recipient').on(table.tenantId, table.operationId, table.type, table.externalId),
  ],
);
