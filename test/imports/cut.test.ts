/** Files that do not come whole, and workers that do not stay. */
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { startService, type TestService } from '../support/service.ts';
import { beginUpload, importFile } from './import-service.ts';

t.setTimeout(600_000);

const line = (index: number) => `client;C-${index};Hélène ${index};${'x'.repeat(60)}\n`;
const table = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => line(from + index)).join('');
const header = 'type;externalId;displayName;attributes.note\n';

async function send(socket: Socket, text: string): Promise<void> {
  if (!socket.write(text)) await once(socket, 'drain');
}

/** The only operation there is, once it looks so. */
async function operationThat(service: TestService, looks: (row: { imported: object | null }) => boolean) {
  const { db } = service.runtime;
  for (let turn = 0; turn < 2_000; turn += 1) {
    const [id] = await db.execute<{ id: string }>('select id from operations');
    if (id !== undefined) {
      const { body } = await service.inject('GET', `/v1/operations/${id.id}`);
      if (looks(body)) return body;
    }
    await wait(5);
  }
  throw new Error('no operation looks so');
}

const counted = async ({ runtime }: TestService, name: string) =>
  Number((await runtime.db.execute<{ count: string }>(`select count(*) from ${name}`))[0]?.count);

t.test('of a file that is cut what was read whole is kept, and the first row that is missing is named', async (t) => {
  const service = await startService(t);
  const socket = await beginUpload(t, service, 100_000_000);
  await send(socket, header + table(0, 20_000));
  await send(socket, 'client;C-20000;Coup');
  await operationThat(service, () => true);
  socket.destroy();
  const ended = async () => {
    for (;;) {
      await service.work();
      const [row] = await service.runtime.db.execute<{ id: string; status: string }>(
        'select id, status from operations',
      );
      if (row?.status === 'done') return (await service.inject('GET', `/v1/operations/${row.id}`)).body;
      await wait(5);
    }
  };
  const done = await ended();
  const { created, truncatedAt } = done.import;
  // What was still on its way through the sockets is lost with them.
  t.ok(created >= 2_000 && created <= 20_000, `${created} rows`);
  t.match(done, { status: 'done', done: created, refusedCount: 0 });
  t.same(truncatedAt, { row: created + 2, line: created + 2 }, 'the header is row 1');
  const [kept] =
    await service.runtime.db.execute(`select count(*)::int as count, count(distinct external_id)::int as people,
    max(substr(external_id, 3)::int) as last from recipients`);
  t.same({ ...kept }, { count: created, people: created, last: created - 1 }, 'all before the first that is missing');
  t.equal(await counted(service, 'import_chunks'), 0, 'nothing of the file is left');
  t.equal(await counted(service, 'import_uploads'), 0);
  const events = await service.inject('GET', '/v1/events');
  t.match(events.body.items.at(-1), {
    type: 'operation.finished',
    resourceId: done.id,
    data: { kind: 'import', done: created },
  });
});

t.test('a file that was cut before it was sent is told by its last line, which alone has no end', async (t) => {
  const service = await startService(t);
  const csv = 'type;externalId;displayName\nclient;A;Dupont\nclient;B;Dup';
  const cut = await importFile(service, csv);
  t.match(cut, { import: { created: 2, lastLineOpen: true, truncatedAt: null } }, 'its row is kept');
  t.match(await importFile(service, `${csv}ont\n`), { import: { changed: 1, lastLineOpen: false } });
  t.match(await importFile(service, `${csv}ont\r`), { import: { lastLineOpen: false } });
  const type = 'application/x-ndjson';
  const line = '{"type":"client","externalId":"A"}';
  t.match(await importFile(service, line, { type }), { import: { lastLineOpen: false } }, 'one line by itself');
  t.match(await importFile(service, `${line}\n${line}`, { type }), { import: { lastLineOpen: true } });
});

t.test('files that come slowly leave room for other requests, and an organisation sends four at once', async (t) => {
  const service = await startService(t);
  const slow: Socket[] = [];
  const uploads = () => counted(service, 'import_uploads');
  for (let turn = 1; turn <= 4; turn += 1) {
    const socket = await beginUpload(t, service, 100_000_000);
    await send(socket, header + table(0, 8_000));
    slow.push(socket);
    while ((await uploads()) < turn) await wait(5);
  }
  const { port } = service.app.server.address() as AddressInfo;
  const post = (path: string, key: string, type: string, body: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': type },
      body,
    });
  const own = service.tenant.key;
  const fifth = await post('/v1/recipients/import', own, 'text/csv', header + table(0, 10));
  t.equal(fifth.status, 429);
  t.ok(Number(fifth.headers.get('retry-after')) > 0);
  t.match(await fifth.json(), { code: 'too_many_requests', detail: /sending 4 files already/ });
  const suppressions = await post('/v1/suppressions/import', own, 'text/csv', 'address;cause\n');
  t.equal(suppressions.status, 429, 'files of either kind');
  const other = await service.addTenant('Autre');
  t.equal((await post('/v1/recipients/import', other.key, 'text/csv', header + table(0, 10))).status, 202);
  // Half of the room for bodies, 48 MB, is the organisation's: what these two announce and 4 MB more.
  const begun = connect(port, '127.0.0.1');
  t.teardown(() => begun.destroy());
  const head = ['POST /v1/senders HTTP/1.1', 'host: x', `authorization: Bearer ${own}`];
  begun.write([...head, 'content-type: application/json', `content-length: ${24 * 1024 * 1024}`, '', '{'].join('\r\n'));
  const large = await post(
    '/v1/senders',
    own,
    'application/json',
    JSON.stringify({ name: 'x'.repeat(20 * 1024 * 1024) }),
  );
  t.equal(large.status, 400, 'a large body does not wait for slow files');
  for (const socket of slow) socket.destroy();
  for (;;) {
    const again = await post('/v1/recipients/import', own, 'text/csv', header + table(0, 10));
    if (again.status === 202) break;
    await wait(5);
  }
  t.pass('a place is free when a file has ended');
});

t.test('rows are worked on while the file still comes', async (t) => {
  const service = await startService(t);
  const rest = table(20_000, 22_000);
  const first = header + table(0, 20_000);
  const socket = await beginUpload(t, service, Buffer.byteLength(first) + Buffer.byteLength(rest));
  const answered = once(socket, 'data');
  await send(socket, first);
  await operationThat(service, () => true);
  for (let created = 0; created === 0; ) {
    await service.work();
    created = await counted(service, 'recipients');
  }
  const half = await operationThat(service, () => true);
  t.match(half, { status: 'running', finishedAt: null });
  t.ok(half.import.bytesRead > 0 && half.import.bytesRead < Buffer.byteLength(first), 'some rows, and not yet all');
  await service.work();
  t.equal(await counted(service, "pgboss.job where name = 'operations'"), 0, 'it waits without a job');
  await send(socket, rest);
  const [answer] = await answered;
  t.match(String(answer), /^HTTP\/1\.1 202 /);
  await service.work();
  t.match(await operationThat(service, () => true), { status: 'done', import: { created: 22_000, truncatedAt: null } });
});

t.test('a file whose receiver is gone is imported as far as it came', async (t) => {
  const service = await startService(t);
  const socket = await beginUpload(t, service, 100_000_000);
  await send(socket, header + table(0, 8_000));
  await operationThat(service, () => true);
  await service.work();
  t.match(await operationThat(service, () => true), { finishedAt: null });
  service.clock.advance(61_000);
  await service.work();
  const done = await operationThat(service, () => true);
  t.match(done, { status: 'done', import: { truncatedAt: { row: Number } } });
  t.equal(await counted(service, 'recipients'), done.import.created);
  t.equal(done.import.truncatedAt.row, done.import.created + 2);
});

t.test('a worker that dies in the middle of a step costs nothing and repeats nothing', async (t) => {
  const service = await startService(t);
  const { runtime } = service;
  const insert = runtime.jobs.touch;
  let dead = 0;
  // Between two steps, where a worker that is killed leaves what it has committed and a job that nobody works on.
  Object.assign(runtime.jobs, {
    touch: (...given: Parameters<typeof insert>) => {
      dead += 1;
      if (dead === 2) throw new Error('killed');
      return insert(...given);
    },
  });
  const answer = await service.inject('POST', '/v1/recipients/import', {
    payload: header + table(0, 9_000),
    headers: { 'content-type': 'text/csv' },
  });
  await t.rejects(service.work(), { message: 'killed' });
  const half = (await service.inject('GET', String(answer.headers.location))).body;
  t.match(half, { status: 'running', done: 4_000 });
  await runtime.db.execute(`update pgboss.job set state = 'retry', start_after = now() where name = 'operations'`);
  await service.work();
  const done = (await service.inject('GET', String(answer.headers.location))).body;
  t.match(done, { status: 'done', done: 9_000, import: { created: 9_000, changed: 0, unchanged: 0 } });
});

t.test(
  'two imports of the same people, and single writes beside them, all come to an end and lose nothing',
  async (t) => {
    const service = await startService(t);
    const ids = Array.from({ length: 3_000 }, (_, index) => index);
    const file = (order: number[], name: string) =>
      `type;externalId;${name}\n${order.map((id) => `client;C-${id};${name} ${id}`).join('\n')}\n`;
    const start = (content: string) =>
      service.inject('POST', '/v1/recipients/import', { payload: content, headers: { 'content-type': 'text/csv' } });
    await Promise.all([start(file(ids, 'displayName')), start(file(ids.toReversed(), 'attributes.nom'))]);
    const puts = [0, 1_500, 2_999].map((id) =>
      service.inject('PATCH', `/v1/recipients/external:client:C-${id}`, {
        body: { locale: 'fr-FR' },
        headers: { 'if-match': '*' },
      }),
    );
    await Promise.all([service.work(), service.work(), ...puts]);
    await service.work();
    const [found] = await service.runtime.db.execute(`select count(*)::int as whole from recipients
    where display_name is not null and attributes ? 'nom'`);
    t.match(found, { whole: 3_000 }, 'each has what both files gave');
    const again = await importFile(service, file(ids, 'displayName'));
    t.match(again, { import: { unchanged: 3_000 } });
  },
);

t.test('a service that stops does not wait for a file that still comes, and keeps what has come', async (t) => {
  const service = await startService(t);
  const socket = await beginUpload(t, service, 100_000_000);
  socket.on('error', () => undefined);
  await send(socket, header + table(0, 8_000));
  await operationThat(service, () => true);
  await service.app.close();
  await service.work();
  const rows = await service.runtime.db.execute<{ imported: { created: number } }>(
    'select status, imported from operations',
  );
  t.match(rows, [{ status: 'done', imported: { truncatedAt: { row: Number } } }]);
  t.equal(await counted(service, 'recipients'), rows[0]?.imported.created ?? -1);
});
