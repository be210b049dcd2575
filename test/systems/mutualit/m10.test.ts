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
