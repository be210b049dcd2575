/** A link in the mail of a dependant: what it refuses is their own word, which holds beside that of their member (M8, M10). */
import t from 'tap';
import { done } from '../support/broker.ts';
import type { Sending } from '../support/sending.ts';
import { click, lastLink, letter, sendOne, startLetters } from '../support/unsubscribing.ts';

t.setTimeout(600_000);

const mail = 'jeanne@people.test';
const jeanne = { recipient: 'external:client:C-1' };

const statusOf = async (service: Sending, id: string) => {
  const { status, reason } = await service.message(id);
  return [status, reason];
};

t.test('M10 · a dependant who unsubscribed gets the letters again once that is taken back', async (t) => {
  const service = await startLetters(t);
  const put = (what: string, body: object) => done(service.inject('PUT', `/v1/recipients/external:${what}`, { body }));
  await put('member:1', {});
  await put('dependant:1', {
    householdOf: 'external:member:1',
    addresses: [{ kind: 'mail', value: 'enfant@people.test' }],
  });
  const child = { recipient: 'external:dependant:1' };
  await sendOne(service, letter, child);
  const path = lastLink(service);
  t.match((await click(service, path)).body, 'C’est fait');
  t.same(await statusOf(service, await sendOne(service, letter, child)), ['B', 'choice_off']);
  const yes = { choices: [{ notificationType: letter, channel: 'mail', accepted: true }] };
  t.match((await put('member:1/choices', yes)).choices, [{ accepted: true }]);
  t.same(await statusOf(service, await sendOne(service, letter, child)), ['B', 'choice_off'], 'it is their own word');
  t.match((await put('dependant:1/choices', yes)).choices, [{ accepted: true, own: { accepted: true } }]);
  t.same(await statusOf(service, await sendOne(service, letter, child)), ['OK', null]);
  t.notMatch(
    (await service.inject('GET', path, { key: null })).body,
    'C’est fait',
    'and the page does not say otherwise',
  );

  await sendOne(service, 'offre', child);
  t.match((await click(service, lastLink(service))).body, 'C’est fait');
  t.same(await statusOf(service, await sendOne(service, 'offre', child)), ['B', 'consent_refused']);
  await put('dependant:1/consents', { consents: [{ addressKind: 'mail', level: 3 }] });
  t.same(await statusOf(service, await sendOne(service, 'offre', child)), ['OK', null]);
});

t.test('a click is a word of their own, also behind what a household handed down', async (t) => {
  const service = await startLetters(t);
  const put = (what: string, body: object) => done(service.inject('PUT', `/v1/recipients/external:${what}`, { body }));
  const join = (householdOf: string | null) =>
    put('client:C-1', { householdOf, addresses: [{ kind: 'mail', value: mail }] });
  const say = async (accepted: boolean, level: number) => {
    await put('member:1/choices', { choices: [{ notificationType: letter, channel: 'mail', accepted }] });
    await put('member:1/consents', { consents: [{ addressKind: 'mail', level }] });
  };
  await put('member:1', {});
  await join('external:member:1');
  await sendOne(service, letter, jeanne);
  const ofLetter = lastLink(service);
  await sendOne(service, 'offre', jeanne);
  const ofOffer = lastLink(service);
  await say(false, 0);
  await join(null);
  for (const path of [ofLetter, ofOffer]) t.match((await click(service, path)).body, 'C’est fait');
  t.same(
    await statusOf(service, await sendOne(service, 'notice', jeanne)),
    ['B', 'consent_refused'],
    'it never goes up',
  );
  await join('external:member:1');
  await say(true, 3);
  t.same(await statusOf(service, await sendOne(service, letter, jeanne)), ['B', 'choice_off']);
  t.same(await statusOf(service, await sendOne(service, 'offre', jeanne)), ['B', 'consent_refused']);
  t.same(await statusOf(service, await sendOne(service, 'notice', jeanne)), ['OK', null], 'no more than they refused');
});
