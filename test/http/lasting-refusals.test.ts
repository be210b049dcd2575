/** A refusal lasts: through files, households, records that are replaced, deleted or erased. */
import { sql } from 'drizzle-orm';
import t from 'tap';
import { importFile } from '../imports/import-service.ts';
import { mail, startPeople } from '../support/people.ts';
import { addTemplate, must } from '../support/templates.ts';

const refusing = { acceptsContact: false };

t.test('an address that is given again without a word of contact keeps its refusal', async (t) => {
  const service = await startPeople(t);
  const { put, write, inject, arrived } = service;
  const path = '/v1/recipients/external:client:1';
  await put('client:1', { addresses: [mail('Ann@people.test', refusing)] });
  await importFile(service, 'type;externalId;displayName;mail\nclient;1;Ann;ann@people.test');
  t.same((await write(['client:1'])).outcomes, ['B contact_refused']);
  for (const method of ['PUT', 'PATCH']) {
    const body = { addresses: [mail('ann@people.test', { role: 'personal' })] };
    must(await inject(method, path, { body, headers: { 'if-match': '*' } }), 200);
    t.same((await write(['client:1'])).outcomes, ['B contact_refused'], method);
  }
  await put('client:1', { addresses: [mail('ann@people.test', { acceptsContact: true })] });
  t.same((await write(['client:1'])).outcomes, ['OK'], 'a yes is said');
  t.same(arrived(), ['ann@people.test']);
});

t.test(
  'what waits is stopped before the word against it goes with its record, and nobody validates over it',
  async (t) => {
    const { put, send, consent, inject, message, work, arrived } = await startPeople(t);
    for (const n of [1, 2]) await put(`client:${n}`, { addresses: [mail(`p${n}@people.test`)] });
    const rows = [1, 2].map((n) => ({ recipient: `external:client:${n}`, data: { name: 'N' } }));
    const { messages } = await send(rows, { sendAt: '2199-01-04T08:00:00Z' });
    await consent('client:1', 0);
    t.equal((await inject('DELETE', '/v1/recipients/external:client:1')).status, 204);
    t.match(await message(messages[0] ?? ''), { status: 'B', reason: 'consent_refused' });
    t.match(await inject('POST', `/v1/messages/${messages[0]}/validate`, { body: {} }), {
      status: 409,
      body: { code: 'blocked_by_rule', reason: 'suppressed' },
    });
    await put('client:2', { addresses: [mail('p2@people.test', refusing)] });
    await put('client:2', { addresses: [mail('other@people.test')] });
    t.match(await message(messages[1] ?? ''), { status: 'B', reason: 'contact_refused' });
    await work();
    t.same(arrived(), []);
  },
);

t.test('who refused all mail and was erased is not written to when they are known again', async (t) => {
  const service = await startPeople(t);
  const { put, write, consent, post, work, arrived } = service;
  await put('client:1', { addresses: [mail('zero@people.test')] });
  await put('client:2', { addresses: [mail('never@people.test', refusing)] });
  await put('client:3', { addresses: [mail('yes@people.test')] });
  await consent('client:1', 0);
  for (const n of [1, 2, 3]) must(await post(`/v1/recipients/external:client:${n}/erase`), 202);
  await work();
  const table = ['zero', 'never', 'yes'].map((name, n) => `client;${n + 1};${name}@people.test`);
  await importFile(service, ['type;externalId;mail', ...table].join('\n'));
  const again = await write(['client:1', 'client:2', 'client:3']);
  t.same(again.outcomes, ['B suppressed', 'B suppressed', 'OK']);
  t.same(arrived(), ['yes@people.test']);
  const [kept] = await service.execute(sql`select count(*)::int as count from suppressions where address is not null`);
  t.same(kept, { count: 0 }, 'by their hashes alone');
});

t.test('a dependant’s own word holds beside their member’s, and what held is kept when they leave', async (t) => {
  const service = await startPeople(t, { notificationType: 'avis' });
  const { put, write, consent, choose, inject } = service;
  await put('member:1', { addresses: [mail('parent@foyer.test')] });
  await put('dependant:1', { addresses: [mail('enfant@foyer.test')] });
  await put('dependant:2', { addresses: [mail('autre@foyer.test')] });
  await choose('dependant:1', 'avis', false);
  const join = (reference: string, householdOf: string | null) =>
    inject('PATCH', `/v1/recipients/external:${reference}`, { body: { householdOf }, headers: { 'if-match': '*' } });
  for (const n of [1, 2]) must(await join(`dependant:${n}`, 'external:member:1'), 200);
  const own = { to: { address: 'enfant@foyer.test' } };
  t.same((await write([own, 'member:1'])).outcomes, ['B choice_off', 'OK']);
  const held = must(await inject('GET', '/v1/recipients/external:dependant:1/choices'), 200);
  t.match(held.choices, [{ accepted: false }]);
  await consent('member:1', 0);
  for (const n of [1, 2]) must(await join(`dependant:${n}`, null), 200);
  t.same((await write(['dependant:2'])).outcomes, ['B consent_refused']);
  t.match(must(await inject('GET', '/v1/recipients/external:dependant:2/consents'), 200).history, [
    { addressKind: 'mail', level: 0, source: 'household' },
  ]);
});

t.test('a record is not emptied by a PUT without a body, or with a form', async (t) => {
  const { put, inject, app, tenant } = await startPeople(t);
  await put('client:1', { displayName: 'Ann' });
  const url = '/v1/recipients/external:client:1';
  const headers = { authorization: `Bearer ${tenant.key}` };
  t.equal((await app.inject({ method: 'PUT', url, headers })).statusCode, 400);
  const form = { ...headers, 'content-type': 'multipart/form-data; boundary=x' };
  const payload = '--x\r\nContent-Disposition: form-data; name="displayName"\r\n\r\nB\r\n--x--\r\n';
  t.equal((await app.inject({ method: 'PUT', url, headers: form, payload })).statusCode, 400);
  t.match(await inject('GET', url), { body: { displayName: 'Ann' } });
});

t.test(
  'years that no calendar holds are refused by name; a preview tells what the template has against somebody',
  async (t) => {
    const service = await startPeople(t);
    const { put, inject } = service;
    await put('client:1', { addresses: [mail('a@people.test')] });
    t.match(await inject('GET', '/v1/recipients/external:client:1/consents?at=0000-01-01'), { status: 400 });
    for (const from of ['0000-01-01', '0001-01-01']) {
      const body = { filter: { attribute: { name: 'a', from } } };
      t.match(await inject('POST', '/v1/recipients/count', { body }), { status: 400 }, from);
    }
    const path = await addTemplate(
      service,
      { key: 'others', recipientTypes: ['student'] },
      { text: 'T', html: '<p>T</p>' },
    );
    const look = await inject('POST', `${path}/preview`, { body: { data: {}, recipient: 'external:client:1' } });
    t.match(look.body.defaults, { reason: 'recipient_type_refused' });
  },
);
