import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { type Clock, createIdSource, type NewId, systemClock } from './clock.ts';
import { type Config, namingSetting, SettingError } from './config.ts';
import { connectDatabase, type Db, databaseError } from './db/client.ts';
import { isMigrated } from './db/migrated.ts';
import { createSourceAsker, type SourceAsker } from './extractions/data-sources/ask.ts';
import { createUnsubscribeLinks, type UnsubscribeLinks } from './messages/unsubscribe/links.ts';
import { type JobQueue, openJobQueue } from './queue/boss.ts';
import { type AddressHashes, createAddressHashes } from './suppressions/address-hashes.ts';
import { createTextReader, type TextReader } from './templates/reading/reader.ts';
import { createRenderer, type Renderer } from './templates/rendering/renderer.ts';
import { createSecrets, type Secrets } from './tenants/secrets.ts';

/**
 * Reached at named steps of a send; does nothing. Fault tests put a kill or a stop there, so that a step is
 * reached exactly and not by luck.
 */
export type Probe = (step: string) => void | Promise<void>;

/** Everything one process works with. The only place that constructs clients. */
export interface Runtime {
  config: Readonly<Config>;
  log: Logger;
  clock: Clock;
  newId: NewId;
  /** This process, among all that share the database. */
  workerId: string;
  db: Db;
  jobs: JobQueue;
  renderer: Renderer;
  reader: TextReader;
  /** Asks the data sources of extractions. */
  sources: SourceAsker;
  secrets: Secrets;
  /** Of suppressed addresses. */
  addressHashes: AddressHashes;
  /** By which people unsubscribe. */
  links: UnsubscribeLinks;
  probe: Probe;
  /** Ends every client; the embedded database is not the runtime's to end. */
  close(): Promise<void>;
}

/** What a test, or an entrypoint, may put in the place of the default. */
export interface RuntimeOptions {
  /** The database: `config.databaseUrl`, or that of the embedded server. */
  databaseUrl: string;
  name: string;
  /** Whether this process dispatches, and recovers jobs of workers that died. */
  supervise: boolean;
  clock?: Clock;
  log?: Logger;
  /** Where log lines go; default: standard output. */
  logStream?: { write(line: string): void };
  probe?: Probe;
}

/** Fields that may hold personal data or secrets: the one list of what never reaches a log. */
const redacted = [
  'authorization',
  'req.headers.authorization',
  'password',
  'secrets',
  'to',
  'address',
  'email',
  'subject',
  'data',
  'html',
  'text',
  '*.password',
  '*.secrets',
  '*.address',
  '*.subject',
];

/**
 * An error without what it was about: the message of a failed query holds its parameters, PostgreSQL's detail holds
 * values of the row, and both may be personal.
 */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  const database = databaseError(error);
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    message: database === null ? error.message : `database error ${database.code}`,
    ...(database === null ? {} : { code: database.code, constraint: database.constraint }),
    stack: frames.join('\n'),
    ...(error.cause instanceof Error && database === null ? { cause: describeError(error.cause) } : {}),
  };
}

/** The service's logger: JSON lines on standard output, ids only. */
export function createLogger(level: string, stream?: { write(line: string): void }): Logger {
  const serializers = { err: describeError };
  const options = { level, serializers, redact: { paths: redacted, censor: '[redacted]' }, base: { pid: process.pid } };
  return stream === undefined ? pino(options) : pino(options, stream);
}

/** The configured keys, or one made once and kept in the data folder (embedded database only). */
export async function secretsKeysOf(config: Readonly<Config>): Promise<string[]> {
  if (config.secretsKeys.length > 0) return config.secretsKeys;
  const file = join(config.dataDirectory, 'secrets.key');
  await mkdir(config.dataDirectory, { recursive: true });
  await writeFile(file, randomBytes(32).toString('base64'), { flag: 'wx', mode: 0o600 }).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return [(await readFile(file, 'utf8')).trim()];
}

/** Connects everything a process needs. */
export async function createRuntime(config: Readonly<Config>, options: RuntimeOptions): Promise<Runtime> {
  const log = options.log ?? createLogger(config.logLevel, options.logStream);
  const clock = options.clock ?? systemClock;
  const newId = createIdSource(clock);
  const secrets = createSecrets(await secretsKeysOf(config));
  const client = connectDatabase({
    url: options.databaseUrl,
    connections: config.databaseConnections,
    name: options.name,
    byKey: options.supervise,
  });
  try {
    if (!(await namingSetting('DATABASE_URL', isMigrated(client.db)))) {
      throw new SettingError('DATABASE_URL', 'the database is not ready for this version: run npm run migrate');
    }
  } catch (error) {
    await client.close();
    throw error;
  }
  const jobs = await openJobQueue({
    databaseUrl: options.databaseUrl,
    supervise: options.supervise,
    onError: (error) => log.error({ err: error }, 'queue.fault'),
  });
  const renderer = createRenderer({ threads: config.renderThreads });
  const reader = createTextReader();
  const sources = createSourceAsker({ config, secrets, log });
  return {
    config,
    log,
    clock,
    newId,
    workerId: newId(),
    db: client.db,
    jobs,
    renderer,
    reader,
    sources,
    secrets,
    addressHashes: createAddressHashes({ clock, secrets }),
    links: createUnsubscribeLinks(config, secrets),
    probe: options.probe ?? (() => undefined),
    async close() {
      sources.close();
      await Promise.allSettled([jobs.stop(), renderer.close(), reader.close()]);
      await client.close();
    },
  };
}
