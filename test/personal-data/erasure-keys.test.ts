/** Keys that callers made may name a person: what is left of them after an erasure, and after retention. */
import t from 'tap';
import { done } from '../support/broker.ts';
import { placesOf } from '../support/dump.ts';
import { mail, type People, startPeople } from '../support/people.ts';

t.setTimeout(600_000);

const data = { name: 'N' };
const recipient = 'external:client:1';

async function erase({ post, work }: People, key: string) {
  await done(post(`/v1/recipients/${recipient}/erase`, undefined, { headers: { 'idempotency-key': key } }));
  await work();
}

t.test('no key that was given with an action, a refusal or a row is kept as it was', async (t) => {
  const service = await startPeople(t);
  const { put, send, post, work } = service;
  await put('client:1', { addresses: [mail('ann.oneill@people.test')] });
  const keyed = (key: string) => ({ headers: { 'idempotency-key': key } });
  const { messages, id } = await send([{ recipient, data }], { validation: 'manual' }, keyed('request-oneill'));
  await done(post(`/v1/messages/${messages[0]}/validate`, {}, keyed('one-oneill')));
  await done(post('/v1/messages/block', { ids: messages }, keyed('many-oneill')));
  await done(post('/v1/messages/validate', { filter: { recipient } }, keyed('filter-oneill')));
  await done(post(`/v1/send-requests/${id}/cancel`, {}, keyed('cancel-oneill')));
  const all = { template: 'notice', mode: 'all-or-nothing', recipients: [{ recipient, data: {} }] };
  t.equal((await post('/v1/send-requests', all, keyed('refused-oneill'))).status, 422);
  const row = { recipient, data, dedupeKey: 'erased:oneill' };
  const own = { template: 'notice', recipients: [row] };
  const first = await done(post('/v1/send-requests', own, keyed('erased:oneill-2')));
  await work();
  await erase(service, 'erase-oneill');
  t.same(await placesOf(service, ['oneill']), []);
  const again = await post('/v1/send-requests', own, keyed('erased:oneill-2'));
  t.match(again, { headers: { 'idempotency-replayed': 'true' }, body: { id: first.id } }, 'it still holds');
  const other = await done(post('/v1/send-requests', own, keyed('another')));
  t.match(other, { counts: { created: 0 }, repeated: [{ messageId: first.messages[0].id }] });
});

t.test('what retention has emptied is in no export any more, and its keys name nobody', async (t) => {
  const service = await startPeople(t);
  const { put, send, post, work, inject } = service;
  const headers = { 'if-match': '*' };
  await done(inject('PATCH', '/v1/tenant', { body: { retentionDays: 1 }, headers }));
  await put('client:1', { addresses: [mail('ann.oneill@people.test')] });
  await send([{ recipient, data }], {}, { headers: { 'idempotency-key': 'key-oneill' } });
  await work();
  const { operation } = await done(post('/v1/exports', { kind: 'messages', format: 'csv' }));
  await work();
  t.equal((await inject('GET', `/v1/exports/${operation}/content`)).status, 200);
  service.clock.advance(3 * 24 * 60 * 60 * 1_000);
  await work();
  t.match(await inject('GET', `/v1/exports/${operation}/content`), { status: 410, body: { code: 'erased' } });
  await erase(service, 'erase-oneill');
  t.same(await placesOf(service, ['oneill']), []);
});
