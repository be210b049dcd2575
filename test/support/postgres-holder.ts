/**
 * Holds the PostgreSQL of one test run; started by `postgres.ts` with the run's folder and the number of its runner.
 * Ends when the runner is gone, or on SIGTERM: drops the run's databases, stops the server, removes the folder.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import postgres from 'postgres';
import { identityOf, isAlive } from '../../src/db/embedded/owner.ts';
import { startEmbeddedPostgres } from '../../src/db/embedded.ts';
import { migrate } from '../../src/migrate.ts';
import { runFolder, type TestServer } from './postgres.ts';

const [folder = '', runnerArgument = ''] = process.argv.slice(2);
const runner = Number(runnerArgument);
const runnerIdentity = identityOf(runner);
const ending = new AbortController();
process.on('SIGTERM', () => ending.abort());
process.on('SIGINT', () => ending.abort());

interface Server {
  adminUrl: string;
  stop(): Promise<void>;
}

const prefix = `notification_test_${randomBytes(4).toString('hex')}_`;
let server: Server | undefined;
let admin: postgres.Sql | undefined;
try {
  await removeOldFolders();
  server = await startServer();
  admin = postgres(server.adminUrl, { max: 1, onnotice: () => {} });
  const template = await makeTemplate(admin, server.adminUrl);
  await publish('ready.json', JSON.stringify({ adminUrl: server.adminUrl, template, prefix } satisfies TestServer));
  while (!ending.signal.aborted && isAlive(runner) && identityOf(runner) === runnerIdentity) {
    await wait(250, undefined, { signal: ending.signal }).catch(() => {});
  }
} catch (error) {
  console.error(error);
  await publish('failed', error instanceof Error ? error.message : String(error));
  // Every file of the run reads the reason.
  while (!ending.signal.aborted && isAlive(runner))
    await wait(250, undefined, { signal: ending.signal }).catch(() => {});
} finally {
  await clearAway();
}

async function startServer(): Promise<Server> {
  const given = process.env.DATABASE_URL;
  if (given !== undefined && given !== '') return { adminUrl: given, stop: async () => {} };
  // Root runs the server as another user, which has to walk through this folder.
  chmodSync(folder, 0o755);
  const durable = process.env.TEST_FSYNC === 'on';
  const quick = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', checkpoint_timeout: '1h' };
  const embedded = await startEmbeddedPostgres({
    dataDirectory: folder,
    database: 'maintenance',
    settings: { max_connections: '300', ...(durable ? {} : quick) },
    onLog: (line) => console.log(line),
    onCrash: () => ending.abort(),
  });
  return { adminUrl: embedded.url, stop: embedded.stop };
}

async function makeTemplate(sql: postgres.Sql, adminUrl: string): Promise<string> {
  const [row] = await sql<{ version: number }[]>`SELECT current_setting('server_version_num')::int AS version`;
  if (row === undefined || row.version < 150000) throw new Error('DATABASE_URL: PostgreSQL 15 or newer is needed.');
  const template = `${prefix}template`;
  await sql`CREATE DATABASE ${sql(template)} TEMPLATE template0 ENCODING 'UTF8'`;
  const url = new URL(adminUrl);
  url.pathname = `/${template}`;
  await migrate({ databaseUrl: url.href });
  // Nobody may connect to it any more: a database in use cannot be cloned.
  await sql`ALTER DATABASE ${sql(template)} WITH ALLOW_CONNECTIONS false`;
  return template;
}

/** Renamed when complete: a reader never sees half a file. */
async function publish(name: string, content: string): Promise<void> {
  await writeFile(join(folder, `${name}.new`), content, { mode: 0o600 });
  await rename(join(folder, `${name}.new`), join(folder, name));
}

async function clearAway(): Promise<void> {
  try {
    if (admin !== undefined) {
      const names = await admin<{ name: string }[]>`
        SELECT datname AS name FROM pg_database WHERE starts_with(datname, ${prefix})`;
      for (const { name } of names) await admin`DROP DATABASE IF EXISTS ${admin(name)} WITH (FORCE)`;
      await admin.end({ timeout: 5 });
    }
  } catch (error) {
    console.error(error);
  }
  await server?.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** Folders of runs whose holder was killed too. */
async function removeOldFolders(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = /^notification-tests-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || join(tmpdir(), name) === runFolder(Number(pid))) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => {});
  }
}
