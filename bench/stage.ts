/** Where a bench plays: a PostgreSQL that syncs to disk, the service on it, organisations with content, and a sink. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import postgres from 'postgres';
import { provisionTenant } from '../src/accounts/provision-tenant.ts';
import { readConfig } from '../src/config.ts';
import { startEmbeddedPostgres } from '../src/db/embedded.ts';
import { buildApp } from '../src/http/app.ts';
import { migrate } from '../src/migrate.ts';
import { createRuntime, type Runtime } from '../src/runtime.ts';
import { type Program, type Sink, startProgram, startSink } from './children.ts';
import { documentEvery, pdf, rowOf, template } from './mails.ts';

/** An organisation of a bench. */
export interface Organisation {
  id: string;
  key: string;
  accountId: string;
  /** Every fifth mail has it. */
  documentId: string;
}

/** Settings of PostgreSQL that make a commit durable. */
export interface Durability {
  fsync: string;
  synchronous_commit: string;
  full_page_writes: string;
}

/** What a bench works with. */
export interface Stage {
  sql: postgres.Sql;
  runtime: Runtime;
  sink: Sink;
  durability: Durability;
  /** One call of the API; fails unless it answers 2xx. */
  // biome-ignore lint/suspicious/noExplicitAny: a bench reads whatever the answer holds, and checks it.
  call(key: string, method: 'GET' | 'POST' | 'PATCH', path: string, body?: object): Promise<any>;
  addOrganisation(name: string, connections?: number): Promise<Organisation>;
  /** Makes messages in bodies of at most 10,000. @returns the ids of the send requests. */
  makeMessages(organisation: Organisation, from: number, count: number, more?: object): Promise<string[]>;
  pause(organisation: Organisation): Promise<void>;
  resume(organisation: Organisation): Promise<void>;
  /** Waits until no message of the organisation is in `V`. */
  drained(organisation: Organisation): Promise<void>;
  /** Messages of the organisation in a status. */
  count(organisation: Organisation, status: string): Promise<number>;
  /** Old pages are written and statistics are fresh, so that no side pays for what came before it. */
  settleDown(): Promise<void>;
  startWorker(options?: { profile?: string; connections?: number }): Promise<Program>;
  startServer(): Promise<Program & { url: string }>;
  close(): Promise<void>;
}

/** For profiles: which statements take the time (`pg_stat_statements`). */
const statistics: Record<string, string> =
  process.env.BENCH_STATEMENTS === undefined ? {} : { shared_preload_libraries: 'pg_stat_statements' };

const rowsPerRequest = 10_000;

/** What the PostgreSQL of the last stage said of its commits; null before the first. */
export const durable: { settings: Durability | null } = { settings: null };

async function durabilityOf(sql: postgres.Sql): Promise<Durability> {
  const [row] = await sql<Durability[]>`
    select current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous_commit,
      current_setting('full_page_writes') as full_page_writes`;
  if (row === undefined || Object.values(row).some((value) => value !== 'on')) {
    throw new Error(`commits of this PostgreSQL are not durable: ${JSON.stringify(row)}`);
  }
  durable.settings = { ...row };
  return row;
}

function createCall(app: FastifyInstance): Stage['call'] {
  return async (key, method, path, body) => {
    const answer = await app.inject({
      method,
      url: path,
      headers: {
        authorization: `Bearer ${key}`,
        'idempotency-key': randomBytes(12).toString('hex'),
        ...(method === 'PATCH' ? { 'if-match': '*' } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${answer.body}`);
    return answer.body === '' ? null : JSON.parse(answer.body);
  };
}

async function uploadPdf(app: FastifyInstance, key: string): Promise<string> {
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(pdf())], { type: 'application/pdf' }), 'avis.pdf');
  const encoded = new Response(form);
  const answer = await app.inject({
    method: 'POST',
    url: '/v1/documents',
    headers: { authorization: `Bearer ${key}`, 'content-type': encoded.headers.get('content-type') ?? '' },
    payload: Buffer.from(await encoded.arrayBuffer()),
  });
  if (answer.statusCode !== 201) throw new Error(`the document was refused: ${answer.body}`);
  return JSON.parse(answer.body).id;
}

async function fill(call: Stage['call'], key: string, sink: Sink, connections: number): Promise<{ accountId: string }> {
  await call(key, 'POST', '/v1/senders', { key: 'office', fromAddress: 'gestion@courtage.test', isDefault: true });
  const { id } = await call(key, 'POST', '/v1/templates', { key: 'notice', title: 'Notice', channel: 'mail' });
  await call(key, 'POST', `/v1/templates/${id}/versions`, template);
  await call(key, 'POST', `/v1/templates/${id}/versions/1/publish`);
  const account = await call(key, 'POST', '/v1/channel-accounts', {
    name: 'SMTP',
    channel: 'mail',
    driver: 'smtp',
    settings: { host: '127.0.0.1', port: sink.port, security: 'none', messagesPerConnection: 10_000 },
    rhythm: { concurrency: connections },
  });
  return { accountId: account.id };
}

/** Rows of the requests of a bench: every fifth has the document. */
export function rowsOf({ documentId }: Pick<Organisation, 'documentId'>, from: number, count: number) {
  return Array.from({ length: count }, (_, index) => {
    const number = from + index;
    return { ...rowOf(number), ...(number % documentEvery === 0 ? { documents: [documentId] } : {}) };
  });
}

/** Sets a stage on the embedded PostgreSQL, in a folder of its own that goes with it. */
export async function setStage(): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'notifications-bench-'));
  const database = await startEmbeddedPostgres({ dataDirectory: directory, settings: statistics });
  await migrate({ databaseUrl: database.url });
  const environment = {
    DATABASE_URL: database.url,
    DATA_DIR: directory,
    SECRETS_KEY: randomBytes(32).toString('base64'),
    DEPLOYMENT: 'production',
    SMTP_ALLOWED_NETWORKS: '127.0.0.0/8',
    REQUESTS_PER_MINUTE: '10000000',
    PORT: '0',
    OPS_PORT: '0',
  };
  const config = { ...readConfig(environment), logLevel: 'silent' };
  const runtime = await createRuntime(config, { databaseUrl: database.url, name: 'bench', supervise: false });
  const app = await buildApp(runtime);
  const sql = postgres(database.url, { max: 4, onnotice: () => undefined });
  const sink = await startSink();
  const call = createCall(app);
  const programs: Program[] = [];
  let numbers = 0;
  const start = async (program: 'worker' | 'server', profile?: string) => {
    numbers += 1;
    const logFile = join(directory, `${program}-${numbers}.log`);
    const made = await startProgram(program, environment, {
      logFile,
      ...(profile === undefined ? {} : { profile }),
    });
    programs.push(made);
    return made;
  };
  const accountPath = ({ accountId }: Organisation) => `/v1/channel-accounts/${accountId}`;
  return {
    sql,
    runtime,
    sink,
    durability: await durabilityOf(sql),
    call,
    async addOrganisation(name, connections = 10) {
      const { tenant, secret } = await runtime.db.transaction((tx) => provisionTenant(runtime, tx, { name }));
      const { accountId } = await fill(call, secret, sink, connections);
      return { id: tenant.id, key: secret, accountId, documentId: await uploadPdf(app, secret) };
    },
    async makeMessages(organisation, from, count, more = {}) {
      const ids: string[] = [];
      for (let made = 0; made < count; made += rowsPerRequest) {
        const recipients = rowsOf(organisation, from + made, Math.min(rowsPerRequest, count - made));
        const body = { template: 'notice', validation: 'automatic', recipients, ...more };
        const answer = await call(organisation.key, 'POST', '/v1/send-requests', body);
        if (answer.errors.length > 0) throw new Error(`rows were refused: ${JSON.stringify(answer.errors[0])}`);
        ids.push(answer.id);
      }
      return ids;
    },
    pause: (organisation) => call(organisation.key, 'POST', `${accountPath(organisation)}/pause`, {}),
    resume: (organisation) => call(organisation.key, 'POST', `${accountPath(organisation)}/resume`),
    async drained({ id }) {
      for (;;) {
        const left = await sql`select 1 from messages where tenant_id = ${id} and status = 'V' limit 1`;
        if (left.length === 0) return;
        await wait(50);
      }
    },
    async count({ id }, status) {
      const [row] = await sql<{ count: number }[]>`
        select count(*)::int as count from messages where tenant_id = ${id} and status = ${status}`;
      return row?.count ?? 0;
    },
    async settleDown() {
      await sql`vacuum analyze`;
      await sql`checkpoint`;
    },
    startWorker: (options = {}) => start('worker', options.profile),
    async startServer() {
      const server = await start('server');
      return { ...server, url: server.logged('url') ?? '' };
    },
    async close() {
      for (const program of programs) await program.end();
      await app.close();
      await runtime.close();
      await sql.end();
      await sink.end();
      await database.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
