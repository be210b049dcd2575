/** Who refused all mail is not written to because their record, or the address in it, has gone. */
import t from 'tap';
import { importFile } from '../imports/import-service.ts';
import { mail, type People, startPeople } from '../support/people.ts';
import { must } from '../support/templates.ts';
import { click, keepPerson, lastLink, letter, sendOne, startLetters } from '../support/unsubscribing.ts';

const refusing = { acceptsContact: false };
const later = { sendAt: '2199-01-04T08:00:00Z' };
const inline = (address: string) => ({ to: { address } });

const remove = async ({ inject }: People, reference: string) =>
  must(await inject('DELETE', `/v1/recipients/external:${reference}`), 204);

t.test('a record that is deleted leaves its refusals: by the bare address, and when it is made again', async (t) => {
  const service = await startPeople(t);
  const { put, consent, write, arrived, inject } = service;
  for (const name of ['zero', 'never', 'yes', 'limited'])
    await put(`client:${name}`, { addresses: [mail(`${name}@people.test`)] });
  await put('client:never', { addresses: [mail('never@people.test', refusing)] });
  await consent('client:zero', 0);
  await consent('client:limited', 1);
  for (const name of ['zero', 'never', 'yes', 'limited']) await remove(service, `client:${name}`);
  const bare = await write(['zero', 'never', 'yes', 'limited'].map((name) => inline(`${name}@people.test`)));
  t.same(bare.outcomes, ['B suppressed', 'B suppressed', 'OK', 'OK']);
  for (const name of ['zero', 'yes']) await put(`client:${name}`, { addresses: [mail(`${name}@people.test`)] });
  t.same((await write(['client:zero', 'client:yes'])).outcomes, ['B suppressed', 'OK']);
  t.same(arrived(), ['yes@people.test', 'limited@people.test', 'yes@people.test']);
  const { items } = must(await inject('GET', '/v1/suppressions'), 200);
  t.match(items, [{ address: null, cause: 'manual' }, { address: null }], 'by hashes: an erasure has nothing to find');
  t.equal(items.length, 2);
  const [lifted] = must(await inject('GET', '/v1/suppressions?address=Zero@people.test'), 200).items;
  must(await inject('DELETE', `/v1/suppressions/${lifted.id}`), 204);
  t.same((await write(['client:zero'])).outcomes, ['OK'], 'lifted');
});

t.test('an address that leaves a record by PUT, by PATCH or by a file stays refused', async (t) => {
  const service = await startPeople(t);
  const { put, write, inject, arrived } = service;
  const path = (n: number) => `/v1/recipients/external:client:${n}`;
  const addressed = { addresses: [mail('new@people.test')] };
  const ways = [
    () => put('client:0', { displayName: 'Ann' }),
    () => inject('PATCH', path(1), { body: addressed, headers: { 'if-match': '*' } }),
    () => importFile(service, 'type;externalId;mail\nclient;2;other@people.test'),
    () => importFile(service, 'type;externalId;mail;householdOf\nclient;3;more@people.test;external:member:1'),
  ];
  await put('member:1');
  for (const [n, leave] of ways.entries()) {
    await put(`client:${n}`, { addresses: [mail(`p${n}@people.test`, refusing)] });
    await leave();
  }
  const bare = ways.map((_, n) => inline(`p${n}@people.test`));
  t.same(
    (await write(bare)).outcomes,
    ways.map(() => 'B suppressed'),
  );
  await put('client:0', { addresses: [mail('p0@people.test')] });
  t.same((await write(['client:0'])).outcomes, ['B suppressed'], 'and when it comes back');
  t.same(arrived(), []);
});

t.test(
  'a consent stays with the record: an address that comes back is theirs to write to when they say yes',
  async (t) => {
    const { put, write, consent, arrived } = await startPeople(t);
    const addresses = [mail('ann@people.test')];
    await put('client:1', { addresses });
    await consent('client:1', 0);
    await put('client:1', { addresses: [] });
    await put('client:1', { addresses });
    t.same((await write(['client:1'])).outcomes, ['B consent_refused']);
    await consent('client:1', 1);
    t.same((await write(['client:1'])).outcomes, ['OK']);
    t.same(arrived(), ['ann@people.test']);
  },
);

t.test('an address that somebody else has too is theirs to refuse', async (t) => {
  const service = await startPeople(t);
  const { put, write, arrived } = service;
  await put('client:1', { addresses: [mail('both@people.test', refusing)] });
  await put('client:2', { addresses: [mail('both@people.test')] });
  await remove(service, 'client:1');
  t.same((await write(['client:2'])).outcomes, ['OK']);
  t.same(arrived(), ['both@people.test']);
});

t.test(
  'what waits, copies, and what somebody had blocked are held to a refusal that went with its record',
  async (t) => {
    const service = await startPeople(t);
    const { put, consent, send, inject, message, clock, work, arrived } = service;
    await put('client:1', { addresses: [mail('zero@people.test')] });
    await put('client:2', { addresses: [mail('yes@people.test')] });
    const data = { name: 'N' };
    const rows = [
      { recipient: 'external:client:2', data, cc: [{ address: 'zero@people.test' }] },
      { recipient: 'external:client:1', data },
      { to: { address: 'zero@people.test' }, data },
    ];
    const { messages } = await send(rows, later);
    const [copied = '', blocked = '', waiting = ''] = messages;
    must(await inject('POST', `/v1/messages/${blocked}/block`, { body: {} }), 200);
    await consent('client:1', 0);
    await remove(service, 'client:1');
    t.match(await message(waiting), { status: 'B', reason: 'consent_refused' }, 'the rule that refused it');
    t.match(await inject('POST', `/v1/messages/${blocked}/validate`, { body: {} }), {
      status: 409,
      body: { code: 'blocked_by_rule', reason: 'suppressed' },
    });
    clock.set(new Date(later.sendAt));
    await work();
    t.match(await message(copied), { status: 'OK' });
    t.same(arrived(), ['yes@people.test'], 'without its copy');
  },
);

t.test('a file that takes an address away stops what waits for it against a choice', async (t) => {
  const service = await startPeople(t, { notificationType: 'avis' });
  const { put, choose, send, message } = service;
  await put('client:1', { addresses: [mail('ann@people.test')] });
  const { messages } = await send([{ to: { address: 'ann@people.test' }, data: { name: 'N' } }], later);
  await choose('client:1', 'avis', false);
  await importFile(service, 'type;externalId;mail\nclient;1;other@people.test');
  t.match(await message(messages[0] ?? ''), { status: 'B', reason: 'choice_off' });
});

t.test('a click to unsubscribe is done beside changes of the same household at that moment', async (t) => {
  const service = await startLetters(t);
  const { inject } = service;
  const shared = 'foyer@people.test';
  await keepPerson(service, 'C-1', shared);
  const dependant = { householdOf: 'external:client:C-1', addresses: [{ kind: 'mail', value: shared }] };
  for (let round = 0; round < 12; round += 1) {
    must(await inject('PUT', `/v1/recipients/external:client:D-${round}`, { body: dependant }), 201);
  }
  await sendOne(service, letter, inline(shared));
  const path = lastLink(service);
  for (let round = 0; round < 12; round += 1) {
    const [clicked, ...put] = await Promise.all([
      click(service, path),
      inject('PUT', `/v1/recipients/external:client:D-${round}`, { body: dependant }),
      inject('PUT', '/v1/recipients/external:client:C-1', { body: { addresses: dependant.addresses } }),
    ]);
    t.same([clicked.status, ...put.map(({ status }) => status)], [200, 200, 200]);
  }
});
