/** A person is erased while files that have them are being imported. */
import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import t from 'tap';
import { beginUpload, importFile, importObjects } from '../imports/import-service.ts';
import { done } from '../support/broker.ts';
import { placesOf } from '../support/dump.ts';
import { mail, type People, startPeople } from '../support/people.ts';

t.setTimeout(600_000);

const ann = 'external:client:77';
const theirs = 'client;77;Oneill;ann.oneill@people.test\n';
const header = 'type;externalId;displayName;mail\n';
const others = (from: number, to: number, name = 'Nom') =>
  Array.from({ length: to - from }, (_, index) => `client;P-${from + index};${name};\n`).join('');

/** Lets the operation be done: what waits for an import looks again after a second. */
async function untilDone({ work, inject }: People, operation: string) {
  for (;;) {
    await work();
    const { body } = await inject('GET', `/v1/operations/${operation}`);
    if (body.status === 'done') return;
    await wait(100);
  }
}

t.test('what had come of them is read before they are forgotten', async (t) => {
  const service = await startPeople(t);
  const { put, post, inject } = service;
  await put('client:77', { addresses: [mail('old.oneill@people.test')] });
  // More than a worker reads before others have their turn.
  const payload = header + others(0, 21_000) + theirs;
  const accepted = await inject('POST', '/v1/recipients/import', { payload, headers: { 'content-type': 'text/csv' } });
  t.equal(accepted.status, 202);
  const { operation } = await done(post(`/v1/recipients/${ann}/erase`));
  await untilDone(service, operation);
  t.equal((await inject('GET', `/v1/recipients/${ann}`)).status, 404);
  t.same(await placesOf(service, ['oneill']), []);
  t.match((await inject('GET', String(accepted.headers.location))).body, {
    status: 'done',
    import: { created: 21_000 },
  });
});

t.test('of a file that still comes nothing is kept that was read, and it holds up nobody', async (t) => {
  const service = await startPeople(t);
  const { post, inject, execute, work } = service;
  const socket = await beginUpload(t, service, 100_000_000);
  // It is kept in pieces, once 256 kB of it have come.
  const name = 'x'.repeat(100);
  socket.write(header + others(0, 2_500, name) + theirs + others(2_500, 3_500, name));
  const first = await (async () => {
    for (;;) {
      await work();
      const [row] = await execute(sql`select waiting from import_uploads`);
      const found = await inject('GET', `/v1/recipients/${ann}`);
      if (row?.waiting === true && found.status === 200) return found.body;
      await wait(20);
    }
  })();
  t.match(first, { displayName: 'Oneill' });
  const { operation } = await done(post(`/v1/recipients/${ann}/erase`));
  await untilDone(service, operation);
  t.same(await placesOf(service, ['oneill']), []);
  t.equal((await execute(sql`select 1 from import_uploads`)).length, 1, 'the file still comes');
});

t.test('a row of them that waits for the end of its file is refused, and kept no longer', async (t) => {
  const service = await startPeople(t);
  const { put, post, inject, execute, work } = service;
  await put('client:77', { displayName: 'Known' });
  const socket = await beginUpload(t, service, 100_000_000);
  const related = 'type;externalId;displayName;householdOf\nclient;77;Oneill;external:member:later\n';
  socket.write(related + others(0, 3_500, 'x'.repeat(100)));
  for (;;) {
    await work();
    if ((await execute(sql`select 1 from import_waiting_rows`)).length === 1) break;
    await wait(20);
  }
  const { operation } = await done(post(`/v1/recipients/${ann}/erase`));
  await untilDone(service, operation);
  t.same(await placesOf(service, ['oneill']), []);
  t.equal((await execute(sql`select 1 from import_waiting_rows`)).length, 0);
  const [{ id }] = (await execute(sql`select operation_id as id from import_uploads`)) as unknown as [{ id: string }];
  t.match((await inject('GET', `/v1/operations/${id}`)).body, { refused: [{ row: 2, code: 'erased' }] });
});

t.test('refused rows quote no value, and after seven days tell no more than their numbers and codes', async (t) => {
  const service = await startPeople(t);
  const mixedUp = await importFile(service, 'type;externalId\noneill;1\n');
  t.match(mixedUp, { refused: [{ row: 2, pointer: '/type', code: 'recipient_type_unknown', message: String }] });
  t.same(await placesOf(service, ['oneill']), []);
  const { id } = await importObjects(service, [{ type: 'client', externalId: '7', 'ann.oneill@people.test': 1 }]);
  const shown = async () => (await service.inject('GET', `/v1/operations/${id}`)).body;
  t.match((await shown()).refused, [{ row: 1, pointer: '/ann.oneill@people.test', code: 'unknown_field' }]);
  service.clock.advance(7 * 24 * 60 * 60 * 1_000 + 1_000);
  await service.work();
  t.same((await shown()).refused, [{ row: 1, line: 1, code: 'unknown_field' }]);
  t.equal((await shown()).refusedCount, 1);
  t.same(await placesOf(service, ['oneill']), []);
});
