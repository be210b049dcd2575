import { sql } from 'drizzle-orm';
import t from 'tap';
import { done } from '../support/broker.ts';
import { addDispatcher, messageIdOf, people, receiverOf, type Sending, startSending } from '../support/sending.ts';
import type { SinkAction, SinkStep } from '../support/smtp-sink.ts';

const minutes = 60_000;

/** A sink that does this with the first content it gets, and takes the others. */
function onceAtBody(action: SinkAction) {
  const actions: (SinkAction | undefined)[] = [action];
  return { respond: (step: SinkStep) => (step === 'body' ? actions.shift() : undefined) };
}

for (const action of ['takeAndHang', 'takeAndCut'] as const) {
  t.test(`resend: a mail taken without an answer (${action}) is sent again later, recognisably`, async (t) => {
    const service = await startSending(t, { sink: onceAtBody(action), account: { onUncertain: 'resend' } });
    const { messages, id } = await service.send(people(1));
    const [message = ''] = messages;
    await service.work();
    const waiting = await service.message(message);
    t.match(waiting, { status: 'V', delivery: 'waiting', attemptCount: 1 });
    t.ok(new Date(waiting.nextTryAt).getTime() - service.clock.now().getTime() >= minutes, 'not before a minute');
    t.match(await service.attempts(message), [{ outcome: 'uncertain', step: 'body', code: null }]);
    t.match(await service.events('message.uncertain'), [{ resourceId: message }]);
    await service.work();
    t.equal(service.sink.mails.length, 1, 'nothing before its time');
    service.clock.advance(2 * minutes);
    await service.work();
    t.match(await service.message(message), { status: 'OK', delivery: 'sent', attemptCount: 2 });
    t.equal(service.sink.mails.length, 2);
    t.equal(new Set(service.sink.mails.map(messageIdOf)).size, 1, 'the same Message-ID');
    t.match(await service.counts(id), { created: 1, OK: 1 });
  });

  t.test(`hold: a mail taken without an answer (${action}) waits for a person`, async (t) => {
    const service = await startSending(t, { sink: onceAtBody(action), account: { onUncertain: 'hold' } });
    const [message = ''] = (await service.send(people(1))).messages;
    await service.work();
    t.match(await service.message(message), { status: 'KO', reason: 'outcome_unknown', delivery: 'uncertain' });
    t.strictSame(await service.moves(message), ['·→V', 'V→KO outcome_unknown']);
    service.clock.advance(48 * 60 * minutes);
    await service.work();
    t.equal(service.sink.mails.length, 1, 'never a silent second copy');
    const resolved = await done(service.post(`/v1/messages/${message}/resolve`, { outcome: 'sent', reason: 'log' }));
    t.match(resolved, { status: 'OK', delivery: 'sent', reason: null, sentAt: String });
    t.equal((await service.post(`/v1/messages/${message}/resolve`, { outcome: 'sent' })).status, 409);
    await service.work();
    t.equal(service.sink.mails.length, 1);
  });
}

t.test('hold: a person who says it was not sent can send it again, as a new mail', async (t) => {
  const service = await startSending(t, { sink: onceAtBody('cut'), account: { onUncertain: 'hold' } });
  const [message = ''] = (await service.send(people(1))).messages;
  await service.work();
  t.match(await service.message(message), { status: 'KO', reason: 'outcome_unknown' });
  const path = `/v1/messages/${message}`;
  t.match(await done(service.post(`${path}/resolve`, { outcome: 'notSent' })), { status: 'KO', reason: 'not_sent' });
  t.equal((await service.moves(message)).at(-1), 'KO→KO not_sent', 'who said so is kept');
  await service.work();
  t.equal((await service.events('message.failed')).length, 1, 'it failed once');
  t.match(await service.events('message.resolved'), [{ resourceId: message, data: { reason: 'not_sent' } }]);
  await done(service.post(`${path}/resend`, {}));
  await service.work();
  t.match(await service.message(message), { status: 'OK', reason: null });
  t.equal(service.sink.mails.length, 1);
});

t.test('hold: a person who says it was sent lets its copies leave, which had waited for it', async (t) => {
  const service = await startSending(t, { sink: onceAtBody('takeAndCut'), account: { onUncertain: 'hold' } });
  const row = { ...people(1)[0], cc: [{ address: 'copy@people.test' }] };
  const { messages, id } = await service.send([row]);
  const [message = ''] = messages;
  await service.work();
  t.match(await service.message(message), { reason: 'outcome_unknown', copies: [{ outcome: 'skipped' }] });
  await done(service.post(`/v1/messages/${message}/resolve`, { outcome: 'sent' }));
  await service.work();
  t.match(await service.message(message), { status: 'OK', copies: [{ outcome: 'accepted' }] });
  t.strictSame(service.sink.mails.map(receiverOf), ['p0@people.test', 'copy@people.test'], 'the to is not sent again');
  t.match(await service.counts(id), { created: 1, OK: 1 });
});

t.test('a connection that is lost before the content is not in doubt: it is tried again under hold too', async (t) => {
  const cuts: SinkStep[] = ['rcpt', 'data'];
  const service = await startSending(t, {
    account: { onUncertain: 'hold' },
    sink: {
      respond(step) {
        if (step !== cuts[0]) return undefined;
        cuts.shift();
        return 'cut';
      },
    },
  });
  const [message = ''] = (await service.send(people(1))).messages;
  for (let turn = 0; turn < 3; turn += 1) {
    await service.work();
    service.clock.advance(10 * minutes);
  }
  t.match(await service.message(message), { status: 'OK', attemptCount: 3 });
  t.equal(service.sink.mails.length, 1);
});

t.test('a copy in doubt: sent again under resend, left as it is under hold; the message is OK', async (t) => {
  for (const [onUncertain, copies] of [
    ['resend', 2],
    ['hold', 1],
  ] as const) {
    const unanswered = new Set(['copy@people.test']);
    const service = await startSending(t, {
      account: { onUncertain },
      sink: {
        respond: (step, { to }) => (step === 'body' && unanswered.delete(to[0] ?? '') ? 'takeAndCut' : undefined),
      },
    });
    const [message = ''] = (await service.send([{ ...people(1)[0], cc: [{ address: 'copy@people.test' }] }])).messages;
    await service.work();
    service.clock.advance(2 * minutes);
    await service.work();
    const outcome = onUncertain === 'hold' ? 'uncertain' : 'accepted';
    t.match(await service.message(message), { status: 'OK', copies: [{ outcome }] }, onUncertain);
    const receivers = service.sink.mails.map(receiverOf);
    t.equal(receivers.filter((one) => one === 'copy@people.test').length, copies, onUncertain);
    t.equal(receivers.filter((one) => one === 'p0@people.test').length, 1, `${onUncertain}: the to is not sent again`);
  }
});

/** Gives the jobs that are claimed to the next who asks, as pg-boss does when their worker was silent for too long. */
const loseClaims = (service: Sending) =>
  service.execute(sql`update pgboss.job set state = 'retry', start_after = now() where state = 'active'`);

for (const onUncertain of ['hold', 'resend'] as const) {
  t.test(`${onUncertain}: an answer that comes after another worker took over is kept`, async (t) => {
    const answer = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const slow = [true];
    const service = await startSending(t, {
      account: { onUncertain },
      settings: { timeouts: { answerSeconds: 15 } },
      sink: {
        async respond(step) {
          if (step !== 'body' || slow.pop() === undefined) return undefined;
          reached.resolve();
          await answer.promise;
          return undefined;
        },
      },
    });
    const other = await addDispatcher(t, service);
    const row = { ...people(1)[0], bcc: [{ address: 'copy@people.test' }] };
    const [message = ''] = (await service.send([row])).messages;
    const first = service.work();
    await reached.promise;
    t.equal((await service.post(`/v1/messages/${message}/block`, {})).body.code, 'being_sent');
    // Moves of two processes in one millisecond have no order.
    service.clock.advance(1_000);
    await loseClaims(service);
    t.equal(await other.pass(), onUncertain === 'hold' ? 0 : 1);
    const between = await service.message(message);
    if (onUncertain === 'hold') t.match(between, { status: 'KO', reason: 'outcome_unknown', delivery: 'uncertain' });
    else t.match(between, { status: 'OK' });
    service.clock.advance(1_000);
    answer.resolve();
    await first;
    const attempts = await service.attempts(message);
    t.match(attempts[0], { outcome: 'uncertain', lateOutcome: 'accepted' });
    t.match(await service.message(message), { status: 'OK', delivery: 'sent', copies: [{ outcome: 'accepted' }] });
    if (onUncertain === 'hold') {
      t.strictSame(await service.moves(message), ['·→V', 'V→KO outcome_unknown', 'KO→OK']);
      t.equal(service.sink.mails.length, 2, 'one for the person, one copy');
    } else {
      t.ok(service.sink.mails.length > 2, 'at least once');
      t.equal(new Set(service.sink.mails.map(messageIdOf)).size, 1);
    }
  });
}

t.test('a late answer changes nothing once a person has said what became of it', async (t) => {
  const answer = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const service = await startSending(t, {
    account: { onUncertain: 'hold' },
    settings: { timeouts: { answerSeconds: 15 } },
    sink: {
      async respond(step) {
        if (step !== 'body') return undefined;
        reached.resolve();
        await answer.promise;
        return undefined;
      },
    },
  });
  const other = await addDispatcher(t, service);
  const [message = ''] = (await service.send(people(1))).messages;
  const first = service.work();
  await reached.promise;
  await loseClaims(service);
  await other.pass();
  await done(service.post(`/v1/messages/${message}/resolve`, { outcome: 'notSent' }));
  answer.resolve();
  await first;
  t.match(await service.message(message), { status: 'KO', reason: 'not_sent' });
  t.match(await service.attempts(message), [{ outcome: 'uncertain', lateOutcome: 'accepted' }]);
});
