import { sql } from 'drizzle-orm';
import t from 'tap';
import { done } from '../support/broker.ts';
import type { Sending } from '../support/sending.ts';
import {
  allTables,
  click,
  headerOf,
  keepPerson,
  lastLink,
  letter,
  oneClick,
  sendOne,
  startLetters,
} from '../support/unsubscribing.ts';

t.setTimeout(600_000);

const jeanne = { recipient: 'external:client:C-1' };
const mail = 'jeanne@people.test';

const suppressionsOf = async ({ inject }: Sending) => (await done(inject('GET', '/v1/suppressions'))).items;
const statusOf = async (service: Sending, id: string) => {
  const { status, reason } = await service.message(id);
  return [status, reason];
};

t.test('RFC 8058 · one click on the link that arrived refuses that kind, and the next one is blocked', async (t) => {
  const service = await startLetters(t);
  const id = await keepPerson(service, 'C-1', mail);
  const message = await sendOne(service, letter, jeanne);
  const [arrived] = service.sink.mails;
  if (arrived === undefined) throw new Error('nothing arrived');
  t.match(headerOf(arrived, 'List-Unsubscribe'), /^<https:\/\/notices\.test\/u\/[\w-]{66}>$/);
  t.equal(headerOf(arrived, 'List-Unsubscribe-Post'), oneClick);

  const path = lastLink(service);
  const answer = await click(service, path);
  t.match(answer, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
  t.match(answer.body, 'C’est fait');
  t.notOk('set-cookie' in answer.headers);
  const { choices } = await done(service.inject('GET', `/v1/recipients/${id}/choices`));
  t.match(choices, [
    { notificationType: letter, accepted: false, chosen: true, source: 'unsubscribe link', author: null },
  ]);

  t.same(await statusOf(service, await sendOne(service, letter, jeanne)), ['B', 'choice_off']);
  const inline = { to: { address: 'Jeanne@People.test' } };
  t.same(
    await statusOf(service, await sendOne(service, letter, inline)),
    ['B', 'choice_off'],
    'by the bare address, too',
  );
  t.same(await statusOf(service, await sendOne(service, 'notice', jeanne)), ['OK', null], 'other mail still leaves');
  t.equal(service.sink.mails.length, 2);
  t.same(await suppressionsOf(service), []);

  const [event, ...more] = await service.events('recipient.unsubscribed');
  const [type] = (await done(service.inject('GET', `/v1/notification-types?key=${letter}`))).items;
  const data = { refused: 'kind', notificationType: type.id, recipients: [id] };
  t.match(event, { resourceId: message, test: false, data });
  t.same(more, []);
  const audit = await done(service.inject('GET', `/v1/audit-entries?resourceType=recipient&resourceId=${id}`));
  t.match(audit.items[0], { fields: [`choices.${letter}.mail`], actorKeyId: null });
});

t.test('a message that waits is blocked when it would leave', async (t) => {
  const service = await startLetters(t);
  await keepPerson(service, 'C-1', mail);
  await sendOne(service, letter, jeanne);
  const { messages } = await service.send([{ ...jeanne, data: { name: 'J' } }], {
    template: letter,
    sendAt: '2026-11-22T18:00:00Z',
  });
  await click(service, lastLink(service));
  service.clock.set('2026-11-22T18:00:01Z');
  await service.work();
  t.same(await statusOf(service, messages[0] ?? ''), ['B', 'choice_off']);
  t.equal(service.sink.mails.length, 1);
});

t.test('repeats change nothing', async (t) => {
  const service = await startLetters(t);
  await keepPerson(service, 'C-1', mail);
  await sendOne(service, letter, jeanne);
  const path = lastLink(service);
  for (const body of [oneClick, 'choice=all']) {
    const first = await click(service, path, body);
    const before = await allTables(service);
    const again = await Promise.all([click(service, path, body), click(service, path, body)]);
    t.same(
      again.map(({ status, body }) => [status, body]),
      [1, 2].map(() => [200, first.body]),
    );
    t.same(await allTables(service), before, body);
  }
});

t.test('two clicks at once are one', async (t) => {
  const service = await startLetters(t);
  await keepPerson(service, 'C-1', mail);
  await sendOne(service, letter, jeanne);
  const path = lastLink(service);
  const bodies = [oneClick, oneClick, oneClick, 'choice=all', 'choice=all', 'choice=all'];
  const answers = await Promise.all(bodies.map((body) => click(service, path, body)));
  t.same(new Set(answers.map(({ status }) => status)), new Set([200]));
  t.equal((await suppressionsOf(service)).length, 1);
  await service.work();
  t.same((await service.events('recipient.unsubscribed')).map(({ data }) => data.refused).sort(), ['all', 'kind']);
});

t.test('prospecting: the consent goes down to management only, and never up', async (t) => {
  const service = await startLetters(t);
  const id = await keepPerson(service, 'C-1', mail);
  const said = () =>
    service.execute(sql`select level, source, author from consents where recipient_id = ${id} order by created_at, id`);
  await sendOne(service, 'offre', jeanne);
  t.equal((await click(service, lastLink(service))).status, 200);
  const own = { level: 1, source: 'unsubscribe link', author: null };
  t.same(await said(), [own], 'said in their own name, whatever holds for the others');
  await click(service, lastLink(service));
  t.same(await said(), [own]);

  const say = (level: number) =>
    service.execute(sql`insert into consents (tenant_id, recipient_id, id, address_kind, level, since, source, created_at)
      select tenant_id, id, gen_random_uuid(), 'mail', ${level}, ${service.clock.now().toISOString()}::timestamptz, 'form',
        ${service.clock.now().toISOString()}::timestamptz from recipients where id = ${id}`);
  service.clock.advance(1_000);
  await say(3);
  service.clock.advance(1_000);
  await click(service, lastLink(service));
  t.match(await said(), [own, { level: 3 }, { level: 1 }]);
  service.clock.advance(1_000);
  await say(0);
  await click(service, lastLink(service));
  t.equal((await said()).length, 4, 'a refusal stays one');
  t.match((await service.inject('GET', lastLink(service), { key: null })).body, 'offres');
});

t.test('what was said by a clock that is ahead does not outlive a refusal that came after it', async (t) => {
  const service = await startLetters(t);
  const id = await keepPerson(service, 'C-1', mail);
  await sendOne(service, 'offre', jeanne);
  const ahead = (last: string) =>
    service.execute(sql`insert into consents (tenant_id, recipient_id, id, address_kind, level, since, source, created_at)
      select tenant_id, id, ${`ffffffff-ffff-7fff-bfff-ffffffffff${last}`}::uuid, 'mail', 3, since, 'form', since
      from recipients, (values (${new Date(service.clock.now().getTime() + 1_000).toISOString()}::timestamptz)) v(since)
      where recipients.id = ${id}`);
  const path = `/v1/recipients/${id}/consents`;
  const mailOf = ({ consents }: { consents: { addressKind: string }[] }) =>
    consents.find(({ addressKind }) => addressKind === 'mail');
  await ahead('01');
  await click(service, lastLink(service));
  t.match(mailOf(await done(service.inject('GET', path))), { level: 1, given: { source: 'unsubscribe link' } });
  t.same(await statusOf(service, await sendOne(service, 'offre', jeanne)), ['B', 'consent_refused']);
  service.clock.advance(1_000);
  await ahead('02');
  const no = { consents: [{ addressKind: 'mail', level: 0 }] };
  t.match(mailOf(await done(service.inject('PUT', path, { body: no }))), { level: 0 });
  t.same(await statusOf(service, await sendOne(service, 'notice', jeanne)), ['B', 'consent_refused']);
});

t.test('where there is no kind, or nobody is known, the address is suppressed and what waits is blocked', async (t) => {
  const service = await startLetters(t);
  await keepPerson(service, 'C-1', mail);
  const cases = [
    ['annonce', jeanne, mail],
    [letter, { to: { address: 'Inconnu@people.test' } }, 'inconnu@people.test'],
    ['offre', { to: { address: 'autre@people.test' } }, 'autre@people.test'],
  ] as const;
  for (const [template, recipient, address] of cases) {
    await sendOne(service, template, recipient);
    const waiting = await sendOne(service, 'notice', recipient, { validation: 'manual' });
    await click(service, lastLink(service));
    t.match((await suppressionsOf(service))[0], { address, cause: 'unsubscribed', note: 'unsubscribe link' });
    t.same(await statusOf(service, waiting), ['B', 'suppressed'], template);
    t.same(await statusOf(service, await sendOne(service, 'notice', recipient)), ['B', 'suppressed']);
  }
  t.equal((await suppressionsOf(service)).length, cases.length);
  t.equal(service.sink.mails.length, cases.length);
});

t.test('"everything" outlives a bounce that is lifted, and is outlived by no other cause', async (t) => {
  const service = await startLetters(t);
  await sendOne(service, letter, { to: { address: mail } });
  const path = lastLink(service);
  const { id } = await done(service.inject('POST', '/v1/suppressions', { body: { address: mail, cause: 'bounce' } }));
  await click(service, path, 'choice=all');
  t.match(await suppressionsOf(service), [{ id, cause: 'unsubscribed' }]);
  const ask = { body: { cause: 'complaint' }, headers: { 'if-match': '*' } };
  await done(service.inject('PATCH', `/v1/suppressions/${id}`, ask));
  await click(service, path, 'choice=all');
  t.match(await suppressionsOf(service), [{ id, cause: 'complaint' }]);
});

t.test('the word counts of whoever the address belongs to', async (t) => {
  const service = await startLetters(t);
  const [first, second, elsewhere] = [
    await keepPerson(service, 'C-1', mail),
    await keepPerson(service, 'C-2', mail),
    await keepPerson(service, 'C-3', 'ailleurs@people.test'),
  ];
  const refused = async (id: string) =>
    (await done(service.inject('GET', `/v1/recipients/${id}/choices`))).choices[0].accepted === false;
  await sendOne(service, letter, jeanne);
  await click(service, lastLink(service));
  t.same([await refused(first), await refused(second)], [true, false], 'of two owners, whoever was written to');
  await service.execute(sql`delete from choices`);
  await sendOne(service, letter, { to: { address: mail } });
  await click(service, lastLink(service));
  t.same([await refused(first), await refused(second)], [true, true], 'of a bare address, all its owners');
  await service.execute(sql`delete from choices`);
  await service.execute(sql`update recipients set household_of = ${elsewhere} where id = ${first}`);
  await sendOne(service, letter, jeanne);
  await click(service, lastLink(service));
  const said = await service.execute(sql`select recipient_id as id, accepted from choices`);
  t.same(said, [{ id: elsewhere, accepted: false }], 'of a household, the member');
  t.same([await refused(first), await refused(elsewhere)], [true, true], 'which holds for both');
});

t.test('a kind that is no longer offered by mail is refused all the same', async (t) => {
  const service = await startLetters(t);
  const id = await keepPerson(service, 'C-1', mail);
  await sendOne(service, letter, jeanne);
  const [type] = (await done(service.inject('GET', `/v1/notification-types?key=${letter}`))).items;
  const change = (channels: string[]) =>
    done(
      service.inject('PATCH', `/v1/notification-types/${type.id}`, {
        body: { channels },
        headers: { 'if-match': '*' },
      }),
    );
  await change(['letter']);
  await click(service, lastLink(service));
  await change(['mail']);
  const { choices } = await done(service.inject('GET', `/v1/recipients/${id}/choices`));
  t.match(choices, [{ channel: 'mail', accepted: false, chosen: true }]);
});

t.test('a message whose person was erased still leads to a suppression by hash, without the address', async (t) => {
  const service = await startLetters(t);
  await sendOne(service, letter, { to: { address: mail } });
  const path = lastLink(service);
  const { addressHashes, db } = service.runtime;
  await addressHashes.prepare(db, service.tenant.id);
  const [hash] = (await addressHashes.of(db, service.tenant.id, 'mail', [mail])) ?? [];
  await service.execute(sql`update messages set to_address = null, to_normalized = null, to_name = null,
    subject = null, data = '{}', to_hash = ${hash}, erased_at = ${service.clock.now().toISOString()}::timestamptz`);
  const page = await service.inject('GET', path, { key: null });
  t.match(page, { status: 200 });
  t.notMatch(page.body, /value="kind"/, 'nobody is known any more');
  t.match((await click(service, path)).body, 'C’est fait');
  t.match(await suppressionsOf(service), [{ address: null, cause: 'unsubscribed' }]);
  t.same(await statusOf(service, await sendOne(service, 'notice', { to: { address: mail } })), ['B', 'suppressed']);
  t.match((await service.inject('GET', path, { key: null })).body, 'C’est fait');
});
