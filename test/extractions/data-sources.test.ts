import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import t from 'tap';
import { startService } from '../support/service.ts';
import { addExtraction, addSource, createSourceDatabase } from '../support/source-database.ts';
import { must } from '../support/templates.ts';

const anyRevision = { 'if-match': '*' };
const sources = '/v1/data-sources';

t.test('a data source is made without being asked, its secrets never shown, and changed under its ETag', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const body = {
    key: 'gestion',
    title: 'Base',
    kind: 'postgresql',
    settings: { host: 'nowhere.invalid', database: 'd', user: 'u' },
    secrets: { password: 'hidden-word' },
  };
  const made = await inject('POST', sources, { body });
  t.match(made, {
    status: 201,
    body: { key: 'gestion', secretNames: ['password'], statementTimeoutMs: 5_000, maximumRows: 10_000 },
  });
  t.match(await inject('POST', sources, { body }), { status: 409, body: { code: 'conflict' } });
  const path = `${sources}/${made.body.id}`;
  const read = await inject('GET', path);
  const change = { body: { maximumRows: 5 }, headers: { 'if-match': String(read.headers.etag) } };
  t.match(await inject('PATCH', path, change), { status: 200, body: { maximumRows: 5, secretNames: ['password'] } });
  t.equal((await inject('PATCH', path, change)).status, 412);
  const list = must(await inject('GET', `${sources}?key=gestion`), 200);
  t.match(list.items, [{ key: 'gestion' }]);
  t.match(must(await inject('POST', `${path}/test`), 200), { ok: false, fault: 'unreachable', canWrite: null });
  t.notMatch(JSON.stringify([made, read, list]), /hidden-word|sealedSecrets|tenantId/);
  t.match(must(await inject('GET', '/v1/audit-entries?resourceType=data-source'), 200).items, [
    { action: 'updated', fields: ['maximumRows'] },
    { action: 'created' },
  ]);
  must(await inject('DELETE', path), 204);
});

t.test('settings and secrets that the kind does not know are refused by name', async (t) => {
  const { inject } = await startService(t);
  const sql = { host: 'base.example', database: 'd', user: 'u' };
  const refused: [kind: string, settings: object, secrets: object, pointer: string][] = [
    ['postgresql', { ...sql, ssl: true }, {}, '/settings'],
    ['postgresql', { ...sql, host: 'a b' }, {}, '/settings/host'],
    ['postgresql', { ...sql, host: '/var/run/postgresql' }, {}, '/settings/host'],
    ['postgresql', { ...sql, port: 0 }, {}, '/settings/port'],
    ['mariadb', { ...sql, tls: 'prefer' }, {}, '/settings/tls'],
    ['mariadb', { ...sql, multipleStatements: true }, {}, '/settings'],
    ['mariadb', sql, { pass: 'x' }, '/secrets'],
    ['http', { url: 'ftp://a.example' }, {}, '/settings/url'],
    ['http', { url: 'https://a:b@c.example/' }, {}, '/settings/url'],
    ['http', { url: 'https://c.example/?a=1' }, {}, '/settings/url'],
    ['http', { url: 'https://' }, {}, '/settings/url'],
    ['http', { url: 'https://c.example/' }, { host: 'other.example' }, '/secrets'],
    ['http', { url: 'https://c.example/' }, { authorization: 'a\r\nx: y' }, '/secrets/authorization'],
    ['http', { url: 'https://c.example/' }, { 'transfer-encoding': 'chunked' }, '/secrets'],
  ];
  for (const [kind, settings, secrets, pointer] of refused) {
    const answer = await inject('POST', sources, { body: { key: 'x', title: 'X', kind, settings, secrets } });
    t.equal(answer.status, 422, JSON.stringify([kind, settings, secrets]));
    t.ok(answer.body.errors[0].pointer.startsWith(pointer), `${pointer}: ${JSON.stringify(answer.body.errors[0])}`);
  }
  const body = {
    key: 'x',
    title: 'X',
    kind: 'http',
    settings: { url: 'https://c.example' },
    statementTimeoutMs: 30_001,
  };
  t.equal((await inject('POST', sources, { body })).status, 400);
});

t.test('secrets do not follow a source that is moved: they are given again', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const database = await createSourceDatabase(t);
  const path = `${sources}/${await addSource(service, database)}`;
  const { settings, password } = database;
  const patch = (body: object) => inject('PATCH', path, { body, headers: anyRevision });
  for (const moved of [{ host: 'localhost' }, { port: 1 }, { tls: 'required' }]) {
    t.match(await patch({ settings: { ...settings, ...moved } }), {
      status: 422,
      body: { errors: [{ pointer: '/secrets', code: 'required' }] },
    });
  }
  t.equal(
    (await patch({ settings: { ...settings, database: 'other' } })).status,
    200,
    'another database is the same way',
  );
  t.equal((await patch({ settings: { ...settings, host: 'localhost' }, secrets: { password } })).status, 200);
  t.match(must(await inject('POST', `${path}/test`), 200), { ok: true, canWrite: false });
});

t.test('secrets whose key is gone for a while are kept, and can be given again', async (t) => {
  const [first, second] = [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64')) as [string, string];
  const whole = await startService(t, { config: { secretsKeys: [second, first] } });
  const database = await createSourceDatabase(t);
  const path = `${sources}/${await addSource(whole, database)}`;
  await addExtraction(whole);
  const account = {
    name: 'Serveur',
    channel: 'mail',
    driver: 'smtp',
    settings: { host: 'mail.example', port: 587, security: 'starttls', user: 'u' },
  };
  const secrets = { password: 'p' };
  const { id } = must(await whole.inject('POST', '/v1/channel-accounts', { body: { ...account, secrets } }), 201);
  const accountPath = `/v1/channel-accounts/${id}`;
  const without = await startService(t, { databaseUrl: whole.databaseUrl, config: { secretsKeys: [first] } });
  const inject = (method: string, place: string, body?: object) =>
    without.inject(method, place, { key: whole.tenant.key, headers: anyRevision, ...(body && { body }) });
  t.match(must(await inject('POST', `${path}/test`), 200), { ok: false, fault: 'secrets_unreadable' });
  const [extraction] = must(await inject('GET', '/v1/extractions'), 200).items;
  t.match(await inject('POST', `/v1/extractions/${extraction.id}/run`, { keys: ['B-1'] }), {
    status: 422,
    body: { code: 'extraction_failed', errors: [{ code: 'secrets_unreadable' }] },
  });
  t.match(must(await inject('PATCH', path, { title: 'Autre', secrets: {} }), 200), { title: 'Autre', secretNames: [] });
  must(await inject('PATCH', accountPath, { name: 'Autre' }), 200);
  t.equal((await inject('PATCH', accountPath, { settings: { nothing: true } })).status, 422, 'settings are held still');
  const moved = { settings: { ...database.settings, host: 'localhost' } };
  t.match(await inject('PATCH', path, moved), { status: 422, body: { errors: [{ pointer: '/secrets' }] } });
  t.match(must(await whole.inject('POST', `${path}/test`), 200), { ok: true }, 'the key is there again');
  t.match(must(await whole.inject('GET', accountPath), 200), { name: 'Autre', secretNames: Object.keys(secrets) });
  must(await inject('PATCH', path, { ...moved, secrets: { password: database.password } }), 200);
  t.match(must(await inject('POST', `${path}/test`), 200), { ok: true }, 'they are given again');
});

t.test('addresses that are not public are refused unless they are allowed, in every spelling', async (t) => {
  const service = await startService(t, { config: { dataSourceAllowedNetworks: [] } });
  const { inject } = service;
  let met = 0;
  const server = createServer((socket) => {
    met += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const hosts = [
    '127.0.0.1',
    'localhost',
    '127.1',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '0.0.0.0',
    '::1',
    '::ffff:127.0.0.1',
    '10.0.0.1',
    '169.254.169.254',
    'fd00::1',
  ];
  for (const [index, host] of hosts.entries()) {
    for (const kind of ['postgresql', 'mariadb', 'http']) {
      const settings =
        kind === 'http'
          ? { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/` }
          : { host, port, database: 'd', user: 'u', tls: 'none' };
      const body = { key: `${kind}${index}`, title: 'X', kind, settings };
      const id = must(await inject('POST', sources, { body }), 201).id;
      const tested = must(await inject('POST', `${sources}/${id}/test`), 200);
      t.match(tested, { ok: false, fault: /^(address_refused|unreachable)$/ }, `${kind} ${host}: ${tested.fault}`);
      if (/^(127|10|169|0\.|::1)/.test(host)) t.equal(tested.fault, 'address_refused', `${kind} ${host}`);
      must(await inject('DELETE', `${sources}/${id}`), 204);
    }
  }
  t.equal(met, 0, 'nobody was asked');
});

t.test('faults of a database are told apart, and hold neither passwords nor values', async (t) => {
  const logLines: string[] = [];
  const service = await startService(t, { logLines });
  const { inject } = service;
  const database = await createSourceDatabase(t);
  const { settings, password } = database;
  const path = `${sources}/${await addSource(service, database)}`;
  const extraction = await addExtraction(service);
  const run = (body: object = { keys: ['B-1'] }) => inject('POST', `${extraction}/run`, { body });
  const faulty: [change: object, fault: string, status: number, code: string][] = [
    [{ settings, secrets: { password: 'hidden-word' } }, 'login_refused', 422, 'extraction_failed'],
    [{ settings: { ...settings, user: 'nobody' }, secrets: { password } }, 'login_refused', 422, 'extraction_failed'],
    [
      { settings: { ...settings, database: 'nothing' }, secrets: { password } },
      'login_refused',
      422,
      'extraction_failed',
    ],
    [{ settings: { ...settings, tls: 'required' }, secrets: { password } }, 'tls_failed', 422, 'extraction_failed'],
    [{ settings: { ...settings, port: 1 }, secrets: { password } }, 'unreachable', 503, 'source_unavailable'],
  ];
  for (const [body, fault, status, code] of faulty) {
    must(await inject('PATCH', path, { body, headers: anyRevision }), 200);
    t.match(must(await inject('POST', `${path}/test`), 200), { ok: false, fault }, `${fault} by its test`);
    t.match(await run(), { status, body: { code, errors: [{ code: fault }] } }, `${fault} by a run`);
  }
  must(await inject('PATCH', path, { body: { settings, secrets: { password } }, headers: anyRevision }), 200);
  const query = 'select membre as cle, nom_benef::integer as n from benef where membre = any(:keys)';
  const data = await run({ keys: ['B-1'], query });
  t.match(data, { status: 422, body: { detail: 'benef: the data source refuses the query (SQLSTATE 22P02)' } });
  const absent = await run({
    keys: ['B-1'],
    query: 'select membre as cle,\n  prenom\nfrom benef where membre = any(:keys)',
  });
  t.match(absent.body.detail, /column "prenom" does not exist \(SQLSTATE 42703, line 2\)$/);
  const told = JSON.stringify([logLines, data.body, absent.body]);
  t.notMatch(told, /Lefèvre|hidden-word|B-1/, 'no value, key or password is told or logged');
  t.notMatch(told, new RegExp(password));
  t.match(logLines.join(''), /data-source\.failed/);
});

t.test('a source that accepts and says nothing, and one that hangs up, are unreachable in good time', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  for (const [kind, hangsUp] of [
    ['postgresql', true],
    ['postgresql', false],
    ['mariadb', true],
    ['mariadb', false],
  ] as const) {
    const open = new Set<{ destroy(): void }>();
    const server = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => undefined);
      if (hangsUp) socket.once('data', () => socket.destroy());
      if (hangsUp && kind === 'mariadb') socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const { port } = server.address() as { port: number };
    const settings = { host: '127.0.0.1', port, database: 'd', user: 'u', tls: 'none' };
    const name = `${kind}-${hangsUp ? 'up' : 'silent'}`;
    const body = { key: name, title: 'X', kind, settings, statementTimeoutMs: 300 };
    const id = must(await inject('POST', sources, { body }), 201).id;
    const startedAt = performance.now();
    t.match(must(await inject('POST', `${sources}/${id}/test`), 200), { ok: false, fault: 'unreachable' }, name);
    t.ok(performance.now() - startedAt < 3_000, `${name}: ${Math.round(performance.now() - startedAt)} ms`);
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

t.test('a database that ends its sessions in the middle of a query is a fault, and nothing else', async (t) => {
  const service = await startService(t);
  const database = await createSourceDatabase(t);
  await addSource(service, database, { statementTimeoutMs: 20_000 });
  const path = await addExtraction(service);
  const query = 'select membre as cle, pg_sleep(15)::text as a from benef where membre = any(:keys)';
  const running = service.inject('POST', `${path}/run`, { body: { keys: ['B-1'], query } });
  const { own, settings } = database;
  let ended = 0;
  for (const deadline = Date.now() + 10_000; ended === 0 && Date.now() < deadline; ) {
    const found = await own`
      select pg_terminate_backend(pid) from pg_stat_activity where usename = ${settings.user} and query like '%pg_sleep%' and state = 'active'`;
    ended = found.length;
  }
  t.match(await running, { status: 503, body: { code: 'source_unavailable' } });
  t.equal((await service.inject('POST', `${path}/run`, { body: { keys: ['B-1'] } })).status, 200, 'it is asked again');
});

t.test('many runs at once wait for their turn', async (t) => {
  const service = await startService(t);
  const database = await createSourceDatabase(t);
  await addSource(service, database);
  const path = await addExtraction(service);
  const runs = Array.from({ length: 30 }, () => service.inject('POST', `${path}/run`, { body: { keys: ['B-1'] } }));
  t.same(
    (await Promise.all(runs)).map(({ status }) => status).filter((status) => status !== 200),
    [],
  );
  const [left] =
    await database.own`select count(*)::int as count from pg_stat_activity where usename = ${database.settings.user}`;
  t.ok(left?.count <= 4, `${left?.count} connections are left`);
});
