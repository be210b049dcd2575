/** An erasure beside everything else that goes on: kills, sends, copies of others, households. */
import { sql } from 'drizzle-orm';
import t from 'tap';
import { runOperations } from '../../src/operations/run.ts';
import { done, pdf, upload } from '../support/broker.ts';
import { placesOf } from '../support/dump.ts';
import { receiverOf, type Sending, startSending } from '../support/sending.ts';

t.setTimeout(600_000);

const ann = 'external:client:ANN';
const address = 'ann@courriel.example';

async function keep(service: Sending, id: string, more: object) {
  return done(service.inject('PUT', `/v1/recipients/external:client:${id}`, { body: more }));
}

const keepAnn = (service: Sending) =>
  keep(service, 'ANN', { displayName: 'Ann', addresses: [{ kind: 'mail', value: address }] });

const ask = (service: Sending) => service.post(`/v1/recipients/${ann}/erase`);

/** Other work of the queue goes on where a worker was killed: its job is given out again. */
const giveJobsBack = (service: Sending) =>
  service.execute(sql`update pgboss.job set state = 'retry', retry_count = retry_count + 1, start_after = now() - interval '1 s'
    where name = 'operations' and state = 'active'`);

t.test('an erasure that is killed between any two steps goes on and ends', async (t) => {
  const service = await startSending(t);
  let kill = 0;
  for (let killed = true; killed; ) {
    kill += 1;
    const file = await upload(service, 'avis.pdf', pdf(`Ann ${kill}`));
    await keepAnn(service);
    await service.send([{ recipient: ann, data: { name: 'Ann' }, documents: [file] }]);
    await service.work();
    const { operation } = await done(ask(service));
    let left = kill;
    const { db } = service.runtime;
    const transaction: typeof db.transaction = (work, options) => {
      if (left === 0) throw new Error('killed');
      left -= 1;
      return db.transaction(work, options);
    };
    const mortal = new Proxy(db, {
      get: (target, name) => (name === 'transaction' ? transaction : Reflect.get(target, name)),
    });
    killed = await runOperations({ ...service.runtime, db: mortal }).then(
      () => false,
      (error: Error) => {
        t.equal(error.message, 'killed');
        return true;
      },
    );
    await giveJobsBack(service);
    await service.work();
    t.match(
      await done(service.inject('GET', `/v1/operations/${operation}`)),
      { status: 'done', total: 1, done: 1 },
      `${kill}`,
    );
    t.same(await placesOf(service, [address]), [], `nothing is left after a kill at ${kill}`);
    t.equal((await service.inject('GET', `/v1/documents/${file}`)).status, 404);
  }
  t.ok(kill > 12, `it was killed ${kill - 1} times`);
});

t.test('while a message is being sent nothing is erased', async (t) => {
  const service = await startSending(t);
  await keepAnn(service);
  const { messages } = await service.send([{ recipient: ann, data: { name: 'Ann' } }], { validation: 'manual' });
  const [id = ''] = messages;
  await done(service.post(`/v1/messages/${id}/validate`, {}));
  const waiting = await service.send([{ recipient: ann, data: { name: 'Ann' } }], { sendAt: '2027-01-04T08:00:00Z' });
  await service.execute(sql`
    update messages set dispatch_state = 'sending', job_id = ${service.runtime.newId()} where id = ${id}`);
  t.match(await ask(service), { status: 409, body: { code: 'being_sent', messages: [id] } });
  t.match(await service.message(waiting.messages[0] ?? ''), { status: 'V', to: { address } }, 'nothing was done');
  await service.execute(sql`update messages set dispatch_state = 'waiting', job_id = null where id = ${id}`);
  const first = await done(ask(service));
  t.match(await service.message(id), { status: 'B', reason: 'erased' }, 'at once');
  t.same(await done(ask(service)), first, 'asked again it is the same operation');
  t.match(await service.post(`/v1/messages/${id}/validate`, {}), { status: 410, body: { code: 'erased' } });
  // A request comes that had read the record before.
  await service.send([{ recipient: ann, data: { name: 'Ann' } }], { validation: 'manual' });
  await service.work();
  t.match(await done(service.inject('GET', `/v1/operations/${first.operation}`)), { status: 'done', done: 3 });
  t.same(await placesOf(service, [address]), []);
});

t.test('a message that is stored behind the erasure of its recipient is emptied too', async (t) => {
  const service = await startSending(t);
  const { id: recipient } = await keepAnn(service);
  await done(ask(service));
  await service.work();
  const { messages } = await service.send([{ to: { address }, data: { name: 'Ann' } }], { validation: 'manual' });
  await service.execute(sql`update messages set recipient_id = ${recipient} where id = ${messages[0]}`);
  await service.work();
  t.match(await service.message(messages[0] ?? ''), { status: 'B', reason: 'erased', to: null });
});

t.test('what others wait for leaves without the copy, under the same approval', async (t) => {
  const service = await startSending(t);
  await keepAnn(service);
  const row = (to: string) => ({
    to: { address: to },
    cc: [{ address: 'Ann@courriel.example', name: 'Ann' }, { address: 'eve@people.test' }],
    data: { name: 'Bob' },
  });
  const manual = await service.send([row('bob@people.test')], { validation: 'manual' });
  const planned = await service.send([row('bea@people.test')], {
    validation: 'manual',
    sendAt: '2026-11-23T08:00:00Z',
  });
  const [waiting = '', approved = ''] = [...manual.messages, ...planned.messages];
  await done(service.post(`/v1/messages/${approved}/validate`, {}));
  const before = await service.message(approved);
  await done(ask(service));
  await service.work();
  const left = await service.message(approved);
  t.match(left, {
    status: 'V',
    validatedByPerson: true,
    copies: [{ address: null, outcome: 'blocked' }, { address: 'eve@people.test' }],
  });
  t.not(left.contentHash, before.contentHash);
  await done(
    service.post(`/v1/messages/${waiting}/validate`, { contentHash: (await service.message(waiting)).contentHash }),
  );
  service.clock.set('2026-11-23T08:00:01Z');
  await service.work();
  for (const id of [waiting, approved]) t.match(await service.message(id), { status: 'OK', reason: null });
  t.same(service.sink.mails.map(receiverOf).sort(), [
    'bea@people.test',
    'bob@people.test',
    'eve@people.test',
    'eve@people.test',
  ]);
  t.notOk(service.sink.mails.some(({ raw }) => raw.toString().toLowerCase().includes(address)));
  t.same(await placesOf(service, [address]), []);
});

t.test('a refusal of the member holds for the dependants who stay', async (t) => {
  const service = await startSending(t);
  const member = await keepAnn(service);
  const child = await keep(service, 'CHILD', { displayName: 'Child' });
  const company = await keep(service, 'COMPANY', { displayName: 'Company' });
  const type = await done(
    service.post('/v1/notification-types', { key: 'ads', title: 'Ads', channels: ['mail'], defaultChoice: 'on' }),
  );
  const choices = [{ notificationType: 'ads', channel: 'mail', accepted: false }];
  await done(service.inject('PUT', `/v1/recipients/${ann}/choices`, { body: { choices } }));
  const { tenant } = service;
  await service.execute(sql`update recipients set household_of = ${member.id} where id = ${child.id}`);
  await service.execute(
    sql`update recipients set part_of = ${member.id}, reference_contact_of = ${member.id} where id = ${company.id}`,
  );
  const consent = (recipient: string, kind: string, level: number, since: string, proof: string | null = null) =>
    service.execute(sql`
      insert into consents (tenant_id, recipient_id, id, address_kind, level, since, proof, created_at)
      values (${tenant.id}, ${recipient}, ${service.runtime.newId()}, ${kind}, ${level}, ${since}, ${proof}, now())`);
  await consent(member.id, 'mail', 3, '2026-01-01T00:00:00Z');
  await consent(member.id, 'mail', 0, '2026-02-01T00:00:00Z', 'words of ann');
  await consent(member.id, 'postal', 2, '2026-02-01T00:00:00Z');
  await consent(child.id, 'mail', 2, '2026-03-01T00:00:00Z');
  await done(ask(service));
  await service.work();
  const held = await service.execute(sql`
    select address_kind, level, since, source, proof from consents where recipient_id = ${child.id}
    order by address_kind, since, id`);
  t.match(held, [
    { address_kind: 'mail', level: 2 },
    { address_kind: 'mail', level: 0, source: 'household', proof: null },
    { address_kind: 'postal', level: 2, source: 'household', proof: null },
  ]);
  const said = (await service.inject('GET', `/v1/recipients/${child.id}/choices`)).body.choices;
  t.match(said, [{ notificationTypeId: type.id, accepted: false, chosen: true, source: 'household' }]);
  t.same(
    await service.execute(sql`select household_of, part_of, reference_contact_of from recipients where part_of is not null
    or reference_contact_of is not null or household_of is not null`),
    [],
  );
  t.same(
    await placesOf(service, ['words of ann', member.id]).then((places) =>
      places.filter((one) => !/audit_entries|events|operations/.test(one)),
    ),
    [],
  );
});

t.test('only a live key with the right may erase, and only who exists', async (t) => {
  const service = await startSending(t);
  await keepAnn(service);
  t.match(await service.post(`/v1/recipients/${ann}/erase`, undefined, { key: service.tenant.testKey }), {
    status: 403,
  });
  const { secret } = await done(
    service.post('/v1/api-keys', { name: 'x', kind: 'live', scopes: ['recipients:update', 'recipients:read'] }),
  );
  const lacking = { status: 403, body: { scope: 'personal-data:update' } };
  t.match(await service.post(`/v1/recipients/${ann}/erase`, undefined, { key: secret }), lacking);
  t.match(await service.inject('GET', `/v1/recipients/${ann}/export`, { key: secret }), {
    status: 403,
    body: { scope: 'personal-data:read' },
  });
  t.equal((await service.post('/v1/recipients/external:client:NOBODY/erase')).status, 404);
  const other = await service.addTenant('Autre');
  t.equal((await service.post(`/v1/recipients/${ann}/erase`, undefined, { key: other.key })).status, 404);
});
