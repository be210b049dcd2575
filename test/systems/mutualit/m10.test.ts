/** M10 · The member, or a manager with that right, changes consent and choices; every change keeps date and author. */
import t from 'tap';
import { mail, startPeople } from '../../support/people.ts';
import { must } from '../../support/templates.ts';

const person = '/v1/recipients/external:member:1';

t.test('M10 · every change of consent is kept, and what was allowed on a day can be told', async (t) => {
  const { put, inject, clock, tenant } = await startPeople(t);
  await put('member:1', { addresses: [mail('m1@mutuelle.example')] });
  const say = async (level: number, user: string, more: object = {}) =>
    must(
      await inject('PUT', `${person}/consents`, {
        body: { consents: [{ addressKind: 'mail', level, ...more }] },
        headers: { 'on-behalf-of': user },
      }),
      200,
    );
  clock.set('2026-03-05T10:00:00Z');
  await say(2, 'mmartin', { source: 'Bulletin', proof: 'J’accepte les offres.' });
  clock.set('2026-06-01T22:30:00Z');
  await say(0, 'adherent', { source: 'Espace adhérent' });
  clock.set('2026-09-01T08:00:00Z');
  const now = await say(1, 'mmartin', { since: '2026-08-15T00:00:00Z' });
  t.match(now.history, [
    { level: 1, author: 'mmartin', since: '2026-08-15T00:00:00.000Z', recordedAt: '2026-09-01T08:00:00.000Z' },
    { level: 0, author: 'adherent', source: 'Espace adhérent', proof: null },
    { level: 2, author: 'mmartin', source: 'Bulletin', proof: 'J’accepte les offres.' },
  ]);
  const levelAt = async (at: string) => {
    const { consents } = must(await inject('GET', `${person}/consents?at=${encodeURIComponent(at)}`), 200);
    return consents.find(({ addressKind }: { addressKind: string }) => addressKind === 'mail');
  };
  t.match(await levelAt('2026-03-05T09:59:59Z'), { level: 1, given: null }, 'the default, before anything was said');
  t.match(await levelAt('2026-03-05'), { level: 2 }, 'a day is its end');
  t.match(await levelAt('2026-06-01'), { level: 2 }, 'half past midnight in Paris is the next day');
  t.match(await levelAt('2026-06-02'), { level: 0 });
  t.match(await levelAt('2026-08-14T23:59:59+02:00'), { level: 0 });
  t.match(await levelAt('2026-08-15T02:00:00+02:00'), { level: 1, given: { author: 'mmartin' } });
  t.match(await inject('GET', `${person}/consents?at=hier`), { status: 400 });
  const { items } = must(await inject('GET', '/v1/audit-entries?resourceType=recipient'), 200);
  t.match(items[0], { fields: ['consents.mail'], actorUser: 'mmartin' });
  t.ok(tenant.id);
});

t.test('M10 · every choice is kept with its date and author', async (t) => {
  const { put, inject, clock } = await startPeople(t, { notificationType: 'avis' });
  await put('member:1', { addresses: [mail('m1@mutuelle.example')] });
  const choose = async (accepted: boolean, user: string) =>
    must(
      await inject('PUT', `${person}/choices`, {
        body: { choices: [{ notificationType: 'avis', channel: 'mail', accepted, source: 'Fiche' }] },
        headers: { 'on-behalf-of': user },
      }),
      200,
    );
  clock.set('2026-03-05T10:00:00Z');
  await choose(false, 'adherent');
  clock.set('2026-04-05T10:00:00Z');
  await choose(true, 'mmartin');
  const { items } = must(await inject('GET', `${person}/choices/changes`), 200);
  t.match(items, [
    { notificationType: 'avis', accepted: true, author: 'mmartin', at: '2026-04-05T10:00:00.000Z' },
    { notificationType: 'avis', accepted: false, author: 'adherent', source: 'Fiche', at: '2026-03-05T10:00:00.000Z' },
  ]);
});

t.test('M10 · the right over consents is one of its own', async (t) => {
  const { put, inject } = await startPeople(t);
  await put('member:1', { addresses: [mail('m1@mutuelle.example')] });
  const keyWith = async (scopes: string[]) =>
    must(await inject('POST', '/v1/api-keys', { body: { name: 'K', kind: 'live', scopes } }), 201).secret;
  const body = { consents: [{ addressKind: 'mail', level: 3 }] };
  const reader = await keyWith(['consents:read', 'recipients:update', 'choices:update']);
  t.match(await inject('PUT', `${person}/consents`, { key: reader, body }), {
    status: 403,
    body: { scope: 'consents:update' },
  });
  must(await inject('GET', `${person}/consents`, { key: reader }), 200);
  const manager = await keyWith(['consents:update']);
  must(await inject('PUT', `${person}/consents`, { key: manager, body }), 200);
  t.match(await inject('GET', `${person}/consents`, { key: manager }), { status: 403 });
});

t.test('M10 · a household that was left and joined again is no word of the dependant', async (t) => {
  const { put, write, consent, choose, inject } = await startPeople(t, { notificationType: 'avis' });
  await put('member:1', { addresses: [mail('m1@foyer.example')] });
  await put('member:2', { addresses: [mail('m2@foyer.example')] });
  await put('dependant:1', { householdOf: 'external:member:1', addresses: [mail('d1@foyer.example')] });
  await consent('member:1', 0);
  await choose('member:1', 'avis', false);
  const follow = (householdOf?: string) => put('dependant:1', { ...(householdOf && { householdOf }), addresses: [] });
  const leave = () =>
    inject('PATCH', '/v1/recipients/external:dependant:1', {
      body: { householdOf: null, addresses: [mail('d1@foyer.example')] },
      headers: { 'if-match': '*' },
    });
  must(await leave(), 200);
  t.same((await write(['dependant:1'])).outcomes, ['B consent_refused'], 'what held is kept');
  await follow('external:member:1');
  const ask = (what: string) => inject('GET', `/v1/recipients/external:dependant:1/${what}`);
  t.match(must(await ask('choices'), 200).choices, [{ accepted: false, own: null }]);
  await consent('member:1', 3);
  await choose('member:1', 'avis', true);
  t.same((await write(['member:1', 'dependant:1'])).outcomes, ['OK', 'OK']);
  const { consents } = must(await ask('consents'), 200);
  t.match(
    consents.find(({ addressKind }: { addressKind: string }) => addressKind === 'mail'),
    { level: 3, own: null },
  );
  t.match(must(await ask('choices'), 200).choices, [{ accepted: true, own: null }]);

  await consent('member:1', 0);
  await choose('member:1', 'avis', false);
  await follow('external:member:2');
  t.same((await write(['dependant:1'])).outcomes, ['OK'], 'of another household, whose member never said anything');
  must(await leave(), 200);
  t.same((await write(['dependant:1'])).outcomes, ['OK'], 'and what held there is kept');
});

t.test('M10 · a dependant refuses for themselves, and it can be taken back', async (t) => {
  const { put, write, consent, choose, inject } = await startPeople(t, { notificationType: 'avis' });
  const { id: member } = await put('member:1', { addresses: [mail('m1@foyer.example')] });
  const { id: dependant } = await put('dependant:1', {
    householdOf: 'external:member:1',
    addresses: [mail('d1@foyer.example')],
  });
  await consent('member:1', 3);
  await choose('member:1', 'avis', true);
  const rows = ['member:1', { to: { address: 'd1@foyer.example' } }];
  await choose('dependant:1', 'avis', false);
  t.same((await write(rows)).outcomes, ['OK', 'B choice_off']);
  const back = await choose('dependant:1', 'avis', true);
  t.match(back.choices, [{ accepted: true, own: { accepted: true } }]);
  t.same((await write(rows)).outcomes, ['OK', 'OK']);
  await consent('dependant:1', 0);
  t.same((await write(rows)).outcomes, ['OK', 'B consent_refused']);
  await consent('dependant:1', 3);
  t.same((await write(rows)).outcomes, ['OK', 'OK']);
  const { items } = must(await inject('GET', '/v1/recipients/external:dependant:1/choices/changes'), 200);
  t.match(items, [
    { accepted: true, saidBy: dependant },
    { accepted: false, saidBy: dependant },
    { accepted: true, saidBy: member },
  ]);
  t.equal(items.length, 3, 'their own and those of the member');
  const { history } = must(await inject('GET', '/v1/recipients/external:dependant:1/consents'), 200);
  t.match(history, [{ saidBy: dependant }, { saidBy: dependant }, { saidBy: member }]);
});

t.test(
  'M10 · what a dependant refused themselves outlives leaving and joining; a source is no proof of the contrary',
  async (t) => {
    const { put, write, consent, inject } = await startPeople(t);
    await put('member:1', { addresses: [mail('m1@foyer.example')] });
    await put('dependant:1', { householdOf: 'external:member:1', addresses: [mail('d1@foyer.example')] });
    await consent('member:1', 0);
    await consent('dependant:1', 0, { source: 'household' });
    const join = (householdOf: string | null) =>
      inject('PATCH', '/v1/recipients/external:dependant:1', { body: { householdOf }, headers: { 'if-match': '*' } });
    must(await join(null), 200);
    must(await join('external:member:1'), 200);
    await consent('member:1', 3);
    t.same((await write(['member:1', 'dependant:1'])).outcomes, ['OK', 'B consent_refused']);
  },
);
