/** What was sent is kept as long as the organisation says, by category, and not a day longer. */
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { addTemplate, done, pdf, upload } from '../support/broker.ts';
import { placesOf } from '../support/dump.ts';
import { type Sending, startSending } from '../support/sending.ts';

t.setTimeout(600_000);

const address = 'ann@courriel.example';
const row = (more: object = {}) => ({ to: { address }, data: { name: 'word-of-data' }, ...more });

const keepFor = async (service: Sending, settings: object) =>
  done(service.inject('PATCH', '/v1/tenant', { body: settings, headers: { 'if-match': '*' } }));

const retentions = async (service: Sending) =>
  (await service.events('operation.finished')).filter(({ data }) => data.kind === 'retention');

/** A day later, the day's work is done. */
async function nextDay(service: Sending, days = 1) {
  service.clock.advance(days * 24 * 60 * 60 * 1_000);
  await service.work();
}

t.test('messages are emptied after their days, counted from the last thing that happened', async (t) => {
  const service = await startSending(t);
  await keepFor(service, { retentionDays: 30 });
  const file = await upload(service, 'avis.pdf', pdf('word-of-document'));
  const sent = await service.send([row({ documents: [file], context: { type: 'd', ref: 'D-1' }, dedupeKey: 'k-1' })]);
  const failed = await service.send([row({ to: { address: 'nowhere' } })]);
  const waiting = await service.send([row()], { validation: 'manual' });
  const planned = await service.send([row()], { sendAt: '2027-02-01T08:00:00Z' });
  await service.work();
  t.equal((await retentions(service)).length, 1, 'asked once a day, by however many passes');
  const [id = ''] = sent.messages;
  await nextDay(service, 20);
  await done(service.post(`/v1/messages/${waiting.messages[0]}/block`, {}));
  await nextDay(service, 10);
  t.match(await service.message(id), { to: { address } }, 'thirty whole days');
  await nextDay(service);
  t.match(await service.message(id), {
    status: 'OK',
    to: null,
    data: {},
    documents: [],
    context: null,
    contentHash: String,
    erasedAt: String,
  });
  t.match(await service.message(failed.messages[0] ?? ''), { status: 'KO', reason: 'address_invalid', to: null });
  t.match(
    await service.message(waiting.messages[0] ?? ''),
    { status: 'B', to: { address } },
    'something happened to it',
  );
  t.match(await service.message(planned.messages[0] ?? ''), { status: 'V', to: { address } }, 'it is still to leave');
  t.equal((await service.inject('GET', `/v1/documents/${file}`)).status, 404);
  t.match(await service.counts(sent.id), { created: 1, OK: 1 });
  t.equal((await service.events('message.blocked')).length, 1, 'nothing moved');
  t.match((await retentions(service)).at(-1), { data: { status: 'done', done: 2, succeeded: 2 } });
  const again = await service.post(
    '/v1/send-requests',
    { template: 'notice', validation: 'automatic', recipients: [row({ dedupeKey: 'k-1' })] },
    { headers: { 'idempotency-key': randomUUID() } },
  );
  t.match(again.body, { counts: { created: 0 }, repeated: [{ messageId: id }] }, 'a key holds for ever');
  await nextDay(service, 60);
  await nextDay(service, 40);
  for (const [one = ''] of [waiting.messages, planned.messages]) t.match(await service.message(one), { to: null });
  t.same(await placesOf(service, ['word-of-data', 'word-of-document']), []);
});

t.test('each category has an end of its own, or the common one, or none', async (t) => {
  const service = await startSending(t);
  const texts = { subject: 'Hello {{ name }}', text: 'Hello {{ name }}', html: '<p>Hello {{ name }}</p>' };
  for (const category of ['transactional', 'service', 'marketing'])
    await addTemplate(service, { key: category, category }, texts);
  await keepFor(service, { defaultConsentLevel: 2, retentionDaysByCategory: { marketing: 2, service: 5 } });
  const ids: Record<string, string> = {};
  for (const template of ['transactional', 'service', 'marketing']) {
    ids[template] = (await service.send([row()], { template })).messages[0] ?? '';
  }
  const draft = (template: string) =>
    done(
      service.post(
        '/v1/send-requests',
        { template, confirm: false, recipients: [row()] },
        { headers: { 'idempotency-key': randomUUID() } },
      ),
    );
  const drafts = [await draft('transactional'), await draft('marketing')];
  await service.work();
  const kept = async () => {
    const names = [];
    for (const [name, id] of Object.entries(ids)) if ((await service.message(id)).to !== null) names.push(name);
    return names;
  };
  await nextDay(service, 2);
  t.same(await kept(), ['transactional', 'service', 'marketing']);
  await nextDay(service);
  t.same(await kept(), ['transactional', 'service']);
  const states = await Promise.all(
    drafts.map(async ({ id }) => (await service.inject('GET', `/v1/send-requests/${id}`)).body.status),
  );
  t.same(states, ['draft', 'cancelled'], 'drafts have the end of their template');
  await nextDay(service, 3);
  t.same(await kept(), ['transactional']);
  await keepFor(service, { retentionDays: 1_000 });
  await nextDay(service, 990);
  t.same(await kept(), ['transactional']);
  await nextDay(service, 20);
  t.same(await kept(), []);
});

t.test('a day begins at midnight where the organisation is, through a change of clocks too', async (t) => {
  const service = await startSending(t);
  service.clock.set('2026-10-24T10:00:00Z');
  await keepFor(service, { retentionDays: 1, timezone: 'Europe/Paris' });
  const { messages } = await service.send([row()]);
  await service.work();
  const emptied = async () => (await service.message(messages[0] ?? '')).to === null;
  // The 25th has 25 hours: it ends at 23:00 UTC, an hour later than the 24th.
  for (const [time, expected] of [
    ['2026-10-25T12:00:00Z', false],
    ['2026-10-25T22:59:00Z', false],
    ['2026-10-25T23:00:00Z', true],
  ] as const) {
    service.clock.set(time);
    await service.work();
    t.equal(await emptied(), expected, time);
  }
});

t.test('days are whole numbers within reason', async (t) => {
  const service = await startSending(t);
  const change = (body: object) => service.inject('PATCH', '/v1/tenant', { body, headers: { 'if-match': '*' } });
  for (const retentionDays of [0, -1, 1.5, 36_501, '30']) {
    t.match(await change({ retentionDays }), { status: 400, body: { errors: [{ pointer: '/retentionDays' }] } });
  }
  for (const [days, pointer] of [
    [{ marketing: 0 }, '/retentionDaysByCategory/marketing'],
    [{ other: 3 }, '/retentionDaysByCategory/other'],
  ] as const) {
    t.match(await change({ retentionDaysByCategory: days }), { status: 400, body: { errors: [{ pointer }] } });
  }
  t.match(await change({ retentionDays: 36_500, retentionDaysByCategory: { service: 1 } }), {
    body: { retentionDays: 36_500, retentionDaysByCategory: { service: 1 } },
  });
  await nextDay(service);
  t.match(await change({ retentionDays: null, retentionDaysByCategory: {} }), { body: { retentionDays: null } });
});
