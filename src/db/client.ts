import { DrizzleQueryError } from 'drizzle-orm/errors';
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { type AnswerWatch, type Conversation, createAnswerWatch } from './answer-watch.ts';
import { createPreparing, type Preparing } from './prepare.ts';

/** A handle outside any transaction. */
export type Db = PostgresJsDatabase;
/** The only handle inside a transaction. */
export type Tx = Parameters<Parameters<Db['transaction']>[0]>[0];

/** A pool of connections and how to end it. */
export interface DatabaseClient {
  db: Db;
  close(): Promise<void>;
}

/** How long what runs on connections that are left may take, once others of its pool were lost. */
const retirementMs = 15_000;

/** No statement of the service takes this long. */
const longestStatementMs = 60_000;
/** How much longer an answer may be on its way. */
const answerPatienceMs = 15_000;

/** A pool that has never reached its server is replaced this often at most: most are refused at once while it starts. */
const patienceToConnectMs = 1_000;
/** Between two tries to connect, in seconds. */
const reconnectSeconds = 0.2;

/** No transaction of the service waits this long between two of its statements. */
const longestIdleInTransactionMs = 10_000;

interface Pool {
  db: Db;
  end(seconds: number): Promise<void>;
}

/**
 * For processes that find rows by keys and small indexes, thousands of times a minute. Planning each of these statements
 * again takes as long as carrying it out. But a plan is kept for long, and the tables of a queue are empty when it is
 * made: reading them whole looks cheapest then, and is the worst an hour later.
 */
const byKey = { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off', jit: 'off' };

/**
 * Opens a pool of at most `connections` to PostgreSQL 15 or newer. Connects on first use. When a connection is lost
 * the pool is replaced: postgres.js 3.4.9 may never write again over a connection that was closed with a write
 * planned, and ends the process when it writes to one that is gone.
 */
export function connectDatabase(options: {
  url: string;
  connections: number;
  name: string;
  /** Whether it dispatches. */
  byKey?: boolean;
  /** Longest time of a statement; null: no limit (migrations). Default: a minute. */
  statementMs?: number | null;
  /** How much later its answer may come. Default: 15 s. */
  answerMs?: number;
}): DatabaseClient {
  const statementMs = options.statementMs === undefined ? longestStatementMs : options.statementMs;
  const retired = new Set<Pool>();
  let closing = false;
  let current: Pool;

  function open(): Pool {
    const openedAt = performance.now();
    let connected = false;
    const client = postgres(options.url, {
      max: options.connections,
      connect_timeout: 10,
      backoff: () => reconnectSeconds,
      // A server tells its parameters first of all.
      onparameter: () => {
        connected = true;
      },
      onnotice: () => undefined,
      connection: {
        application_name: options.name,
        // A process that stands still in the middle of a transaction must not hold its locks: others wait for them.
        idle_in_transaction_session_timeout: longestIdleInTransactionMs,
        ...(statementMs === null ? {} : { statement_timeout: statementMs }),
        ...(options.byKey ? byKey : {}),
      },
      // A connection that ends by its age is no loss; nothing here needs young ones.
      max_lifetime: null,
      onclose: replace,
    });
    const watch =
      statementMs === null ? null : createAnswerWatch(statementMs + (options.answerMs ?? answerPatienceMs), replace);
    function replace(): void {
      if (closing || current !== pool) return;
      if (!connected && performance.now() - openedAt < patienceToConnectMs) return;
      current = open();
      retired.add(pool);
      // Not asked to end before: it would wait for queries whose connection is gone.
      setTimeout(() => pool.end(0).finally(() => retired.delete(pool)), retirementMs).unref();
    }
    const preparing = createPreparing();
    const conversation = watch?.begin();
    client.unsafe = preparing(watched(client.unsafe.bind(client), conversation), { alone: true });
    guardTransactions(client, { preparing, watch, conversation });
    const pool: Pool = {
      db: drizzle(client),
      end(timeout) {
        watch?.end();
        return client.end({ timeout }).catch(() => undefined);
      },
    };
    return pool;
  }

  current = open();
  const db = new Proxy({} as Db, {
    get(_target, key) {
      const value = Reflect.get(current.db, key);
      return typeof value === 'function' && key !== '$client' ? value.bind(current.db) : value;
    },
  });
  return {
    db,
    async close() {
      closing = true;
      await Promise.all([current.end(5), ...[...retired].map((pool) => pool.end(0))]);
    },
  };
}

/** An error and what caused it, the outermost first. */
function* causesOf(error: unknown): Generator<Error & { code?: unknown }> {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) yield cause;
}

/** A connection that is gone, or that PostgreSQL is about to close. */
function isLost(error: unknown): boolean {
  for (const cause of causesOf(error)) {
    if (cause instanceof postgres.PostgresError) return cause.severity === 'FATAL' || cause.severity === 'PANIC';
    if (typeof cause.code === 'string' && passingNetworkCodes.has(cause.code)) return true;
  }
  return false;
}

/** A connection that this side has given up: it answers at once that it is gone, and nobody tells of its end. */
function isDestroyed(error: unknown): boolean {
  return causesOf(error).some(({ code }) => code === 'CONNECTION_DESTROYED');
}

/** Tells the watch of each statement. */
function watched(unsafe: postgres.Sql['unsafe'], conversation: Conversation | undefined): postgres.Sql['unsafe'] {
  if (conversation === undefined) return unsafe;
  return ((...query: Parameters<typeof unsafe>) => {
    const asked = unsafe(...query);
    const answered = conversation.ask();
    asked.then(answered, answered);
    return asked;
  }) as typeof unsafe;
}

/**
 * Keeps transactions from writing to a connection that is gone: postgres.js rolls back over it, which ends the
 * process. The work of such a transaction is left unsettled; the transaction itself rejects when its connection
 * closes.
 */
function guardTransactions(
  client: postgres.Sql,
  watching: { preparing: Preparing; watch: AnswerWatch | null; conversation: Conversation | undefined },
): void {
  const begin = client.begin.bind(client) as (work: (sql: postgres.TransactionSql) => unknown) => Promise<unknown>;
  const guarded = (work: (sql: postgres.TransactionSql) => Promise<unknown>): Promise<unknown> => {
    const { preparing, watch } = watching;
    let lost = false;
    const begun = watching.conversation?.ask();
    const done = begin((sql) => {
      begun?.();
      const conversation = watch?.begin();
      const unsafe = preparing(watched(sql.unsafe.bind(sql), conversation));
      sql.unsafe = ((...query: Parameters<typeof unsafe>) => {
        if (lost) throw Object.assign(new Error('the connection is closed'), { code: 'CONNECTION_CLOSED' });
        return unsafe(...query);
      }) as typeof sql.unsafe;
      const ended = work(sql).then(
        // Its commit would be written to nobody; the transaction has failed already.
        (result) => (lost ? new Promise(() => {}) : result),
        (error: unknown) => {
          if (!isDestroyed(error) && (lost || isLost(error))) return new Promise(() => {});
          throw error;
        },
      );
      // What is asked next is the commit, or the rollback.
      const asksForEnd = () => {
        const answered = conversation?.ask();
        done.then(answered, answered);
      };
      ended.then(asksForEnd, asksForEnd);
      return ended;
    });
    done.catch(() => {
      begun?.();
      lost = true;
    });
    return done;
  };
  client.begin = guarded as typeof client.begin;
}

/**
 * PostgreSQL's error code and constraint, wherever drizzle has put them; for a query that failed on its way, the code
 * of the connection's fault. Null for anything else.
 */
export function databaseError(error: unknown): { code: string; constraint: string | null } | null {
  for (const cause of causesOf(error)) {
    if (cause instanceof postgres.PostgresError) {
      return { code: cause.code, constraint: cause.constraint_name ?? null };
    }
    if (cause instanceof DrizzleQueryError && !(cause.cause instanceof postgres.PostgresError)) {
      return { code: String((cause.cause as { code?: unknown } | undefined)?.code ?? 'unknown'), constraint: null };
    }
  }
  return null;
}

/** Faults that pass: PostgreSQL is starting, stopping, not to be reached, or out of what it needs. */
const passingCodes = new Set([
  // Read-only: it has become the standby of another.
  '25006',
  // A password that is being changed.
  '28P01',
  '3D000',
  '40001',
  // A deadlock, a lock or a disk that took too long: the same statement may do well in a second.
  '40P01',
  '53100',
  '53200',
  '55000',
  '57014',
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '08000',
  '08001',
  '08003',
  '08006',
]);
const passingNetworkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
]);

/** Whether the database could not be reached or used at this moment: worth another try soon. */
export function isUnavailable(error: unknown): boolean {
  const known = databaseError(error);
  if (known !== null) return passingCodes.has(known.code) || passingNetworkCodes.has(known.code);
  return causesOf(error).some(({ code }) => typeof code === 'string' && passingNetworkCodes.has(code));
}
