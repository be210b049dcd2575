import { sql } from 'drizzle-orm';
import t from 'tap';
import { change, done } from '../support/broker.ts';
import { messageIdOf, people, type Sending, startSending } from '../support/sending.ts';
import type { SinkAction } from '../support/smtp-sink.ts';

const minutes = 60_000;
const hours = 60 * minutes;

/** Ends all tries until the message is decided, moving the clock to each. Returns the waits between tries. */
async function tryToTheEnd(service: Sending, id: string): Promise<number[]> {
  const waits: number[] = [];
  for (let turn = 0; turn < 60; turn += 1) {
    await service.work();
    const { status, nextTryAt } = await service.message(id);
    if (status !== 'V') return waits;
    waits.push(new Date(nextTryAt).getTime() - service.clock.now().getTime());
    service.clock.set(nextTryAt);
  }
  throw new Error('it is tried for ever');
}

t.test('a passing failure waits 1, 5, 15, 30, 60 minutes, then hourly, and is given up after a day', async (t) => {
  const service = await startSending(t, {
    sink: { respond: (step) => (step === 'rcpt' ? { code: 451, text: '4.3.0 Try later' } : undefined) },
  });
  const begun = service.clock.now().getTime();
  const { id, messages } = await service.send(people(1));
  const [message = ''] = messages;
  const waits = await tryToTheEnd(service, message);

  const planned = [1, 5, 15, 30, ...Array.from({ length: waits.length - 4 }, () => 60)];
  t.ok(waits.length >= 22 && waits.length <= 28, `${waits.length} waits`);
  for (const [index, wait] of waits.entries()) {
    const least = (planned[index] ?? 0) * minutes;
    t.ok(wait >= least && wait <= least * 1.1, `wait ${index + 1}: ${wait / minutes} min`);
  }
  const spent = service.clock.now().getTime() - begun;
  t.ok(spent > 22 * hours && spent <= 24 * hours, 'about a day');
  t.match(await service.message(message), {
    status: 'KO',
    reason: 'provider_unavailable',
    reasonDetail: { code: 451, enhancedCode: '4.3.0', step: 'recipient', retriesExhausted: true },
    attemptCount: waits.length + 1,
    sentAt: null,
  });
  const attempts = await service.attempts(message);
  t.strictSame(
    attempts.map(({ number }) => number),
    waits.concat(0).map((_, index) => index + 1),
  );
  for (const attempt of attempts) {
    t.match(attempt, { outcome: 'transient', step: 'recipient', code: 451, enhancedCode: '4.3.0', finishedAt: String });
  }
  t.strictSame(await service.moves(message), ['·→V', 'V→KO provider_unavailable']);
  t.match(await service.counts(id), { created: 1, KO: 1 });
});

t.test('tries end at notAfter; nothing is sent after it', async (t) => {
  const service = await startSending(t, {
    sink: { respond: (step) => (step === 'rcpt' ? { code: 451, text: '4.7.1 Greylisted' } : undefined) },
  });
  const notAfter = new Date(service.clock.now().getTime() + 10 * minutes);
  const { messages } = await service.send(people(1), { notAfter: notAfter.toISOString() });
  const [message = ''] = messages;
  const waits = await tryToTheEnd(service, message);
  t.equal(waits.length, 2, 'after 1 and 5 minutes; the next would be too late');
  t.ok(service.clock.now() < notAfter);
  t.match(await service.message(message), {
    status: 'KO',
    reason: 'greylisted',
    reasonDetail: { retriesExhausted: true },
  });
});

t.test('a time that is moved while the message is being sent holds for that try too', async (t) => {
  const state = { moving: async () => {} };
  const service = await startSending(t, {
    sink: {
      async respond(step) {
        if (step === 'rcpt') await state.moving();
        return step === 'rcpt' ? { code: 451, text: '4.7.1 Greylisted' } : undefined;
      },
    },
  });
  const after = (time: number) => new Date(service.clock.now().getTime() + time).toISOString();
  const { id, messages } = await service.send(people(1), { notAfter: after(30_000) });
  const later = after(hours);
  state.moving = async () => {
    await change(service, `/v1/send-requests/${id}`, { notAfter: later });
  };
  await service.work();
  t.match(await service.message(messages[0] ?? ''), {
    status: 'V',
    notAfter: later,
    nextTryAt: String,
    attemptCount: 1,
  });
});

t.test('notAfter is looked at again when a message’s turn comes, behind a slow one of the same window', async (t) => {
  const state: { pass: (() => void) | null } = { pass: null };
  const service = await startSending(t, {
    account: { rhythm: { concurrency: 1 } },
    sink: {
      respond(step) {
        if (step === 'body') state.pass?.();
        state.pass = step === 'body' ? null : state.pass;
        return undefined;
      },
    },
  });
  const notAfter = new Date(service.clock.now().getTime() + minutes);
  state.pass = () => service.clock.advance(2 * minutes);
  const { id } = await service.send(people(4), { notAfter: notAfter.toISOString() });
  await service.work();
  t.equal(service.sink.mails.length, 1, 'the first took two minutes; nothing begins after it');
  t.match(await service.counts(id), { created: 4, OK: 1, KO: 3 });
});

t.test('the wait a provider asks for is respected when it is longer than ours', async (t) => {
  const answers = ['4.7.0 Try again in 1200 seconds', '4.7.0 Try again in 5 seconds'];
  const service = await startSending(t, {
    sink: {
      respond(step) {
        const text = step === 'rcpt' ? answers.shift() : undefined;
        return text === undefined ? undefined : { code: 451, text };
      },
    },
  });
  const { messages } = await service.send(people(1));
  const waits = await tryToTheEnd(service, messages[0] ?? '');
  t.equal(waits[0], 20 * minutes);
  t.ok((waits[1] ?? 0) >= 5 * minutes, 'five seconds are less than our own second wait');
  t.match(await service.message(messages[0] ?? ''), {
    status: 'OK',
    attemptCount: 3,
    reason: null,
    reasonDetail: null,
  });
});

t.test('a permanent refusal is KO at once, with what the provider said', async (t) => {
  const service = await startSending(t, {
    sink: { respond: (step) => (step === 'rcpt' ? { code: 550, text: '5.1.1 No such user' } : undefined) },
  });
  const { messages } = await service.send(people(1));
  await service.work();
  const id = messages[0] ?? '';
  t.match(await service.message(id), {
    status: 'KO',
    reason: 'mailbox_unknown',
    nextTryAt: null,
    delivery: 'none',
    reasonDetail: { code: 550, suppressAddress: true, answer: /No such user/ },
  });
  t.match(await service.attempts(id), [
    { outcome: 'permanent', code: 550, step: 'recipient', reason: 'mailbox_unknown' },
  ]);
  service.clock.advance(48 * hours);
  await service.work();
  t.equal((await service.attempts(id)).length, 1, 'never tried again by itself');
});

t.test('every retry has the same Message-ID; a resend and a correction have new ones', async (t) => {
  const script: SinkAction[] = [
    { code: 451, text: '4.3.0 Later' },
    { code: 554, text: '5.6.0 Refused' },
    { code: 554, text: '5.6.0 Refused' },
    'accept',
  ];
  const seen: string[] = [];
  const service = await startSending(t, {
    sink: {
      respond(step, { raw }) {
        if (step !== 'body' || raw === null) return undefined;
        seen.push(messageIdOf({ raw }));
        return script.shift();
      },
    },
  });
  const [id = ''] = (await service.send(people(1))).messages;
  await service.work();
  service.clock.advance(2 * minutes);
  await service.work();
  t.match(await service.message(id), { status: 'KO', attemptCount: 2 });
  await done(service.post(`/v1/messages/${id}/resend`, {}));
  await service.work();
  t.match(await service.message(id), { status: 'KO', attemptCount: 1 });
  await change(service, `/v1/messages/${id}`, { to: { address: 'right@people.test' } });
  await done(service.post(`/v1/messages/${id}/resend`, {}));
  await service.work();

  t.equal(seen.length, 4);
  t.equal(seen[0], seen[1], 'a retry is the same mail');
  t.equal(new Set(seen).size, 3, 'a person’s resend is a new one, after a correction too');
  t.match(await service.message(id), { status: 'OK', attemptCount: 1, delivery: 'sent' });
  const revisions = (await service.attempts(id)).map(({ contentRevision }) => contentRevision);
  t.equal(revisions[0], revisions[1]);
  t.ok(new Set(revisions).size === 3);
  t.strictSame(
    (await service.moves(id)).map((move) => move.split(' ')[0]),
    ['·→V', 'V→KO', 'KO→V', 'V→KO', 'KO→V', 'V→OK'],
  );
});

t.test('a fault of the account pauses it and costs the message no attempt; resumed, it leaves', async (t) => {
  const auth = { user: 'robot', password: 'right' };
  const service = await startSending(t, {
    sink: { auth },
    settings: { user: 'robot' },
    account: { secrets: { password: 'wrong' } },
  });
  const { messages, id } = await service.send(people(30));
  await service.work();
  const account = `/v1/channel-accounts/${service.accountId}`;
  t.match((await service.inject('GET', account)).body, { pausedAt: String, pauseReason: 'authentication_failed' });
  t.match(await service.counts(id), { created: 30, V: 30 });
  const waiting = await service.message(messages[0] ?? '');
  t.match(waiting, { status: 'V', delivery: 'waiting', attemptCount: 0 });
  t.equal((await service.events('channel-account.paused')).length, 1);
  const tried = await Promise.all(messages.map((one) => service.attempts(one)));
  const faults = tried.flat().filter(({ outcome }) => outcome !== 'not_begun');
  t.ok(
    faults.length > 0 && faults.length <= 10,
    `${faults.length} tries met the fault: one of each connection at most`,
  );
  for (const attempt of faults) t.match(attempt, { outcome: 'account_fault', code: 535, step: 'auth' });

  // Two days later somebody mends it: the pause has not used up the message's day.
  service.clock.advance(48 * hours);
  await service.work();
  t.equal(service.sink.mails.length, 0);
  await change(service, account, { secrets: { password: 'right' } });
  await done(service.post(`${account}/resume`));
  await service.work();
  t.match(await service.counts(id), { created: 30, OK: 30 });
  t.equal(service.sink.mails.length, 30);
  t.match(await service.message(messages[0] ?? ''), { attemptCount: 1 });
});

t.test('nor do they where the message was tried before, blocked, and validated again', async (t) => {
  const auth = { user: 'robot', password: 'right' };
  const service = await startSending(t, {
    sink: { auth, respond: (step) => (step === 'rcpt' ? { code: 451, text: '4.3.0 Later' } : undefined) },
    settings: { user: 'robot' },
    account: { secrets: { password: 'right' } },
  });
  const account = `/v1/channel-accounts/${service.accountId}`;
  const [message = ''] = (await service.send(people(1))).messages;
  await service.work();
  t.match(await service.message(message), { status: 'V', attemptCount: 1 });
  await done(service.post(`/v1/messages/${message}/block`, {}));
  await done(service.post(`/v1/messages/${message}/validate`, {}));
  await change(service, account, { secrets: { password: 'wrong' } });
  await service.work();
  t.match((await service.inject('GET', account)).body, { pauseReason: 'authentication_failed' });

  service.clock.advance(48 * hours);
  await change(service, account, { secrets: { password: 'right' } });
  await done(service.post(`${account}/resume`));
  await service.work();
  const tried = (await service.attempts(message)).map(({ outcome }) => outcome);
  t.same(tried, ['transient', 'account_fault', 'transient']);
  t.match(await service.message(message), { status: 'V', attemptCount: 2 }, 'it has a day from its first try of now');
});

t.test('TLS that cannot be had is the account’s fault; its tries do not begin the message’s day', async (t) => {
  const service = await startSending(t, { settings: { security: 'starttls' } });
  const { messages } = await service.send(people(1));
  await service.work();
  const account = `/v1/channel-accounts/${service.accountId}`;
  t.match((await service.inject('GET', account)).body, { pauseReason: 'tls_failed' });
  t.match(await service.attempts(messages[0] ?? ''), [{ outcome: 'account_fault', reason: 'tls_failed' }]);
  const rows = await service.execute(sql`select first_tried_at, attempt_count from messages`);
  t.match(rows, [{ first_tried_at: null, attempt_count: 0 }]);
});
