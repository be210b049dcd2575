/** M8 · Consent per kind of address: 0 refused, 1 internal, 2 also prospecting, 3 public; it covers the dependants. */
import t from 'tap';
import { done } from '../../support/broker.ts';
import { mail, startPeople } from '../../support/people.ts';
import { addTemplate, must } from '../../support/templates.ts';
import { click, keepPerson, lastLink, sendOne, startLetters } from '../../support/unsubscribing.ts';

const purposes = [
  [null, 1],
  ['management', 1],
  ['prospecting', 2],
  ['third-party', 3],
] as const;

t.test('M8 · each level allows the purposes up to it; refused, nothing can be sent', async (t) => {
  const service = await startPeople(t);
  const { put, write, consent, arrived } = service;
  for (const [purpose] of purposes) {
    await addTemplate(service, { key: `for-${purpose}`, consentPurpose: purpose }, { text: 'T', html: '<p>T</p>' });
  }
  for (const level of [0, 1, 2, 3]) {
    await put(`member:${level}`, { addresses: [mail(`m${level}@mutuelle.example`)] });
    await consent(`member:${level}`, level, { source: 'Bulletin d’adhésion' });
    for (const [purpose, needed] of purposes) {
      const { outcomes } = await write([`member:${level}`], { template: `for-${purpose}` });
      t.same(outcomes, [level >= needed ? 'OK' : 'B consent_refused'], `level ${level} for ${purpose}`);
      t.equal(arrived().length, level >= needed ? 1 : 0);
    }
  }
});

t.test(
  'M8 · who never said anything has the default of the organisation; so have those it does not know',
  async (t) => {
    const service = await startPeople(t);
    const { put, write, inject } = service;
    await addTemplate(service, { key: 'offer', consentPurpose: 'prospecting' }, { text: 'T', html: '<p>T</p>' });
    await put('member:1', { addresses: [mail('m1@mutuelle.example')] });
    const rows = ['member:1', { to: { address: 'inconnu@ailleurs.example' } }];
    const setDefault = async (defaultConsentLevel: number) =>
      must(await inject('PATCH', '/v1/tenant', { body: { defaultConsentLevel }, headers: { 'if-match': '*' } }), 200);
    t.same((await write(rows, { template: 'offer' })).outcomes, ['B consent_refused', 'B consent_refused']);
    t.same((await write(rows)).outcomes, ['OK', 'OK'], 'management by default');
    await setDefault(2);
    t.same((await write(rows, { template: 'offer' })).outcomes, ['OK', 'OK']);
    await setDefault(0);
    t.same((await write(rows)).outcomes, ['B consent_refused', 'B consent_refused']);
  },
);

t.test('M8 · a refusal covers the dependants, however they are addressed, and copies to them', async (t) => {
  const { put, write, consent, arrived, message } = await startPeople(t);
  await put('member:1', { addresses: [mail('parent@foyer.example')] });
  const household = { householdOf: 'external:member:1' };
  await put('dependant:1', { ...household, addresses: [mail('enfant@foyer.example')] });
  await put('dependant:2', { ...household, addresses: [] });
  await put('member:2', { addresses: [mail('autre@foyer.example')] });
  const rows = [
    'dependant:1',
    'dependant:2',
    { to: { address: 'ENFANT@foyer.example' } },
    { recipient: 'external:member:2', cc: [{ address: 'enfant@foyer.example' }, { address: 'parent@foyer.example' }] },
  ];
  t.same((await write(rows)).outcomes, ['OK', 'OK', 'OK', 'OK']);
  t.ok(arrived().length >= 4);
  await consent('member:1', 0);
  const refused = await write(rows);
  const no = 'B consent_refused';
  t.same(refused.outcomes, [no, no, no, 'OK']);
  t.same(arrived(), ['autre@foyer.example']);
  const left = await message(refused.messages[3] ?? '');
  t.match(left.copies, [
    { outcome: 'blocked', reason: 'consent_refused' },
    { outcome: 'blocked', reason: 'consent_refused' },
  ]);
  t.match(await message(refused.messages[0] ?? ''), {
    reasonDetail: { facts: { rule: 'consent', level: 0, needed: 1 } },
  });
});

t.test('M8 · what waits is stopped when it leaves; a person cannot validate over a refusal', async (t) => {
  const { put, send, consent, arrived, inject, message, work } = await startPeople(t);
  for (const n of [1, 2]) await put(`member:${n}`, { addresses: [mail(`m${n}@mutuelle.example`)] });
  const rows = [1, 2].map((n) => ({ recipient: `external:member:${n}`, data: { name: 'N' } }));
  const { messages } = await send(rows, { validation: 'manual' });
  const [first = '', second = ''] = messages;
  must(await inject('POST', `/v1/messages/${second}/validate`, { body: {} }), 200);
  for (const n of [1, 2]) await consent(`member:${n}`, 0);
  await work();
  t.match(await message(second), { status: 'B', reason: 'consent_refused' });
  t.match(await inject('POST', `/v1/messages/${first}/validate`, { body: {} }), {
    status: 409,
    body: { code: 'blocked_by_rule', reason: 'consent_refused' },
  });
  for (const n of [1, 2]) await consent(`member:${n}`, 1);
  for (const id of messages) must(await inject('POST', `/v1/messages/${id}/validate`, { body: {} }), 200);
  await work();
  t.same(arrived().sort(), ['m1@mutuelle.example', 'm2@mutuelle.example'], 'allowed again, and validated again');
});

t.test('M8 · refused: a dry run says that it is not offered', async (t) => {
  const { put, consent, post } = await startPeople(t);
  await put('member:1', { addresses: [mail('m1@mutuelle.example')] });
  await consent('member:1', 0);
  const body = {
    template: 'notice',
    dryRun: true,
    recipients: [{ recipient: 'external:member:1', data: { name: 'N' } }],
  };
  const answer = must(await post('/v1/send-requests', body, { headers: { 'idempotency-key': 'look' } }), 200);
  t.match(answer, { counts: { B: 1 }, messages: [{ status: 'B', reason: 'consent_refused' }] });
});

t.test('M8 · advertising without a kind or a purpose is prospecting, and its one click refuses no more', async (t) => {
  const service = await startLetters(t);
  const jeanne = { recipient: 'external:client:C-1', data: { name: 'J' } };
  const statusOf = async (template: string) => {
    const { status, reason } = await service.message(await sendOne(service, template, jeanne));
    return [status, reason];
  };
  const id = await keepPerson(service, 'C-1', 'jeanne@people.test');
  const say = (level: number) =>
    done(
      service.inject('PUT', `/v1/recipients/${id}/consents`, { body: { consents: [{ addressKind: 'mail', level }] } }),
    );
  await say(1);
  const refused = await sendOne(service, 'prospectus', jeanne);
  t.match(await service.message(refused), {
    status: 'B',
    reason: 'consent_refused',
    reasonDetail: { facts: { level: 1, needed: 2 } },
  });
  const look = { template: 'prospectus', recipients: [jeanne], dryRun: true };
  const seen = await service.post('/v1/send-requests', look, { headers: { 'idempotency-key': 'look' } });
  t.match(seen.body, { counts: { B: 1 } });
  await say(2);
  t.same(await statusOf('prospectus'), ['OK', null]);
  t.match((await click(service, lastLink(service))).body, 'plus d’offres');
  t.same((await done(service.inject('GET', '/v1/suppressions'))).items, []);
  t.same(await statusOf('prospectus'), ['B', 'consent_refused']);
  t.same(await statusOf('notice'), ['OK', null], 'management still leaves');
});
