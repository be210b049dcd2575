import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { provisionTenant } from '../../src/accounts/provision-tenant.ts';
import { type Background, createBackground } from '../../src/background.ts';
import type { Clock } from '../../src/clock.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { buildApp } from '../../src/http/app.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { createKey } from '../../src/tenants/keys.ts';
import { serviceActor } from '../../src/tenants/rights.ts';
import { createTestDatabase } from './postgres.ts';

/** The platform key of test services. */
export const platformKey = 'platform-key-of-the-test-suite';

/** A clock that moves only when the test says so; a wait moves it to its end at once. */
export interface TestClock extends Clock {
  set(time: Date | string): void;
  advance(milliseconds: number): void;
}

/** Makes a test clock. Waits yield to other work and move the clock. */
export function createTestClock(start: Date | string = '2026-11-22T09:00:00Z'): TestClock {
  let now = new Date(start).getTime();
  return {
    now: () => new Date(now),
    async wait(milliseconds, signal) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!signal?.aborted) now += milliseconds;
    },
    set(time) {
      now = new Date(time).getTime();
    },
    advance(milliseconds) {
      now += milliseconds;
    },
  };
}

/** What came back. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | number | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the answer holds, and asserts it.
  body: any;
  raw: Buffer;
}

/** How a request is made. */
export interface Ask {
  /** Bearer key; null: none. Default: the tenant's key. */
  key?: string | null;
  body?: unknown;
  headers?: Record<string, string>;
  /** Sent as it is, with its own content type in `headers`. */
  payload?: Buffer | string;
}

/** An organisation with its keys. */
export interface TestTenant {
  id: string;
  key: string;
  testKey: string;
}

/** A service under test: its API, its worker, its clock, its database. */
export interface TestService {
  app: FastifyInstance;
  runtime: Runtime;
  clock: TestClock;
  databaseUrl: string;
  directory: string;
  tenant: TestTenant;
  inject(method: string, path: string, ask?: Ask): Promise<Answer>;
  /** Runs everything that is due: release, dispatch, operations, sequencing. */
  work(): Promise<void>;
  addTenant(name: string): Promise<TestTenant>;
}

/** What a test may change. */
export interface ServiceOptions {
  config?: Partial<Config>;
  clock?: TestClock;
  /** A database that is migrated, in the place of one of the run's own. It is not dropped. */
  databaseUrl?: string;
  /** Where log lines go; default: nowhere. */
  logLines?: string[];
}

interface Teardown {
  teardown(fn: () => unknown): void;
}

async function addTenant(runtime: Runtime, name: string): Promise<TestTenant> {
  return runtime.db.transaction(async (tx) => {
    const { tenant, secret } = await provisionTenant(runtime, tx, { name });
    const test = await createKey(runtime, tx, tenant.id, serviceActor, {
      name: 'Test key',
      kind: 'test',
      scopes: ['admin'],
      unit: null,
      expiresAt: null,
    });
    return { id: tenant.id, key: secret, testKey: test.secret };
  });
}

function testConfig(directory: string, databaseUrl: string, changes: Partial<Config>): Config {
  const base = readConfig({
    DATABASE_URL: databaseUrl,
    DATA_DIR: directory,
    SECRETS_KEY: randomBytes(32).toString('base64'),
    PLATFORM_KEY: platformKey,
    SMTP_ALLOWED_NETWORKS: '127.0.0.0/8',
    DATA_SOURCE_ALLOWED_NETWORKS: '127.0.0.0/8',
    LOG_LEVEL: 'info',
    REQUESTS_PER_MINUTE: '1000000',
  });
  return { ...base, ...changes };
}

/** Builds a service on a database of its own, and ends it with the test. */
export async function startService(t: Teardown, options: ServiceOptions = {}): Promise<TestService> {
  const given = options.databaseUrl;
  const database = given === undefined ? await createTestDatabase() : { url: given, drop: async () => undefined };
  const directory = await mkdtemp(join(tmpdir(), 'notifications-test-'));
  const config = testConfig(directory, database.url, options.config ?? {});
  const clock = options.clock ?? createTestClock();
  const lines = options.logLines;
  const log = lines === undefined ? pino({ level: 'silent' }) : undefined;
  const runtime = await createRuntime(config, {
    databaseUrl: database.url,
    name: 'test',
    supervise: false,
    clock,
    ...(log === undefined ? { logStream: { write: (line: string) => void lines?.push(line) } } : { log }),
  });
  const app = await buildApp(runtime);
  const background: Background = createBackground(runtime, null);
  t.teardown(async () => {
    await app.close();
    await background.stop();
    await runtime.close();
    await database.drop();
    await rm(directory, { recursive: true, force: true });
  });
  await app.ready();
  const tenant = await addTenant(runtime, 'Courtage Dupont');
  return {
    app,
    runtime,
    clock,
    databaseUrl: database.url,
    directory,
    tenant,
    work: () => background.settle(),
    addTenant: (name) => addTenant(runtime, name),
    async inject(method, path, { key = tenant.key, body, headers = {}, payload } = {}) {
      const answer = await app.inject({
        method: method as 'GET',
        url: path,
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? (payload === undefined ? {} : { payload }) : { payload: JSON.stringify(body) }),
      });
      const json = /[/+]json\b/.test(String(answer.headers['content-type'] ?? '')) && answer.rawPayload.length > 0;
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: json ? JSON.parse(answer.body) : answer.body,
        raw: answer.rawPayload,
      };
    },
  };
}
