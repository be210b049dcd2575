import { sql } from 'drizzle-orm';
import t from 'tap';
import { sweepDispatch } from '../../src/dispatch/release/lanes.ts';
import { change, done } from '../support/broker.ts';
import { people, receiverOf, type Sending, setUpContent, smtpAccount, startSending } from '../support/sending.ts';
import type { SmtpSink } from '../support/smtp-sink.ts';

const minutes = 60_000;
const hours = 60 * minutes;
const inTime = (service: Sending, milliseconds: number) =>
  new Date(service.clock.now().getTime() + milliseconds).toISOString();

/** Domains of the mails in the order of their arrival. */
const domains = (sink: SmtpSink) => sink.mails.map((mail) => receiverOf(mail).split('@')[1]?.split('.')[0]);

const statusOf = async (service: Sending, ids: readonly string[]) =>
  [...new Set(await Promise.all(ids.map(async (id) => (await service.message(id)).status)))].join();

/** One send after another, so that the order at the sink is the order of the release. */
const oneByOne = { account: { rhythm: { concurrency: 1 } } };

t.test('a planned message leaves at its time and not before; moved, at its new time', async (t) => {
  const service = await startSending(t);
  const planned = await service.send(people(2), { sendAt: inTime(service, 2 * hours) });
  await service.work();
  t.match(await service.message(planned.messages[0] ?? ''), { status: 'V', delivery: 'waiting' });
  const path = `/v1/send-requests/${planned.id}`;
  await change(service, path, { sendAt: inTime(service, 5 * hours) });
  service.clock.advance(2 * hours);
  await service.work();
  t.equal(service.sink.mails.length, 0, 'it was moved to later');
  await change(service, path, { sendAt: inTime(service, 1 * hours) });
  service.clock.advance(59 * minutes);
  await service.work();
  t.equal(service.sink.mails.length, 0);
  service.clock.advance(1 * minutes);
  await service.work();
  t.equal(service.sink.mails.length, 2);
  t.match(await service.counts(planned.id), { created: 2, OK: 2 });
});

t.test('what has a job already is moved and leaves at its new time, once', async (t) => {
  const service = await startSending(t);
  const { id, messages } = await service.send(people(1), { priority: 'urgent' });
  t.match(await service.message(messages[0] ?? ''), { delivery: 'queued' });
  await change(service, `/v1/send-requests/${id}`, { sendAt: inTime(service, 1 * hours) });
  await service.work();
  t.equal(service.sink.mails.length, 0);
  service.clock.advance(1 * hours);
  await service.work();
  t.equal(service.sink.mails.length, 1);
});

t.test('notAfter: what waits for a person and what waits for its turn becomes KO expired', async (t) => {
  const service = await startSending(t);
  const notAfter = inTime(service, 1 * hours);
  const manual = await service.send(people(1), { notAfter, validation: 'manual' });
  await done(service.post(`/v1/channel-accounts/${service.accountId}/pause`));
  const waiting = await service.send(people(1), { notAfter });
  await service.work();
  t.equal(await statusOf(service, manual.messages), 'E');
  t.equal(await statusOf(service, waiting.messages), 'V');
  service.clock.advance(1 * hours);
  await done(service.post(`/v1/channel-accounts/${service.accountId}/resume`));
  await service.work();
  for (const id of [...manual.messages, ...waiting.messages]) {
    t.match(await service.message(id), { status: 'KO', reason: 'expired' });
  }
  t.equal(service.sink.mails.length, 0, 'never late');
  const refused = await service.post(`/v1/messages/${waiting.messages[0]}/resend`, {});
  t.match(refused, { status: 409, body: { code: 'cannot_be_sent', currentStatus: 'KO' } });
});

t.test('what has a job and expires before it begins is not sent', async (t) => {
  const service = await startSending(t);
  const { messages } = await service.send(people(1), { notAfter: inTime(service, 1 * hours), priority: 'urgent' });
  service.clock.advance(1 * hours);
  await service.work();
  t.match(await service.message(messages[0] ?? ''), { status: 'KO', reason: 'expired' });
  t.equal(service.sink.mails.length, 0);
});

t.test('a paused account keeps its messages; resumed, they leave at once', async (t) => {
  const service = await startSending(t);
  const account = `/v1/channel-accounts/${service.accountId}`;
  const queued = await service.send(people(3, 'queued.test'), { priority: 'urgent' });
  await done(service.post(`${account}/pause`, { reason: 'upgrade' }));
  const later = await service.send(people(300, 'later.test'));
  await service.work();
  t.equal(service.sink.mails.length, 0);
  t.match(await service.counts(queued.id), { V: 3 });
  t.match(await service.counts(later.id), { V: 300 });
  t.equal((await service.attempts(queued.messages[0] ?? '')).length, 0, 'not even tried');
  await done(service.post(`${account}/resume`));
  await service.work();
  t.match(await service.counts(queued.id), { OK: 3 });
  t.match(await service.counts(later.id), { OK: 300 });
});

t.test('urgent goes first, and bulk always has a share', async (t) => {
  const service = await startSending(t, oneByOne);
  await service.send(people(100, 'bulk.test'), { priority: 'bulk' });
  await service.send(people(250, 'normal.test'));
  await service.send(people(5, 'urgent.test'), { priority: 'urgent' });
  await service.work();
  const order = domains(service.sink);
  t.equal(order.length, 355);
  t.ok(order.lastIndexOf('urgent') < 10, 'all urgent ones are among the first');
  const early = order.slice(0, 205);
  const bulk = early.filter((one) => one === 'bulk').length;
  t.ok(bulk >= 30 && bulk <= 60, `${bulk} of the first ${early.length} are bulk: about a fifth`);
});

t.test('a small send request does not wait behind a large one', async (t) => {
  const service = await startSending(t, oneByOne);
  await service.send(people(300, 'large.test'));
  await service.send(people(20, 'small.test'));
  await service.work();
  const order = domains(service.sink);
  t.equal(order.length, 320);
  t.ok(order.lastIndexOf('small') < 210, `the last small one came as number ${order.lastIndexOf('small')}`);
});

t.test('a tenant does not wait behind another’s crowd, nor behind its slow provider', async (t) => {
  const service = await startSending(t, {
    ...oneByOne,
    sink: {
      respond: (step, { to }) => (step === 'body' && to[0]?.endsWith('@large.test') ? { delayMs: 5 } : undefined),
    },
  });
  const other = await service.addTenant('Cabinet Martin');
  await setUpContent(service, { key: other.key });
  const body = smtpAccount(service.sink, oneByOne.account);
  await done(service.inject('POST', '/v1/channel-accounts', { key: other.key, body }));
  await service.send(people(350, 'large.test'));
  await service.send(people(20, 'small.test'), {}, { key: other.key });
  await service.work();
  const order = domains(service.sink);
  t.equal(order.length, 370);
  t.ok(order.lastIndexOf('small') < 250, `the other tenant’s last one came as number ${order.lastIndexOf('small')}`);
});

t.test('what is blocked or cancelled after it got its job never leaves, and its job goes', async (t) => {
  const service = await startSending(t);
  const blocked = await service.send(people(2, 'blocked.test'), { priority: 'urgent' });
  const cancelled = await service.send(people(2, 'cancelled.test'), { priority: 'urgent' });
  const kept = await service.send(people(2, 'kept.test'), { priority: 'urgent' });
  t.match(await done(service.post('/v1/messages/block', { ids: blocked.messages })), { done: 2 });
  t.match(await done(service.post(`/v1/send-requests/${cancelled.id}/cancel`)), { blocked: 2, refused: [] });
  await service.work();
  t.strictSame(domains(service.sink), ['kept', 'kept']);
  t.equal(await statusOf(service, [...blocked.messages, ...cancelled.messages]), 'B');
  t.equal(await statusOf(service, kept.messages), 'OK');
  t.match(await service.message(cancelled.messages[0] ?? ''), { reason: 'cancelled' });
  t.match(await service.execute(sql`select count(*)::int as jobs from pgboss.job where name like 'dispatch.%'`), [
    { jobs: 0 },
  ]);
  // Validated again, it leaves once.
  await done(service.post(`/v1/messages/${blocked.messages[0]}/validate`, {}));
  await service.work();
  t.strictSame(domains(service.sink), ['kept', 'kept', 'blocked']);
});

t.test('jobs that vanish behind the service’s back are given again by the sweep', async (t) => {
  const service = await startSending(t);
  const { id, messages } = await service.send(people(3), { priority: 'urgent' });
  await service.execute(sql`delete from pgboss.job`);
  await service.work();
  t.match(await service.message(messages[0] ?? ''), { status: 'V', delivery: 'queued' });
  t.equal(await sweepDispatch(service.runtime), 0, 'too early to call them lost');
  service.clock.advance(1 * minutes);
  t.equal(await sweepDispatch(service.runtime), 3);
  await service.work();
  t.match(await service.counts(id), { OK: 3 });
  t.equal(service.sink.mails.length, 3);
});

t.test('messages that wait without a lane get one by the sweep', async (t) => {
  const service = await startSending(t);
  const { id } = await service.send(people(3));
  await service.execute(sql`delete from dispatch_lanes`);
  await service.work();
  t.equal(service.sink.mails.length, 0);
  await sweepDispatch(service.runtime);
  await service.work();
  t.match(await service.counts(id), { OK: 3 });
});

t.test('without an account messages wait, saying so, and the first account takes them', async (t) => {
  const service = await startSending(t, { account: null });
  const { id, messages } = await service.send(people(2));
  const urgent = await service.send(people(1), { priority: 'urgent' });
  await service.work();
  for (const message of [...messages, ...urgent.messages]) {
    t.match(await service.message(message), { status: 'V', reason: 'no_channel_account', delivery: 'waiting' });
  }
  await done(service.inject('POST', '/v1/channel-accounts', { body: smtpAccount(service.sink) }));
  await service.work();
  t.match(await service.counts(id), { OK: 2 });
  t.match(await service.message(messages[0] ?? ''), { status: 'OK', reason: null });
  t.equal(service.sink.mails.length, 3);
});
