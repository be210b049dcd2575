/** What an erasure meets half done: copies that are still tried, an export that is being written. */
import { sql } from 'drizzle-orm';
import t from 'tap';
import { done } from '../support/broker.ts';
import { placesOf } from '../support/dump.ts';
import { receiverOf, startSending } from '../support/sending.ts';

t.setTimeout(600_000);

const ann = 'external:client:ANN';
const address = 'ann@courriel.example';

t.test('copies that are still tried end with the message, or alone when they are the person’s', async (t) => {
  let refusals = 2;
  const service = await startSending(t, {
    sink: {
      respond: (step, { command }) => {
        if (step !== 'rcpt' || !/later@|ann@/.test(command) || refusals === 0) return undefined;
        refusals -= 1;
        return { code: 451, text: '4.3.0 Later' };
      },
    },
  });
  const addresses = [{ kind: 'mail', value: address, preferred: true }];
  await done(service.inject('PUT', `/v1/recipients/${ann}`, { body: { addresses } }));
  const data = { name: 'x' };
  const named = await service.send([
    { recipient: ann, to: { address: 'office@people.test' }, cc: [{ address: 'later@people.test' }], data },
  ]);
  const copied = await service.send([{ to: { address: 'bob@people.test' }, cc: [{ address }], data }]);
  await service.work();
  const [own = '', other = ''] = [...named.messages, ...copied.messages];
  for (const id of [own, other]) t.match(await service.message(id), { status: 'OK', copies: [{ outcome: 'pending' }] });
  await done(service.post(`/v1/recipients/${ann}/erase`));
  await service.work();
  for (const id of [own, other]) {
    t.match(await service.message(id), {
      status: 'OK',
      copies: [{ address: null, outcome: 'skipped', reason: 'erased' }],
    });
  }
  service.clock.advance(24 * 60 * 60 * 1_000);
  await service.work();
  t.same(service.sink.mails.map(receiverOf).sort(), ['bob@people.test', 'office@people.test'], 'nothing more has left');
  t.same(await placesOf(service, [address, 'later@people']), []);
});

t.test('an export that is being written begins again, without the person', async (t) => {
  const service = await startSending(t, { account: null });
  const addresses = [{ kind: 'mail', value: address, preferred: true }];
  await done(service.inject('PUT', `/v1/recipients/${ann}`, { body: { addresses } }));
  await service.send([
    { recipient: ann, data: { name: 'x' } },
    { to: { address: 'bob@people.test' }, data: { name: 'Bob' } },
  ]);
  const { operation } = await done(service.post('/v1/exports', { kind: 'messages', format: 'ndjson' }));
  await service.work();
  // As if its worker had been killed before the last step.
  await service.execute(sql`update operations set finished_at = null, status = 'running' where id = ${operation}`);
  await done(service.post(`/v1/recipients/${ann}/erase`));
  await service.work();
  t.same(await placesOf(service, [address]), []);
  const { runtime, tenant } = service;
  const data = { tenantId: tenant.id, operationId: operation };
  await runtime.db.transaction((tx) => runtime.jobs.insert(tx, 'operations', [{ id: runtime.newId(), data }]));
  await service.work();
  t.match(await done(service.inject('GET', `/v1/operations/${operation}`)), { status: 'done', done: 2 });
  const file = (await service.inject('GET', `/v1/exports/${operation}/content`)).raw.toString();
  const rows = file
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(rows, [{ toAddress: null, status: 'B', reason: 'erased' }, { toAddress: 'bob@people.test' }]);
});
