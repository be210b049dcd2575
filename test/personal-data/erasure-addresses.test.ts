/** Which addresses an erasure follows: those of today's record, and those of before. */
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { done } from '../support/broker.ts';
import { placesOf } from '../support/dump.ts';
import { mail, type People, startPeople } from '../support/people.ts';

t.setTimeout(600_000);

const data = { name: 'N' };

/** Erases, and lets it be done. */
async function erase({ post, work, inject }: People, reference: string) {
  const { operation } = await done(post(`/v1/recipients/${reference}/erase`));
  await work();
  return done(inject('GET', `/v1/operations/${operation}`));
}

t.test('an address that the record had before is followed everywhere', async (t) => {
  const service = await startPeople(t);
  const { put, send, post, work, message } = service;
  await put('client:1', { addresses: [mail('Oneill.Old@people.test')] });
  const old = { address: 'oneill.old@people.test' };
  const bob = { address: 'bob@people.test' };
  await send([{ recipient: 'external:client:1', data }]);
  const others = await send([
    { to: bob, cc: [old], data },
    { to: old, data: { name: 'inline' } },
  ]);
  const planned = await send([{ to: bob, cc: [old], data }], { sendAt: '2027-01-04T08:00:00Z' });
  const recipients = [
    { to: bob, cc: [old], data },
    { to: old, data },
  ];
  const headers = { 'idempotency-key': randomUUID() };
  await done(post('/v1/send-requests', { template: 'notice', confirm: false, recipients }, { headers }));
  await done(post('/v1/exports', { kind: 'messages', format: 'csv', filter: old }));
  await work();
  await put('client:1', { addresses: [mail('ann@people.test')] });
  t.match(await erase(service, 'external:client:1'), { status: 'done', total: 2, done: 2 });
  t.same(await placesOf(service, ['oneill']), [], 'nothing is left');
  t.match(await message(others.messages[0] ?? ''), { to: bob, copies: [{ address: null, outcome: 'accepted' }] });
  t.match(await message(planned.messages[0] ?? ''), { status: 'V', copies: [{ address: null, outcome: 'blocked' }] });
});

t.test('an address of before that is somebody else’s now, or was all along, is not followed', async (t) => {
  const service = await startPeople(t);
  const { put, send, write, message, work, post } = service;
  await put('client:1', { addresses: [mail('desk@people.test')] });
  await write(['client:1']);
  await put('client:1', { addresses: [mail('ann@people.test')] });
  await put('client:2', { addresses: [mail('desk@people.test')] });
  await put('member:1', { addresses: [mail('parent@people.test')] });
  await put('dependant:1', { householdOf: 'external:member:1' });
  const { messages: household } = await write(['member:1', 'dependant:1']);
  await put('member:1', { addresses: [mail('elsewhere@people.test')] });
  const { messages } = await send([
    { to: { address: 'desk@people.test' }, data },
    { to: { address: 'bob@people.test' }, cc: [{ address: 'parent@people.test' }], data },
  ]);
  await work();
  await erase(service, 'external:client:1');
  await erase(service, 'external:dependant:1');
  t.match(await message(messages[0] ?? ''), { to: { address: 'desk@people.test' } });
  t.match(await message(messages[1] ?? ''), { copies: [{ address: 'parent@people.test' }] }, 'the member’s');
  t.match(await message(household[0] ?? ''), { to: { address: 'parent@people.test' } });
  t.match(await message(household[1] ?? ''), { to: null });
  await put('dependant:2', { householdOf: 'external:member:1' });
  await put('member:1', { addresses: [mail('parent@people.test')] });
  const {
    messages: [child = ''],
  } = await write(['dependant:2']);
  await put('member:1', { addresses: [mail('elsewhere@people.test')] });
  await done(post('/v1/recipients/external:member:1/erase'));
  await work();
  t.match(await message(child), { to: null }, 'what went to the member for a dependant names the member');
  t.same(await placesOf(service, ['parent@people', 'elsewhere@people']), []);
});

t.test('a person whose record was deleted is erased by its id, while messages name it', async (t) => {
  const service = await startPeople(t);
  const { put, write, send, post, inject, message } = service;
  const { id } = await put('client:1', { addresses: [mail('oneill@people.test')] });
  const { messages } = await write(['client:1']);
  const waiting = await send([{ recipient: 'external:client:1', data }], { validation: 'manual' });
  await send([{ to: { address: 'bob@people.test' }, cc: [{ address: 'oneill@people.test' }], data }]);
  const gone = await inject('DELETE', '/v1/recipients/external:client:1', { headers: { 'if-match': '*' } });
  t.equal(gone.status, 204);
  const { operation } = await done(post(`/v1/recipients/${id}/erase`));
  t.match(await message(waiting.messages[0] ?? ''), { status: 'B', reason: 'erased' }, 'at once');
  t.same(await done(post(`/v1/recipients/${id}/erase`)), { operation, status: 'queued' }, 'asked twice it is one');
  await service.work();
  t.match(await done(inject('GET', `/v1/operations/${operation}`)), { status: 'done', done: 2 });
  t.match(await message(messages[0] ?? ''), { status: 'OK', to: null });
  t.same(await placesOf(service, ['oneill']), []);
  t.match(await post(`/v1/recipients/${id}/erase`), { status: 404 }, 'nothing names them any more');
  const other = await service.addTenant('Autre');
  t.match(await post(`/v1/recipients/${id}/erase`, undefined, { key: other.key }), { status: 404 });
});

t.test('who has no record is erased by their address', async (t) => {
  const service = await startPeople(t);
  const { put, send, post, inject, work, message } = service;
  const address = 'Ann.Oneill@people.test';
  const one = await put('client:1', { addresses: [mail('one@people.test')] });
  const bob = { address: 'bob@people.test' };
  const sent = await send([
    { to: { address, name: 'Oneill' }, data },
    { to: bob, cc: [{ address }], data },
  ]);
  const waiting = await send([{ to: { address }, data }], { validation: 'manual' });
  await work();
  const ask = (body: object, more: object = {}) => post('/v1/recipients/erase', body, more);
  t.match(await ask({ address: 'One@People.test' }), {
    status: 409,
    body: { code: 'in_use', recipients: [one.id] },
  });
  t.match(await ask({ address: 'oneill' }), { status: 422, body: { errors: [{ pointer: '/address' }] } });
  t.match(await ask({ address }, { key: service.tenant.testKey }), { status: 403 });
  const first = await done(ask({ address: address.toUpperCase() }));
  t.match(await message(waiting.messages[0] ?? ''), { status: 'B', reason: 'erased' }, 'at once');
  t.same(await done(ask({ address })), first, 'asked twice it is one');
  await done(post('/v1/suppressions', { address, cause: 'complaint', note: 'Oneill' }));
  await work();
  t.match(await done(inject('GET', `/v1/operations/${first.operation}`)), { kind: 'erase', status: 'done', done: 2 });
  t.same(await placesOf(service, ['oneill']), []);
  t.match(await message(sent.messages[1] ?? ''), { to: bob, copies: [{ address: null }] });
  t.match(await service.events('recipient.erased'), [{ resourceId: first.operation }]);
  const { messages } = await send([{ to: { address }, data }]);
  t.match(await message(messages[0] ?? ''), { status: 'B', reason: 'suppressed' }, 'still never written to');
  t.match(await done(ask({ address: 'nobody@people.test' })), { operation: String }, 'also who is not known');
});
