/** Bad input gets a clear answer: the status, the code, and the pointer that names what is wrong. Nothing is kept. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import t, { type Test } from 'tap';
import { pdf } from '../support/broker.ts';
import { formOf, type Part } from '../support/multipart.ts';
import { type Seeds, seedTenant } from '../support/seeds.ts';
import { type Answer, startService, type TestService } from '../support/service.ts';
import { addresses, files, order, requests, row, rows } from './bad-input-cases.ts';

t.setTimeout(600_000);

function told({ status, body }: Answer): unknown[] {
  return [status, body.code, ...(body.errors === undefined ? [] : [body.errors[0].pointer, body.errors[0].code])];
}

function ask(seeds: Seeds, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const payload = Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
  const all = { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...headers };
  return seeds.inject('POST', '/v1/send-requests', { payload, headers: all });
}

async function start(t: Test): Promise<{ service: TestService; seeds: Seeds; count(): Promise<number> }> {
  const service = await startService(t);
  const seeds = await seedTenant(service, service.tenant);
  const count = async () => {
    const requests = await seeds.inject('GET', '/v1/send-requests?limit=250');
    return requests.body.items.length;
  };
  return { service, seeds, count };
}

t.test('a send request that is wrong as a whole is refused, and nothing is kept', async (t) => {
  const { seeds, count } = await start(t);
  const before = await count();
  for (const [name, [body, ...expected]] of Object.entries(requests))
    t.same(told(await ask(seeds, body)), expected, name);
  const inactive = await seeds.inject('PATCH', `/v1/templates/${seeds.unusedTemplate}`, {
    body: { active: false },
    headers: { 'if-match': '*' },
  });
  t.equal(inactive.status, 200);
  const answer = await ask(seeds, order({ template: 'inutile' }));
  t.same(told(answer), [422, 'unprocessable', '/template', 'template_inactive'], 'an inactive template');
  t.equal(await count(), before);
});

t.test('an action that takes no body refuses what it would not read, and does nothing', async (t) => {
  const { service, seeds } = await start(t);
  await service.inject('PUT', '/v1/recipients/external:client:1', { body: { displayName: 'Ann' } });
  const path = '/v1/recipients/external:client:1/erase';
  const refused = [400, 'invalid_body', '/dryRun', 'unknown_field'];
  t.same(told(await seeds.inject('POST', path, { body: { dryRun: true } })), refused);
  t.same(told(await seeds.inject('POST', path, { body: [1] })), [400, 'invalid_body', '', 'unknown_field']);
  t.same(told(await seeds.inject('POST', path, { body: { '': 1 } })), [400, 'invalid_body', '/', 'unknown_field']);
  const form = '--x\r\ncontent-disposition: form-data; name="dryRun"\r\n\r\ntrue\r\n--x--\r\n';
  for (const type of ['multipart/form-data', 'Multipart/Form-Data']) {
    const headers = { 'content-type': `${type}; boundary=x` };
    const answer = await service.inject('POST', path, { headers, payload: form });
    t.match(answer, { status: 415, body: { code: 'unsupported_media_type' } }, type);
  }
  await service.work();
  t.equal((await seeds.inject('GET', '/v1/recipients/external:client:1')).status, 200);
  t.equal((await seeds.inject('POST', path, { body: {} })).status, 202, 'an empty one says nothing');
});

t.test('a row that is wrong is told by index and pointer, and kept as KO beside the good ones', async (t) => {
  const { seeds } = await start(t);
  const wrong = Object.entries(addresses).map(([name, address]): [string, (typeof rows)[string]] => [
    name,
    [row({ to: { address } }), '/to/address', 'address_invalid'],
  ]);
  const all = [...Object.entries(rows), ...wrong];
  const body = order({ recipients: [row(), ...all.map(([, [one]]) => one)] });
  const answer = await ask(seeds, body);
  t.match(answer, { status: 201, body: { counts: { created: all.length + 1, E: 1, KO: all.length } } });
  for (const [index, [name, [, pointer, code]]] of all.entries()) {
    const errors = answer.body.errors.filter((one: { index: number }) => one.index === index + 1);
    t.match(errors, [{ pointer: `/recipients/${index + 1}${pointer}`, code }], name);
    t.equal(answer.body.messages[index + 1].reason, code, name);
  }
  const whole = await ask(seeds, { ...body, mode: 'all-or-nothing' });
  t.match(whole, {
    status: 422,
    body: { code: 'rows_refused', errors: answer.body.errors.map(({ index: _, ...e }: { index: number }) => e) },
  });
});

t.test('a file that is wrong is refused with what is wrong', async (t) => {
  const { seeds } = await start(t);
  const upload = (part: Part) => seeds.inject('POST', '/v1/documents', formOf({ content: pdf('avis'), ...part }));
  t.equal((await upload({})).status, 201);
  for (const [name, [part, code]] of Object.entries(files)) {
    t.same(told(await upload(part)), [422, 'document_invalid', '/file', code], name);
  }
  t.same(told(await upload({ name: 'other' })), [400, 'invalid_body', '/other', 'unknown_field']);
  const bare = await seeds.inject('POST', '/v1/documents', { body: {} });
  t.same(told(bare), [415, 'unsupported_media_type']);
  const cut = await seeds.inject('POST', '/v1/documents', {
    payload: '--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
  });
  t.same(told(cut), [400, 'invalid_body', '/file', 'multipart_invalid']);
});

t.test('a header, a path or a query that is wrong is named', async (t) => {
  const { seeds } = await start(t);
  const keyed = (key: string): Promise<Answer> => ask(seeds, order(), { 'idempotency-key': key });
  for (const key of ['', 'x'.repeat(256), 'a b', 'clé']) {
    t.same(told(await keyed(key)), [400, 'invalid_header', '/Idempotency-Key', 'wrong_format'], `key ${key.length}`);
  }
  const bare = await seeds.inject('POST', '/v1/send-requests', { body: order() });
  t.same(told(bare), [400, 'idempotency_key_missing', '/Idempotency-Key', 'required']);
  t.equal((await keyed('once')).status, 201);
  t.same(told(await ask(seeds, order({ priority: 'bulk' }), { 'idempotency-key': 'once' })), [
    422,
    'idempotency_key_reused',
  ]);
  t.same(told(await ask(seeds, '{}', { 'content-type': 'text/plain' })), [415, 'unsupported_media_type']);
  t.same(told(await ask(seeds, order(), { 'on-behalf-of': 'a\u0001' })), [400, 'invalid_header']);

  const cursor = (await seeds.inject('GET', '/v1/messages?limit=1')).body.nextCursor as string;
  t.equal((await seeds.inject('GET', `/v1/messages?limit=1&cursor=${cursor}`)).status, 200);
  const [position, signature] = cursor.split('~');
  const other = Buffer.from(randomUUID()).toString('base64url');
  for (const bad of [`${other}~${signature}`, `${position}~x`, `${position}`, '~', `${cursor}~`]) {
    t.same(
      told(await seeds.inject('GET', `/v1/messages?cursor=${bad}`)),
      [400, 'invalid_cursor', '/cursor', 'invalid_cursor'],
      bad,
    );
  }
  const elsewhere = await seeds.inject('GET', `/v1/send-requests?cursor=${cursor}`);
  t.same(told(elsewhere), [400, 'invalid_cursor', '/cursor', 'invalid_cursor']);
  const queries: Record<string, [pointer: string, item: string]> = {
    'limit=0': ['/limit', 'too_small'],
    'limit=251': ['/limit', 'too_large'],
    'limit=many': ['/limit', 'wrong_type'],
    'surprise=1': ['/surprise', 'unknown_field'],
    'status=X': ['/status/0', 'not_allowed'],
    'address=a%00': ['/address', 'null_character'],
    'createdFrom=1899-01-01T00:00:00Z': ['/createdFrom', 'wrong_format'],
  };
  for (const [query, expected] of Object.entries(queries)) {
    t.same(told(await seeds.inject('GET', `/v1/messages?${query}`)), [400, 'invalid_query', ...expected], query);
  }
  t.same(told(await seeds.inject('GET', '/v1/messages/no-id')), [400, 'invalid_query', '/id', 'wrong_format']);
  t.equal((await seeds.inject('GET', '/v1/messages/%ff')).body.code, 'invalid_query');
});

t.test('an action that is not possible tells the current status; ids must be there and be different', async (t) => {
  const { service, seeds } = await start(t);
  const act = (path: string, body: object) => seeds.inject('POST', `/v1/messages/${path}`, { body });
  const illegal = await act(`${seeds.messages.OK}/block`, {});
  t.match(illegal, { status: 409, body: { code: 'illegal_move', currentStatus: 'OK' } });
  const { E } = seeds.messages;
  t.same(told(await act('validate', { ids: [] })), [400, 'invalid_body', '/ids', 'too_few']);
  t.same(told(await act('validate', { ids: [E, E] })), [400, 'invalid_body', '/ids', 'repeated']);
  t.same(told(await act('validate', {})), [422, 'unprocessable', '/ids', 'selection_choice']);
  t.same(told(await act('validate', { filter: {} })).slice(0, 3), [400, 'invalid_body', '/filter']);
  const upper = await act('validate', { ids: [E, E.toUpperCase()] });
  t.same(upper.body, { matched: 1, done: 1, refused: [] }, 'one id in two spellings is one message');
  const other = await service.addTenant('Mutuelle Armor');
  const foreign = await seeds.inject('GET', `/v1/messages/${E}`, { key: other.key });
  t.same(told(foreign), [404, 'not_found'], 'an id of another tenant');
});

t.test('headers that are too large, and what is no HTTP, are answered with a problem document', async (t) => {
  const { service } = await start(t);
  await service.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = service.app.server.address() as AddressInfo;
  const say = async (text: string) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.write(text);
    await once(socket, 'close');
    const [head = '', body = ''] = Buffer.concat(chunks).toString('utf8').split('\r\n\r\n');
    return { status: Number(head.split(' ')[1]), type: /content-type: (\S+)/i.exec(head)?.[1], body: JSON.parse(body) };
  };
  const large = await say(`GET /v1/messages HTTP/1.1\r\nHost: x\r\nOn-Behalf-Of: ${'x'.repeat(40_000)}\r\n\r\n`);
  t.match(large, { status: 431, type: 'application/problem+json', body: { code: 'headers_too_large', status: 431 } });
  t.match(await say('no request\r\n\r\n'), { status: 400, type: 'application/problem+json' });
});
