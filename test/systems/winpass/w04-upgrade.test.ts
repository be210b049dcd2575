import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readConfig } from '../../../src/config.ts';
import { startEmbeddedPostgres } from '../../../src/db/embedded.ts';
import { type RunningService, startService } from '../../../src/start.ts';
import {
  type Api,
  accountOf,
  act,
  client,
  done,
  edit,
  keepClient,
  noticeFor,
  post,
  setUp,
  startSink,
  statusesOf,
} from '../../support/broker.ts';
import { platformKey } from '../../support/service.ts';
import { until } from '../../support/workers.ts';

t.setTimeout(600_000);

/** Over HTTP, as an application of the broker reaches it. */
function apiAt(url: string, key: string): Api {
  return {
    async inject(method, path, { body, headers } = {}) {
      const answer = await fetch(new URL(path, url), {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const raw = Buffer.from(await answer.arrayBuffer());
      const { status } = answer;
      return {
        status,
        headers: Object.fromEntries(answer.headers),
        body: raw.length ? JSON.parse(String(raw)) : '',
        raw,
      };
    },
  };
}

t.test(
  'W4 · the robot starts with the machine, and is stopped and started around a database upgrade without loss',
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'notifications-upgrade-'));
    // Root runs the server as another user, which has to walk through this folder.
    await chmod(folder, 0o755);
    t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
    const startDatabase = async () => {
      const database = await startEmbeddedPostgres({ dataDirectory: folder, settings: { max_connections: '200' } });
      t.teardown(() => database.stop());
      return database;
    };
    const secretsKey = randomBytes(32).toString('base64');
    const startMachine = async (databaseUrl: string): Promise<RunningService> => {
      const settings = {
        DATABASE_URL: databaseUrl,
        DATA_DIR: folder,
        SECRETS_KEY: secretsKey,
        PLATFORM_KEY: platformKey,
      };
      const ports = { PORT: '0', OPS_PORT: '0', LOG_LEVEL: 'silent' };
      const reach = { DEPLOYMENT: 'production', SMTP_ALLOWED_NETWORKS: '127.0.0.0/8,::1/128' };
      const machine = await startService(readConfig({ ...settings, ...ports, ...reach }));
      t.teardown(() => machine.stop().catch(() => undefined));
      return machine;
    };

    const sink = await startSink(t);
    let database = await startDatabase();
    const machines = [await startMachine(database.url), await startMachine(database.url)];
    const [{ url } = { url: '' }] = machines;
    const { key } = await done(
      apiAt(url, platformKey).inject('POST', '/v1/tenants', { body: { name: 'Courtage Dupont' } }),
    );
    let api = apiAt(url, key.secret);
    await setUp(api, []);
    await done(api.inject('POST', '/v1/channel-accounts', { body: accountOf(sink, { waitAfterSendMs: 150 }) }));
    const clients = Array.from({ length: 14 }, (_, n) => client(n));
    const ids = await edit(api, clients.slice(0, 12));
    await act(api, 'validate', ids);
    await sink.waitFor(3, 30_000);

    await Promise.all(machines.map((machine) => machine.stop()));
    const before = sink.mails.length;
    t.ok(before < 12, `stopped in the middle: ${before} of 12 had left`);
    await database.stop();
    database = await startDatabase();
    t.equal(sink.mails.length, before, 'nothing leaves while the robot is stopped');

    const again = await startMachine(database.url);
    await startMachine(database.url);
    api = apiAt(again.url, key.secret);
    const sent = () => statusesOf(api, ids);
    await until(
      'all are sent, with nobody asking',
      async () => (await sent()).every((status) => status === 'OK'),
      60_000,
    );
    const perAddress = Map.groupBy(sink.mails, ({ envelope }) => String(envelope.to[0]));
    t.same(
      clients.slice(0, 12).map(({ mail }) => perAddress.get(String(mail))?.length),
      Array.from({ length: 12 }, () => 1),
      'each client has exactly one',
    );

    const late = await keepClient(api, client(12));
    const answer = await done(post(api, [noticeFor(late)], { validation: 'automatic' }));
    await sink.waitFor(13, 20_000);
    t.match(answer.counts, { created: 1, V: 1 }, 'and work goes on after it');
    const { items } = await done(api.inject('GET', '/v1/send-requests'));
    for (const { counts } of items) t.equal(counts.created, counts.E + counts.V + counts.OK + counts.KO + counts.B);
  },
);
