/**
 * Databases for tests. One server serves all files of a test run (`DATABASE_URL`, else an embedded PostgreSQL in a
 * temporary folder), and one template database is migrated once; each call clones it in about 0.1 s.
 *
 * The first file that asks starts a holder process (`postgres-holder.ts`), which owns the server and clears everything
 * away when the run is over: `tap` itself, or the file when it is run alone with `node file.test.ts`.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { identityOf, isAlive } from '../../src/db/embedded/owner.ts';

export interface TestDatabase {
  /** `postgres://…` to a database of its own, migrated and empty. */
  url: string;
  /** Removes the database, open connections included. What is not dropped goes with the run. */
  drop(): Promise<void>;
}

/** What the holder tells the test files. */
export interface TestServer {
  /** To the server's maintenance database. */
  adminUrl: string;
  template: string;
  /** Every database of this run begins with it. */
  prefix: string;
}

const startWithinMs = 90_000;

/** Makes a migrated database for one test file or one test. Fails with the holder's message when there is no server. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = await testServer();
  const name = `${server.prefix}${randomBytes(6).toString('hex')}`;
  await onServer(server.adminUrl, (sql) => sql`CREATE DATABASE ${sql(name)} TEMPLATE ${sql(server.template)}`);
  const url = new URL(server.adminUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => onServer(server.adminUrl, (sql) => sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`),
  };
}

/** Makes a database without any table in it: for tests of the migrations themselves. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  const server = await testServer();
  const name = `${server.prefix}${randomBytes(6).toString('hex')}`;
  await onServer(server.adminUrl, (sql) => sql`CREATE DATABASE ${sql(name)} TEMPLATE template0`);
  const url = new URL(server.adminUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => onServer(server.adminUrl, (sql) => sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`),
  };
}

async function onServer(url: string, work: (sql: postgres.Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** Ends the server of a run at once and waits until everything is cleared away. Without it this happens when the runner ends. */
export async function stopTestServer(runner: number): Promise<void> {
  const folder = runFolder(runner);
  const holder = Number(await readFile(join(folder, 'holder.pid'), 'utf8').catch(() => Number.NaN));
  if (!Number.isInteger(holder) || !isAlive(holder)) return;
  process.kill(holder, 'SIGTERM');
  for (const deadline = Date.now() + 30_000; isAlive(holder) && Date.now() < deadline; ) await wait(20);
}

/** The process whose end is the end of the run: tap starts each file as its own child. */
export function runnerPid(): number {
  return process.env.TAP === undefined ? process.pid : process.ppid;
}

/** One folder per run, told from that of an earlier process with the same number. */
export function runFolder(runner: number): string {
  const startedAt = identityOf(runner).trim().split(' ').at(-1) ?? '';
  return join(tmpdir(), `notification-tests-${runner}-${startedAt}`);
}

let server: Promise<TestServer> | undefined;

function testServer(): Promise<TestServer> {
  server ??= findOrStartServer();
  return server;
}

async function findOrStartServer(): Promise<TestServer> {
  const runner = runnerPid();
  const folder = runFolder(runner);
  // Making the folder is the lock: the first of several files is the one that starts the holder.
  const first = await mkdir(folder).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
  if (first) await startHolder(folder, runner);
  for (const deadline = Date.now() + startWithinMs; Date.now() < deadline; await wait(25)) {
    const failure = await readFile(join(folder, 'failed'), 'utf8').catch(() => '');
    if (failure !== '') throw new Error(`No PostgreSQL for the tests: ${failure}`);
    const ready = await readFile(join(folder, 'ready.json'), 'utf8').catch(() => '');
    if (ready !== '') return JSON.parse(ready) as TestServer;
    const holder = Number(await readFile(join(folder, 'holder.pid'), 'utf8').catch(() => Number.NaN));
    if (Number.isInteger(holder) && !isAlive(holder) && !existsSync(join(folder, 'failed'))) {
      const log = await readFile(join(folder, 'log'), 'utf8').catch(() => '');
      throw new Error(`No PostgreSQL for the tests: the process that holds it ended. ${log.trim()}`);
    }
  }
  throw new Error(`No PostgreSQL for the tests after ${startWithinMs / 1000} s: see ${join(folder, 'log')}`);
}

async function startHolder(folder: string, runner: number): Promise<void> {
  const log = openSync(join(folder, 'log'), 'a');
  const program = fileURLToPath(new URL('./postgres-holder.ts', import.meta.url));
  const { NODE_OPTIONS: _, ...env } = process.env;
  const holder = spawn(process.execPath, [program, folder, String(runner)], {
    env,
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  await new Promise((resolve, reject) => {
    holder.once('spawn', resolve);
    holder.once('error', reject);
  });
  holder.unref();
  await writeFile(join(folder, 'holder.pid'), String(holder.pid));
}
