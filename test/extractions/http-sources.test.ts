import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { startService, type TestService } from '../support/service.ts';
import { addExtraction } from '../support/source-database.ts';
import { must } from '../support/templates.ts';

const file = (name: string) => readFileSync(new URL(`../support/certificates/${name}`, import.meta.url), 'utf8');
const people: Record<string, object> = {
  'B-1': { id: 'B-1', nom: 'Lefèvre', solde: 98.7, rang: 1, actif: true, adresse: { ville: 'Brest' }, pieces: ['a'] },
  'B-2': { id: 'B-2', nom: 'Müller', solde: null, rang: 2 },
};

/** A service that answers as it is told, and what it was asked. */
async function listen(t: Test, answer: RequestListener, options: { encrypted?: boolean } = {}) {
  const asked: { url: string; headers: Record<string, unknown> }[] = [];
  const listener: RequestListener = (request, response) => {
    asked.push({ url: request.url ?? '', headers: request.headers });
    answer(request, response);
  };
  const server = options.encrypted
    ? createSecureServer({ key: file('localhost.key.pem'), cert: file('localhost.pem') }, listener)
    : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, port: (server.address() as AddressInfo).port };
}

const json =
  (value: unknown, status = 200): RequestListener =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value));

/** Answers the people who are asked about. */
const byIds: RequestListener = (request, response) => {
  const ids = new URL(request.url ?? '', 'http://x').searchParams.get('ids')?.split(',') ?? [];
  json(ids.flatMap((id) => people[id] ?? []))(request, response);
};

async function addHttp(service: TestService, url: string, changes: Record<string, unknown> = {}): Promise<string> {
  const body = { key: 'service', title: 'Service', kind: 'http', settings: { url }, ...changes };
  return must(await service.inject('POST', '/v1/data-sources', { body }), 201).id;
}

const extraction = { key: 'adherents', dataSource: 'service', query: 'membres?ids={keys}&actif=1', keyColumn: 'id' };

t.test('HTTP: rows of keys, with the header that was given; what it gives is kept when a run says so', async (t) => {
  const service = await startService(t);
  const { asked, port } = await listen(t, byIds);
  const secrets = { authorization: 'Bearer hidden-word' };
  const source = await addHttp(service, `http://127.0.0.1:${port}/api`, { secrets });
  const path = await addExtraction(service, extraction);
  t.equal(must(await service.inject('GET', path), 200).fields, null, 'nobody was asked');
  t.equal(asked.length, 0);
  t.match(must(await service.inject('POST', `/v1/data-sources/${source}/test`), 200), { ok: true, canWrite: null });
  const run = must(
    await service.inject('POST', `${path}/run`, { body: { keys: ['B-1', 'B-2', 'B&x=1#,é'], keep: true } }),
    200,
  );
  t.same(run.rows, [
    { key: 'B-1', data: people['B-1'], reason: null },
    { key: 'B-2', data: { ...people['B-2'], actif: null, adresse: null, pieces: null }, reason: null },
    { key: 'B&x=1#,é', data: null, reason: 'extraction_missing' },
  ]);
  t.match(asked.at(-1), {
    url: '/api/membres?ids=B-1,B-2,B%26x%3D1%23%2C%C3%A9&actif=1',
    headers: { authorization: 'Bearer hidden-word' },
  });
  t.equal(run.kept, true);
  const types = {
    id: 'string',
    nom: 'string',
    solde: 'number',
    rang: 'integer',
    actif: 'boolean',
    adresse: 'object',
    pieces: 'array',
  };
  const { properties } = must(await service.inject('GET', path), 200).fields;
  t.same(
    Object.fromEntries(
      Object.entries(properties as Record<string, { type: string }>).map(([name, { type }]) => [name, type]),
    ),
    types,
  );
  const keys = Array.from({ length: 100 }, (_, index) => `K-${index}`);
  asked.length = 0;
  must(await service.inject('POST', `${path}/run`, { body: { keys } }), 200);
  t.equal(asked.length, 2, 'many keys are asked in portions');
});

t.test(
  'HTTP: a run that finds no row keeps the fields that were there; fields that cannot be kept are refused',
  async (t) => {
    const service = await startService(t);
    const wide = Object.fromEntries(Array.from({ length: 999 }, (_, index) => [`n${index}`, 1]));
    const { port } = await listen(t, (request, response) =>
      request.url?.startsWith('/wide') ? json([{ id: 'B-1', ...wide }])(request, response) : byIds(request, response),
    );
    await addHttp(service, `http://127.0.0.1:${port}/`);
    const path = await addExtraction(service, extraction);
    const run = (body: object) => service.inject('POST', `${path}/run`, { body });
    t.match(must(await run({ keys: ['B-9'], keep: true }), 200), { fields: null, kept: true });
    t.equal(must(await service.inject('GET', path), 200).fields, null);
    const { fields } = must(await run({ keys: ['B-1'], keep: true }), 200);
    t.match(fields.properties, { nom: { type: 'string' } });
    const query = 'autres?ids={keys}';
    t.same(must(await run({ keys: ['B-9'], query, keep: true }), 200).fields, fields);
    t.match(must(await service.inject('GET', path), 200), { fields, query });
    const list = { body: { listField: 'lignes' }, headers: { 'if-match': '*' } };
    must(await service.inject('PATCH', path, list), 200);
    must(await run({ keys: ['B-1'], query: 'wide?ids={keys}' }), 200);
    t.match(await run({ keys: ['B-1'], query: 'wide?ids={keys}', keep: true }), {
      status: 422,
      body: { errors: [{ pointer: '/fields' }] },
    });
    t.match(must(await service.inject('GET', path), 200), { query }, 'nothing was kept of it');
  },
);

t.test('HTTP: whatever is no JSON array of objects is refused by name', async (t) => {
  const service = await startService(t);
  let answer: RequestListener = byIds;
  const { port } = await listen(t, (request, response) => answer(request, response));
  const elsewhere = await listen(t, json([{ id: 'B-1' }]));
  await addHttp(service, `http://127.0.0.1:${port}/`, { statementTimeoutMs: 500, maximumRows: 10 });
  const path = await addExtraction(service, extraction);
  const text =
    (type: string, body: string | Buffer): RequestListener =>
    (_request, response) =>
      response.writeHead(200, { 'content-type': type }).end(body);
  const location = `http://127.0.0.1:${elsewhere.port}/`;
  const cases: Record<string, [answer: RequestListener, status: number, fault: string]> = {
    'a redirect': [(_request, response) => response.writeHead(302, { location }).end(), 422, 'answer_refused'],
    'a permanent redirect': [
      (_request, response) => response.writeHead(308, { location }).end(),
      422,
      'answer_refused',
    ],
    'a page': [text('text/html', '[{"id":"B-1"}]'), 422, 'answer_refused'],
    'no type': [(_request, response) => response.end('[{"id":"B-1"}]'), 422, 'answer_refused'],
    'an object': [json({ id: 'B-1' }), 422, 'answer_refused'],
    'an array of texts': [json(['B-1']), 422, 'answer_refused'],
    'an array in an array': [json([[{ id: 'B-1' }]]), 422, 'answer_refused'],
    'JSON that ends early': [text('application/json', '[{"id":'), 422, 'answer_refused'],
    'Latin-1': [text('application/json', Buffer.from('[{"id":"é"}]', 'latin1')), 422, 'answer_refused'],
    'not found': [json([], 404), 422, 'answer_refused'],
    'not authorised': [json([], 401), 422, 'login_refused'],
    'too many requests': [json([], 429), 503, 'unreachable'],
    'a fault': [json([], 500), 503, 'unreachable'],
    'more than 5 MB': [json([{ id: 'B-1', a: 'x'.repeat(5_000_001) }]), 422, 'too_large'],
    'a body without an end': [
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const more = () => response.write(`[${' '.repeat(65_536)}`, (error) => error || setImmediate(more));
        more();
      },
      422,
      'too_large',
    ],
    'more rows than are allowed': [json(Array.from({ length: 11 }, (_, id) => ({ id }))), 422, 'too_many_rows'],
    'no answer': [() => undefined, 422, 'query_timeout'],
    'an answer drop by drop': [
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const timer = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(timer));
      },
      422,
      'query_timeout',
    ],
    'a connection that is closed': [(request) => request.socket.destroy(), 503, 'unreachable'],
    'another protocol': [
      (request) => void request.socket.write('HTTP/1.1 101 Upgrade\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n'),
      422,
      'answer_refused',
    ],
    'another protocol that nobody names': [
      (request) => void request.socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'),
      422,
      'answer_refused',
    ],
    'far more rows than are allowed': [json(Array.from({ length: 200_000 }, () => ({ id: 1 }))), 422, 'too_many_rows'],
    'headers without an end': [
      (request) => void request.socket.write(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(200_000)}`),
      503,
      'unreachable',
    ],
    'no key column': [json([{ nom: 'x' }]), 422, 'column_refused'],
    'a name that is no field': [json([{ id: 'B-1', 'a b': 1 }]), 422, 'column_refused'],
    __proto__: [text('application/json', '[{"id":"B-1","__proto__":{"admin":true}}]'), 422, 'column_refused'],
    '__proto__ inside': [text('application/json', '[{"id":"B-1","a":{"__proto__":1}}]'), 422, 'value_refused'],
    'U+0000': [text('application/json', '[{"id":"B-1","a":"\\u0000"}]'), 422, 'value_refused'],
    'half a character': [text('application/json', '[{"id":"B-1","a":"\\ud83d"}]'), 422, 'value_refused'],
    'a deep value': [
      text('application/json', `[{"id":"B-1","a":${'['.repeat(30)}${']'.repeat(30)}}]`),
      422,
      'value_refused',
    ],
    'a number beyond all': [text('application/json', '[{"id":"B-1","a":1e999}]'), 422, 'value_refused'],
  };
  for (const [name, [next, status, fault]] of Object.entries(cases)) {
    answer = next;
    // More than may be asked at once: each gives its turn back.
    const times = name === 'another protocol' ? 6 : 1;
    for (let time = 0; time < times; time += 1) {
      const run = await service.inject('POST', `${path}/run`, { body: { keys: ['B-1'] } });
      t.match(run, { status, body: { errors: [{ code: fault }] } }, name);
    }
  }
  t.equal(elsewhere.asked.length, 0, 'no redirect was followed');
  answer = text('application/problem+json', '[{"id":"B-1","n":12345678901234567890,"d":0.1}]');
  const { rows } = must(await service.inject('POST', `${path}/run`, { body: { keys: ['B-1'] } }), 200);
  t.same(rows[0].data, { id: 'B-1', n: '12345678901234567890', d: 0.1 }, 'a large number keeps its digits');
});

t.test('HTTP: a path that leads away from its source, or has the keys elsewhere, is refused', async (t) => {
  const service = await startService(t);
  await addHttp(service, 'https://base.example/api/');
  for (const query of [
    'membres',
    'membres/{keys}',
    '//evil.example/x?ids={keys}',
    'https://evil.example/x?ids={keys}',
    '../admin?ids={keys}',
    '%2e%2e/admin?ids={keys}',
    '/admin?ids={keys}',
    '\\\\evil.example/x?ids={keys}',
    'a b?ids={keys}',
    'a#?ids={keys}',
    'http:?ids={keys}',
    '@evil.example/x?ids={keys}\n',
  ]) {
    const body = { ...extraction, title: 'X', query };
    const answer = await service.inject('POST', '/v1/extractions', { body });
    t.match(answer, { status: 422, body: { errors: [{ pointer: '/query', code: 'query_invalid' }] } }, query);
  }
  must(
    await service.inject('POST', '/v1/extractions', {
      body: { ...extraction, title: 'X', query: 'a/b?x=1&ids={keys}' },
    }),
    201,
  );
});

t.test('HTTPS: the certificate is checked, and its own authority may be named', async (t) => {
  const service = await startService(t);
  const { asked, port } = await listen(t, byIds, { encrypted: true });
  const url = `https://localhost:${port}/`;
  const untrusted = await addHttp(service, url, { key: 'untrusted' });
  t.match(must(await service.inject('POST', `/v1/data-sources/${untrusted}/test`), 200), {
    ok: false,
    fault: 'tls_failed',
  });
  t.equal(asked.length, 0, 'nothing was asked');
  const settings = { url, certificateAuthority: file('ca.pem') };
  await addHttp(service, url, { settings });
  const path = await addExtraction(service, extraction);
  t.match(must(await service.inject('POST', `${path}/run`, { body: { keys: ['B-1'] } }), 200).rows, [
    { data: { nom: 'Lefèvre' } },
  ]);
  const address = { url: `https://127.0.0.1:${port}/`, certificateAuthority: file('ca.pem') };
  const byAddress = await addHttp(service, address.url, { key: 'address', settings: address });
  t.match(must(await service.inject('POST', `/v1/data-sources/${byAddress}/test`), 200), { ok: true });
});
