import { sql } from 'drizzle-orm';
import t from 'tap';
import { createReleaser } from '../../src/dispatch/release/release.ts';
import { done } from '../support/broker.ts';
import { addDispatcher, messageIdOf, people, receiverOf, type Sending, startSending } from '../support/sending.ts';
import type { SinkAction } from '../support/smtp-sink.ts';

t.setTimeout(600_000);

const minutes = 60_000;
const days = 24 * 60 * minutes;
const resend = { account: { onUncertain: 'resend' } };
const copy = { address: 'copy@people.test' };
const unknown = { status: 'KO', reason: 'outcome_unknown', delivery: 'uncertain' };

/** A sink that does these with the contents it gets, one after the other, and takes what comes after them. */
const atBodies = (actions: SinkAction[]) => ({
  respond: (step: string) => (step === 'body' ? actions.shift() : undefined),
});
const cuts = (count: number): SinkAction[] => Array.from({ length: count }, () => 'takeAndCut' as const);

/** Works at each planned time of the message, until it has none. */
async function workToTheEnd(service: Sending, message: string): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) {
    await service.work();
    const { nextTryAt } = await service.message(message);
    // Never the same time twice: tries of one millisecond have no order.
    service.clock.advance(1_000);
    if (nextTryAt === null) return;
    service.clock.set(new Date(new Date(nextTryAt).getTime() + 1_000));
  }
  throw new Error('it is tried for ever');
}

const outcomes = async (service: Sending, message: string): Promise<string[]> =>
  (await service.attempts(message)).map(({ outcome }) => outcome);

t.test('a mail that is never answered is sent three times, then waits for a person', async (t) => {
  const service = await startSending(t, { ...resend, sink: atBodies(cuts(100)) });
  const { id, messages } = await service.send(people(1));
  const [message = ''] = messages;
  await workToTheEnd(service, message);
  t.match(await service.message(message), { ...unknown, attemptCount: 3 });
  t.strictSame(await outcomes(service, message), ['uncertain', 'uncertain', 'uncertain']);
  t.strictSame(await service.moves(message), ['·→V', 'V→KO outcome_unknown']);
  t.equal((await service.events('message.uncertain')).length, 3);
  t.match(await service.counts(id), { created: 1, KO: 1 });
  service.clock.advance(2 * days);
  await service.work();
  t.equal(service.sink.mails.length, 3, 'no more by itself');
  t.equal(new Set(service.sink.mails.map(messageIdOf)).size, 1, 'the same mail each time');
});

t.test('a mail that is answered after two doubts is OK', async (t) => {
  const service = await startSending(t, { ...resend, sink: atBodies(cuts(2)) });
  const [message = ''] = (await service.send(people(1))).messages;
  await workToTheEnd(service, message);
  t.match(await service.message(message), { status: 'OK', reason: null, attemptCount: 3 });
  t.strictSame(await outcomes(service, message), ['uncertain', 'uncertain', 'accepted']);
});

t.test('failures that leave no doubt are not counted', async (t) => {
  const later: SinkAction = { code: 451, text: '4.3.0 Later' };
  const actions: SinkAction[] = ['takeAndCut', later, later, 'takeAndCut', later];
  const service = await startSending(t, { ...resend, sink: atBodies(actions) });
  const [message = ''] = (await service.send(people(1))).messages;
  await workToTheEnd(service, message);
  t.match(await service.message(message), { status: 'OK', attemptCount: 6 });
  t.equal(service.sink.mails.length, 3);
});

t.test('the limit is of each message: another of the same window is not held with it', async (t) => {
  const service = await startSending(t, {
    ...resend,
    sink: {
      respond: (step, { to }) => (step === 'body' && to[0] === 'p0@people.test' ? 'takeAndCut' : undefined),
    },
  });
  const { id, messages } = await service.send(people(4));
  await workToTheEnd(service, messages[0] ?? '');
  t.match(await service.counts(id), { created: 4, OK: 3, KO: 1 });
  t.match(await service.message(messages[0] ?? ''), unknown);
  t.equal(service.sink.mails.length, 6);
});

t.test('after a resend by a person the count starts again, with a new Message-ID', async (t) => {
  const service = await startSending(t, { ...resend, sink: atBodies(cuts(6)) });
  const [message = ''] = (await service.send(people(1))).messages;
  for (const round of [1, 2]) {
    await workToTheEnd(service, message);
    t.match(await service.message(message), { ...unknown, attemptCount: 3 }, `round ${round}`);
    t.equal(service.sink.mails.length, 3 * round, `round ${round}`);
    await done(service.post(`/v1/messages/${message}/resend`, {}));
  }
  await workToTheEnd(service, message);
  t.match(await service.message(message), { status: 'OK', attemptCount: 1 });
  t.equal(service.sink.mails.length, 7);
  t.equal(new Set(service.sink.mails.map(messageIdOf)).size, 3);
});

t.test('a copy that is never answered is sent three times too', async (t) => {
  const service = await startSending(t, {
    ...resend,
    sink: { respond: (step, { to }) => (step === 'body' && to[0] === copy.address ? 'takeAndCut' : undefined) },
  });
  const [message = ''] = (await service.send([{ ...people(1)[0], cc: [copy] }])).messages;
  for (let turn = 0; turn < 40; turn += 1) {
    await service.work();
    service.clock.advance(70 * minutes);
  }
  t.match(await service.message(message), { status: 'OK', copies: [{ outcome: 'uncertain' }] });
  const receivers = service.sink.mails.map(receiverOf);
  t.equal(receivers.filter((one) => one === 'p0@people.test').length, 1);
  t.equal(receivers.filter((one) => one === copy.address).length, 3);
});

/**
 * Makes workers that die at a step, before anything is written down: each stands still there until the test is over,
 * and its jobs are given to the next who asks, as pg-boss does when a worker is silent.
 */
function workersThatDie(t: { teardown(fn: () => unknown): void }, service: Sending, at = 'handover.end') {
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => undefined);
  return async function die(): Promise<void> {
    const reached = Promise.withResolvers<'died'>();
    const dispatcher = await addDispatcher(t, service, (step) => {
      if (step !== at) return undefined;
      reached.resolve('died');
      return over.promise;
    });
    // Before the dispatcher's own teardown, which waits for what is under way.
    t.teardown(() => over.reject(new Error('the test is over')));
    for (let turn = 0; turn < 10; turn += 1) {
      await createReleaser(service.runtime).release();
      const how = await Promise.race([reached.promise, dispatcher.pass()]);
      // Long enough for its part of the account's connections to be free again.
      service.clock.advance(20_000);
      await service.execute(sql`update pgboss.job set state = 'retry', start_after = now() where state = 'active'`);
      if (how === 'died') return;
    }
    throw new Error('the worker had nothing to die with');
  };
}

const open = (service: Sending) =>
  service.execute(sql`select count(*)::int as open from attempts where finished_at is null`);

t.test('a mail whose workers die is sent three times, then waits; sent again, it is counted anew', async (t) => {
  const service = await startSending(t, resend);
  const die = workersThatDie(t, service);
  const { id, messages } = await service.send(people(1));
  const [message = ''] = messages;
  for (const mails of [1, 2, 3]) {
    await die();
    t.equal(service.sink.mails.length, mails);
    t.match(await service.message(message), { status: 'V', delivery: 'sending', attemptCount: mails });
  }
  await service.work();
  t.match(await service.message(message), { ...unknown, attemptCount: 3 });
  t.strictSame(await outcomes(service, message), ['uncertain', 'uncertain', 'uncertain']);
  t.strictSame(await service.moves(message), ['·→V', 'V→KO outcome_unknown']);
  t.equal((await service.events('message.uncertain')).length, 3);
  t.match(await open(service), [{ open: 0 }]);
  service.clock.advance(2 * days);
  await service.work();
  t.equal(service.sink.mails.length, 3, 'no more by itself');
  t.equal(new Set(service.sink.mails.map(messageIdOf)).size, 1);

  await done(service.post(`/v1/messages/${message}/resend`, {}));
  for (let turn = 0; turn < 2; turn += 1) await die();
  await service.work();
  t.match(await service.message(message), { status: 'OK', attemptCount: 3 });
  t.equal(service.sink.mails.length, 6);
  t.equal(new Set(service.sink.mails.map(messageIdOf)).size, 2);
  t.match(await service.counts(id), { created: 1, OK: 1 });
});

t.test('two cuts and a worker that dies are three doubts', async (t) => {
  const service = await startSending(t, { ...resend, sink: atBodies(cuts(2)) });
  const die = workersThatDie(t, service);
  const [message = ''] = (await service.send(people(1))).messages;
  for (let turn = 0; turn < 2; turn += 1) {
    await service.work();
    service.clock.advance(10 * minutes);
  }
  t.match(await service.message(message), { status: 'V', delivery: 'waiting', attemptCount: 2 });
  await die();
  await service.work();
  t.match(await service.message(message), { ...unknown, attemptCount: 3 });
  t.equal(service.sink.mails.length, 3);
});

t.test('two workers that die and a cut are three doubts', async (t) => {
  const service = await startSending(t, { ...resend, sink: atBodies(['accept', 'accept', ...cuts(10)]) });
  const die = workersThatDie(t, service);
  const [message = ''] = (await service.send(people(1))).messages;
  for (let turn = 0; turn < 2; turn += 1) await die();
  await workToTheEnd(service, message);
  t.match(await service.message(message), { ...unknown, attemptCount: 3 });
  t.equal(service.sink.mails.length, 3);
});

t.test('a message that is OK stays OK when its copy was in the hands of three workers that died', async (t) => {
  const later: SinkAction[] = [{ code: 451, text: '4.3.0 Later' }];
  const service = await startSending(t, {
    ...resend,
    sink: { respond: (step, { to }) => (step === 'body' && to[0] === copy.address ? later.shift() : undefined) },
  });
  const die = workersThatDie(t, service, 'handover.begin');
  const [message = ''] = (await service.send([{ ...people(1)[0], cc: [copy] }])).messages;
  await service.work();
  t.match(await service.message(message), { status: 'OK', copies: [{ outcome: 'pending' }] });
  service.clock.advance(2 * minutes);
  for (let turn = 0; turn < 3; turn += 1) await die();
  await service.work();
  service.clock.advance(2 * days);
  await service.work();
  t.match(await service.message(message), { status: 'OK', delivery: 'sent', copies: [{ outcome: 'uncertain' }] });
  t.strictSame(await service.moves(message), ['·→V', 'V→OK']);
  t.match(await open(service), [{ open: 0 }]);
  t.equal(service.sink.mails.length, 1);
});
