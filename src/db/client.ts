import { DrizzleQueryError } from 'drizzle-orm/errors';
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';

/** A handle outside any transaction. */
export type Db = PostgresJsDatabase;
/** The only handle inside a transaction. */
export type Tx = Parameters<Parameters<Db['transaction']>[0]>[0];

/** A pool of connections and how to end it. */
export interface DatabaseClient {
  db: Db;
  close(): Promise<void>;
}

/** Opens a pool of at most `connections` to PostgreSQL 15 or newer. Connects on first use. */
export function connectDatabase(options: { url: string; connections: number; name: string }): DatabaseClient {
  const client = postgres(options.url, {
    max: options.connections,
    connect_timeout: 10,
    onnotice: () => undefined,
    connection: { application_name: options.name },
  });
  return { db: drizzle(client), close: () => client.end({ timeout: 5 }) };
}

/**
 * PostgreSQL's error code and constraint, wherever drizzle has put them; for a query that failed on its way, the code
 * of the connection's fault. Null for anything else.
 */
export function databaseError(error: unknown): { code: string; constraint: string | null } | null {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof postgres.PostgresError) {
      return { code: cause.code, constraint: cause.constraint_name ?? null };
    }
    if (cause instanceof DrizzleQueryError && !(cause.cause instanceof postgres.PostgresError)) {
      return { code: String((cause.cause as { code?: unknown } | undefined)?.code ?? 'unknown'), constraint: null };
    }
  }
  return null;
}

/** Faults that pass: PostgreSQL is starting, stopping, out of connections, or not to be reached. */
const passingCodes = new Set(['57P01', '57P02', '57P03', '53300', '08000', '08001', '08003', '08006']);
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
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string' && passingNetworkCodes.has(code)) return true;
  }
  return false;
}
