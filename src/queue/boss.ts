import { sql } from 'drizzle-orm';
import { fromDrizzle, type Job, PgBoss } from 'pg-boss';
import type { Db, Tx } from '../db/client.ts';
import { idList } from '../db/rows.ts';
import { queues } from './queues.ts';

/** The data of a dispatch job: enough to find its message. */
export interface DispatchJobData {
  tenantId: string;
  messageId: string;
}

/** The data of an operation's job. */
export interface OperationJobData {
  tenantId: string;
  operationId: string;
}

/** One claim of a job: the id and the try that was claimed, which fences every later call about it. */
export interface ClaimedJob<Data> {
  id: string;
  retryCount: number;
  data: Data;
}

/** A job to enqueue. */
export interface NewJob<Data> {
  id: string;
  data: Data;
  /** Seconds before it is given to anybody. Default: none. */
  startAfter?: number;
}

/** Ids in one statement: pg-boss expands them to parameters, of which PostgreSQL takes 65,535. */
const idsPerCall = 5_000;

/** What the service uses of pg-boss. Every method that changes something does it inside the caller's transaction. */
export interface JobQueue {
  /** Adds jobs. Throws when one was not added: a job that is silently refused would be a message that never leaves. */
  insert<Data extends object>(tx: Tx, queue: string, jobs: readonly NewJob<Data>[]): Promise<void>;
  /** Claims up to `limit` jobs in the transaction: a rollback gives them back. */
  fetch<Data extends object>(tx: Tx, queue: string, limit: number): Promise<ClaimedJob<Data>[]>;
  /** Removes jobs that this claim still holds; others are left alone. */
  remove(tx: Tx, queue: string, jobs: readonly ClaimedJob<unknown>[]): Promise<void>;
  /** Tells that the claims are alive. Returns the ids that are no longer held by these claims. */
  touch(db: Db, queue: string, jobs: readonly ClaimedJob<unknown>[]): Promise<Set<string>>;
  /** Which of these job ids pg-boss does not know, or has given up. */
  missing(db: Db | Tx, ids: readonly string[]): Promise<Set<string>>;
  /** How many jobs of the queue wait for a worker. */
  depth(db: Db, queue: string): Promise<number>;
  /** Starts the crash recovery of this process (workers only). */
  supervise(): Promise<void>;
  stop(): Promise<void>;
}

const schema = 'pgboss';

function createBoss(databaseUrl: string, options: { supervise: boolean; migrate: boolean }): PgBoss {
  return new PgBoss({
    connectionString: databaseUrl,
    schema,
    max: 4,
    migrate: options.migrate,
    createSchema: options.migrate,
    schedule: false,
    supervise: options.supervise,
    superviseIntervalSeconds: 1,
    monitorIntervalSeconds: 1,
  });
}

/** Makes or migrates pg-boss's tables and every queue. Called by `migrate.ts` alone. */
export async function migrateQueues(databaseUrl: string): Promise<void> {
  const boss = createBoss(databaseUrl, { supervise: false, migrate: true });
  const faults: unknown[] = [];
  boss.on('error', (error) => faults.push(error));
  await boss.start();
  try {
    for (const { name, options } of queues) {
      await boss.createQueue(name, options);
      await boss.updateQueue(name, options);
    }
  } finally {
    await boss.stop({ graceful: false });
  }
  if (faults.length > 0) throw new AggregateError(faults, 'pg-boss could not be migrated');
}

function pages<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / idsPerCall) }, (_, page) =>
    items.slice(page * idsPerCall, (page + 1) * idsPerCall),
  );
}

/**
 * Opens the queue. `supervise` starts crash recovery: jobs whose worker went silent are given out again.
 * @param onError told of pg-boss's own troubles (a lost connection, say); it recovers by itself.
 */
export async function openJobQueue(options: {
  databaseUrl: string;
  supervise: boolean;
  onError(error: Error): void;
}): Promise<JobQueue> {
  const boss = createBoss(options.databaseUrl, { supervise: options.supervise, migrate: false });
  boss.on('error', options.onError);
  await boss.start();
  return {
    async insert(tx, queue, jobs) {
      for (const page of pages(jobs)) {
        const ids = await boss.insert(queue, page, { db: fromDrizzle(tx, sql), returnId: true });
        if (ids?.length !== page.length) throw new Error(`${queue}: ${ids?.length ?? 0} of ${page.length} jobs added`);
      }
    },
    async fetch<Data extends object>(tx: Tx, queue: string, limit: number) {
      const jobs: Job<Data>[] = await boss.fetch<Data>(queue, { batchSize: limit, db: fromDrizzle(tx, sql) });
      return jobs.map(({ id, retryCount, data }) => ({ id, retryCount, data }));
    },
    async remove(tx, queue, jobs) {
      for (const page of pages(jobs)) {
        await boss.deleteJob(
          queue,
          page.map(({ id, retryCount }) => ({ id, retryCount })),
          { db: fromDrizzle(tx, sql) },
        );
      }
    },
    touch: (db, queue, jobs) => touchJobs(boss, db, queue, jobs),
    missing: missingJobs,
    depth: jobDepth,
    supervise: () => boss.supervise(),
    stop: () => boss.stop({ graceful: false }),
  };
}

async function touchJobs(
  boss: PgBoss,
  db: Db,
  queue: string,
  jobs: readonly ClaimedJob<unknown>[],
): Promise<Set<string>> {
  const lost = new Set<string>();
  for (const page of pages(jobs)) {
    const ids = idList(page.map(({ id }) => id));
    const ours = new Set(page.map(({ id, retryCount }) => `${id}/${retryCount}`));
    const active = sql`
      select id, retry_count from pgboss.job where name = ${queue} and id = any(${ids}) and state = 'active'`;
    const held = await db.transaction(async (tx) => {
      // Those whose window is being settled at this moment are locked by it, and end. To wait for them, with others
      // locked already, would be a deadlock: the window waits for those.
      const free = await tx.execute<{ id: string; retry_count: number }>(sql`${active} for update skip locked`);
      const claims = [...free]
        .map(({ id, retry_count }) => ({ id, retryCount: retry_count }))
        .filter(({ id, retryCount }) => ours.has(`${id}/${retryCount}`));
      if (claims.length > 0) await boss.touch(queue, claims, { db: fromDrizzle(tx, sql) });
      return claims.length === page.length ? free : tx.execute<{ id: string; retry_count: number }>(active);
    });
    const known = new Set([...held].map(({ id, retry_count }) => `${id}/${retry_count}`));
    for (const { id, retryCount } of page) if (!known.has(`${id}/${retryCount}`)) lost.add(id);
  }
  return lost;
}

async function missingJobs(db: Db | Tx, ids: readonly string[]): Promise<Set<string>> {
  const missing = new Set(ids);
  const rows = await db.execute<{ id: string }>(sql`
    select id from pgboss.job where id = any(${idList(ids)}) and state in ('created', 'retry', 'active')`);
  for (const { id } of rows) missing.delete(id);
  return missing;
}

async function jobDepth(db: Db, queue: string): Promise<number> {
  const rows = await db.execute<{ count: number }>(sql`
    select count(*)::int as count from pgboss.job where name = ${queue} and state in ('created', 'retry')`);
  return rows[0]?.count ?? 0;
}
