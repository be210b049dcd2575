/** Results that are larger than they look, and what they may cost. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { startService, type TestService } from '../support/service.ts';
import { addExtraction, addSource, createSourceDatabase } from '../support/source-database.ts';
import { must } from '../support/templates.ts';

async function listen(t: Test, answer: RequestListener): Promise<number> {
  const server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Waits for what must come within seconds. */
async function until(isThere: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 8_000; !isThere() && Date.now() < deadline; ) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const json =
  (text: string): RequestListener =>
  (_request, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(text);

async function addHttp(service: TestService, port: number, changes: Record<string, unknown> = {}): Promise<string> {
  const settings = { url: `http://127.0.0.1:${port}/` };
  const body = { key: 'service', title: 'Service', kind: 'http', settings, maximumRows: 100_000, ...changes };
  must(await service.inject('POST', '/v1/data-sources', { body }), 201);
  return addExtraction(service, { dataSource: 'service', query: 'a?ids={keys}', keyColumn: 'id' });
}

t.test('HTTP: many names, and many values that are null, are refused before a table is made of them', async (t) => {
  const service = await startService(t);
  let body = '';
  const path = await addHttp(service, await listen(t, (request, response) => json(body)(request, response)));
  const names = (count: number) =>
    `{"id":"B-1",${Array.from({ length: count - 1 }, (_, index) => `"n${index}":1`).join(',')}}`;
  const cases: [name: string, body: string, message: RegExp][] = [
    [
      'objects with names of their own',
      JSON.stringify(Array.from({ length: 10_000 }, (_, index) => ({ id: 'B-1', [`n${index}`]: 1 }))),
      /more than 2000000 values/,
    ],
    ['a wide object', `[${names(1_001)}]`, /more than 1000 columns/],
    ['a wide object before many', `[${names(1_000)},${'{},'.repeat(2_000)}{}]`, /more than 2000000 values/],
  ];
  for (const [name, next, message] of cases) {
    body = next;
    const startedAt = performance.now();
    const run = await service.inject('POST', `${path}/run`, { body: { keys: ['B-1'] } });
    t.match(run, { status: 422, body: { errors: [{ code: 'too_large', message }] } }, name);
    t.ok(performance.now() - startedAt < 1_000, `${name}: ${Math.round(performance.now() - startedAt)} ms`);
  }
  body = `[${names(1_000)}]`;
  must(await service.inject('POST', `${path}/run`, { body: { keys: ['B-1'] } }), 200);
});

t.test('HTTP: a number of very many digits is read at once, as its digits', async (t) => {
  const service = await startService(t);
  const digits = [`1.${'0'.repeat(400_000)}1`, `0.${'0'.repeat(400_000)}`, '9'.repeat(400_000)];
  const numbers = ['12345678901234567.25', '1.50', '-0.0', '0.0000001', '100', '1e3', '1234567890.123456789'];
  const text = `[{"id":"B-1","digits":[${digits}],"numbers":[${numbers}],"text":"12345678901234567890"}]`;
  const path = await addHttp(service, await listen(t, json(text)));
  const startedAt = performance.now();
  const { rows } = must(await service.inject('POST', `${path}/run`, { body: { keys: ['B-1'] } }), 200);
  t.ok(performance.now() - startedAt < 1_000, `${Math.round(performance.now() - startedAt)} ms`);
  t.same(rows[0].data.digits, digits);
  t.same(rows[0].data.numbers, ['12345678901234567.25', 1.5, 0, '0.0000001', 100, 1_000, '1234567890.123456789']);
});

t.test('PostgreSQL: values that are null count too', async (t) => {
  const service = await startService(t);
  const database = await createSourceDatabase(t);
  await addSource(service, database, { maximumRows: 100_000, statementTimeoutMs: 20_000 });
  const path = await addExtraction(service);
  const columns = (count: number) => Array.from({ length: count }, (_, index) => `null a${index}`).join();
  const run = (count: number, rows: number) => {
    const query = `select 'B-1' cle,${columns(count - 1)} from generate_series(1, ${rows}) where 'B-1' = any(:keys)`;
    return service.inject('POST', `${path}/run`, { body: { keys: ['B-1'], query } });
  };
  t.match(await run(1_001, 1), { status: 422, body: { errors: [{ code: 'too_large', message: /1000 columns/ }] } });
  const many = await run(1_000, 2_000_000);
  t.match(many, { status: 422, body: { errors: [{ code: 'too_large', message: /2000000 values/ }] } });
  t.match(await run(3, 100_001), { status: 422, body: { errors: [{ code: 'too_many_rows' }] } });
  t.match(await run(1_000, 1_000), { status: 200, body: { rows: [{ reason: 'extraction_ambiguous' }] } });
});

t.test('a process asks eight questions at once, and one organisation four', async (t) => {
  const service = await startService(t);
  const waiting: { tenant: string; answer(): void }[] = [];
  const port = await listen(t, (request, response) => {
    const tenant = request.url?.split('/')[1] ?? '';
    waiting.push({ tenant, answer: () => json('[{"id":"B-1"}]')(request, response) });
  });
  const tenants = await Promise.all(['a', 'b', 'c'].map((name) => service.addTenant(name)));
  const runs: Promise<{ status: number }>[] = [];
  for (const [index, { key }] of tenants.entries()) {
    const inject: TestService['inject'] = (method, path, ask) => service.inject(method, path, { ...ask, key });
    for (const name of ['one', 'two']) {
      const settings = { url: `http://127.0.0.1:${port}/${index}` };
      const body = { key: name, title: 'Service', kind: 'http', settings, statementTimeoutMs: 30_000 };
      must(await inject('POST', '/v1/data-sources', { body }), 201);
      const path = await addExtraction(
        { inject },
        { key: name, dataSource: name, query: 'a?ids={keys}', keyColumn: 'id' },
      );
      for (let time = 0; time < 4; time += 1) runs.push(inject('POST', `${path}/run`, { body: { keys: ['B-1'] } }));
    }
    const there = (count: number) => t.equal(waiting.length, count, `organisation ${index}`);
    await until(() => waiting.length >= Math.min(8, (index + 1) * 4));
    // Whatever else would come has come by then.
    await service.inject('GET', '/v1/tenant');
    there(Math.min(8, (index + 1) * 4));
  }
  t.notOk(
    waiting.some(({ tenant }) => tenant === '2'),
    'the third organisation waits',
  );
  let answered = 0;
  for (; answered < 24; answered += 1) {
    await until(() => waiting.length > 0);
    t.ok(waiting.length <= 8);
    waiting.shift()?.answer();
  }
  t.same([...new Set((await Promise.all(runs)).map(({ status }) => status))], [200]);
});
