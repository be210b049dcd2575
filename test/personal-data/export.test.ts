/** What a person is shown of what is held of them: all of it, and of nobody else. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import t from 'tap';
import { done, pdf, upload } from '../support/broker.ts';
import { startSending } from '../support/sending.ts';

t.setTimeout(600_000);

const ann = 'external:client:ANN';

t.test('everything held of a person and sent to them is one document', async (t) => {
  const service = await startSending(t, { notificationType: 'news' });
  const { inject, post } = service;
  const addresses = [
    { kind: 'mail', value: 'Ann@courriel.example' },
    { kind: 'postal', value: '1 rue\nLyon' },
  ];
  const record = { displayName: 'Ann', attributes: { club: 'rowing' }, addresses };
  const { id } = await done(inject('PUT', `/v1/recipients/${ann}`, { body: record }));
  const child = await done(inject('PUT', '/v1/recipients/external:client:CHILD', { body: { displayName: 'Child' } }));
  await service.execute(sql`update recipients set household_of = ${id} where id = ${child.id}`);
  await done(
    inject('PUT', `/v1/recipients/${ann}/choices`, {
      body: { choices: [{ notificationType: 'news', channel: 'mail', accepted: true }] },
    }),
  );
  await service.execute(sql`
    insert into consents (tenant_id, recipient_id, id, address_kind, level, since, proof, created_at)
    select ${service.tenant.id}, ${id}, gen_random_uuid(), 'mail', level, now() - (2 - level) * interval '1 day', 'I agree', now()
    from generate_series(0, 2) level`);
  await done(post(`/v1/recipients/${ann}/responses`, { context: { type: 'q', ref: 'Q-1' } }));
  const file = await upload(service, 'avis.pdf', pdf('avis'));
  const named = await service.send([
    { recipient: ann, data: { name: 'Ann' }, documents: [file], cc: [{ address: 'bob@people.test' }] },
  ]);
  const inline = await service.send([{ to: { address: 'ann@Courriel.example' }, data: { name: 'Ann' } }]);
  await service.send([{ to: { address: 'bob@people.test' }, data: { name: 'secret of Bob' } }]);
  const broken = await service.send([{ recipient: ann, data: {} }]);
  await service.work();
  await done(post('/v1/suppressions', { address: 'ann@courriel.example', cause: 'manual', note: 'asked by phone' }));
  const many = await service.send(
    Array.from({ length: 60 }, (_, index) => ({ recipient: ann, data: { name: `n${index}` } })),
  );

  const answer = await inject('GET', `/v1/recipients/${ann}/export`);
  t.match(answer.headers, {
    'content-type': /^application\/json/,
    'content-disposition': `attachment; filename="recipient-${id}.json"`,
  });
  const { messages, ...held } = answer.body;
  t.match(held, {
    recipient: { id, displayName: 'Ann', attributes: { club: 'rowing' }, addresses },
    choices: [{ notificationType: 'news', accepted: true, chosen: true }],
    choiceChanges: [{ accepted: true }],
    consents: [{ level: 2, proof: 'I agree' }, { level: 1 }, { level: 0 }],
    responses: [{ context: { type: 'q', ref: 'Q-1' } }],
    suppressions: [{ address: 'ann@courriel.example', note: 'asked by phone' }],
    auditEntries: [{ action: 'updated' }, { action: 'updated' }, { action: 'created' }],
  });
  const ids = [...named.messages, ...inline.messages, ...broken.messages, ...many.messages];
  t.same(
    messages.map(({ message }: { message: { id: string } }) => message.id),
    ids.sort(),
  );
  t.match(messages[0], {
    message: {
      id: named.messages[0],
      subject: 'For Ann',
      data: { name: 'Ann' },
      documents: [{ filename: 'avis.pdf' }],
      copies: [{ address: 'bob@people.test' }],
    },
    text: 'Dear Ann',
    transitions: [{ to: 'V' }, { from: 'V', to: 'OK' }],
    attempts: [{ outcome: 'accepted' }],
  });
  t.match(messages[2], { message: { status: 'KO' }, text: null, attempts: [] });
  t.notOk(/secret of Bob|Child/.test(answer.raw.toString()), 'nothing of anybody else');

  await done(post(`/v1/recipients/${ann}/erase`));
  await service.work();
  t.equal((await inject('GET', `/v1/recipients/${ann}/export`)).status, 404);
});

t.test('the history of a person has the filters of a search', async (t) => {
  const service = await startSending(t);
  const addresses = [{ kind: 'mail', value: 'ann@courriel.example' }];
  await done(service.inject('PUT', `/v1/recipients/${ann}`, { body: { addresses } }));
  const rows = Array.from({ length: 5 }, (_, index) => ({ recipient: ann, data: { name: `n${index}` } }));
  const { messages } = await service.send([...rows, { recipient: ann, data: {} }]);
  await service.send([{ to: { address: 'bob@people.test' }, data: { name: 'Bob' } }]);
  await service.send(rows.slice(0, 1), {}, { key: service.tenant.testKey });
  const path = `/v1/recipients/${ann}/messages`;
  const idsOf = (body: { items: { id: string }[] }) => body.items.map(({ id }) => id);
  const { body } = await service.inject('GET', `${path}?test=false`);
  t.same(idsOf(body), messages.toReversed());
  t.same(idsOf((await service.inject('GET', `${path}?status=KO`)).body), messages.slice(-1));
  const page = (await service.inject('GET', `${path}?limit=4&test=false`)).body;
  const rest = (await service.inject('GET', `${path}?limit=4&test=false&cursor=${encodeURIComponent(page.nextCursor)}`))
    .body;
  t.same([...idsOf(page), ...idsOf(rest)], messages.toReversed());
  const tests = (await service.inject('GET', path, { key: service.tenant.testKey })).body;
  t.match(tests.items, [{ test: true }]);
  t.equal(tests.items.length, 1, 'a test key sees its own');
  t.equal((await service.inject('GET', '/v1/recipients/external:client:NOBODY/messages')).status, 404);
  t.equal((await service.inject('GET', `${path}?recipient=x`)).status, 400);
});

t.test('rows of drafts that would become messages to a person are shown too, and no others', async (t) => {
  const service = await startSending(t);
  const addresses = [{ kind: 'mail', value: 'ann@courriel.example' }];
  await done(service.inject('PUT', `/v1/recipients/${ann}`, { body: { addresses } }));
  const draft = (recipients: object[]) =>
    done(
      service.post(
        '/v1/send-requests',
        { template: 'notice', confirm: false, recipients },
        { headers: { 'idempotency-key': randomUUID() } },
      ),
    );
  const own = [
    { recipient: ann, data: { name: 'first' } },
    { to: { address: 'Ann@Courriel.example' }, data: { name: 'second' } },
  ];
  const mixed = await draft([...own, { to: { address: 'bob@people.test' }, data: { name: 'secret of Bob' } }]);
  await draft([{ to: { address: 'bob@people.test' }, cc: [{ address: 'ann@courriel.example' }], data: { name: 'x' } }]);
  const { drafts } = (await service.inject('GET', `/v1/recipients/${ann}/export`)).body;
  t.same(
    drafts,
    own.map((row) => ({ sendRequest: mixed.id, row })),
  );
});
