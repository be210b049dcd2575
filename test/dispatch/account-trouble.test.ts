import t from 'tap';
import { change, done } from '../support/broker.ts';
import { people, receiverOf, startSending } from '../support/sending.ts';

const seconds = 1_000;

t.test('once an error is known, nothing more is begun before the wait after an error is over', async (t) => {
  const concurrency = 10;
  const refusals = ['p0@people.test'];
  const service = await startSending(t, {
    account: { rhythm: { concurrency, waitAfterErrorMs: 60 * seconds } },
    sink: {
      respond(step, { command }) {
        if (step !== 'rcpt' || refusals[0] === undefined || !command.includes(refusals[0])) return undefined;
        refusals.pop();
        return { code: 451, text: '4.3.0 Later' };
      },
    },
  });
  const { id, messages } = await service.send(people(200));
  const begunAt = service.clock.now().getTime();
  await service.work();
  // The clock of a pass moves only when it waits: what left now left before the error, or beside it.
  const tries = await Promise.all(messages.map((message) => service.attempts(message)));
  const begun = tries.flat().filter(({ outcome }) => outcome !== 'not_begun');
  const refused = begun.filter(({ outcome }) => outcome === 'transient');
  t.equal(refused.length, 1);
  const before = begun.filter(({ startedAt }) => Date.parse(startedAt) < begunAt + 30 * seconds);
  t.ok(before.length <= 2 * concurrency, `${before.length} of 200 were begun with the first that failed`);
  service.clock.advance(10 * 60 * seconds);
  await service.work();
  t.match(await service.counts(id), { OK: 200 });
  t.equal(new Set(service.sink.mails.map(receiverOf)).size, 200);
  t.equal(service.sink.mails.length, 200, 'each once');
});

t.test(
  'a log-in that is refused for a copy pauses the account; the message stays OK and the copy leaves later',
  async (t) => {
    const auth = { user: 'robot', password: 'right' };
    let copies = 0;
    const service = await startSending(t, {
      sink: {
        auth,
        respond(step, { command }) {
          if (step !== 'rcpt' || !command.includes('copy@')) return undefined;
          copies += 1;
          return copies === 1 ? { code: 535, text: '5.7.8 Log in again' } : undefined;
        },
      },
      settings: { user: 'robot' },
      account: { secrets: { password: 'right' }, rhythm: { concurrency: 1 } },
    });
    const row = { ...people(1)[0], cc: [{ address: 'copy@people.test' }] };
    const [message = ''] = (await service.send([row])).messages;
    await service.work();
    const account = `/v1/channel-accounts/${service.accountId}`;
    t.match((await service.inject('GET', account)).body, { pausedAt: String });
    t.match(await service.message(message), { status: 'OK', copies: [{ outcome: 'pending' }] });
    await done(service.post(`${account}/resume`));
    service.clock.advance(5 * 60 * seconds);
    await service.work();
    t.match(await service.message(message), { status: 'OK', copies: [{ outcome: 'accepted' }] });
    t.strictSame(service.sink.mails.map(receiverOf), ['p0@people.test', 'copy@people.test']);
  },
);

t.test('a person who resumes the account at once is not overruled by the window that met the fault', async (t) => {
  const service = await startSending(t, {
    sink: { auth: { user: 'robot', password: 'right' } },
    settings: { user: 'robot' },
    account: { secrets: { password: 'wrong' }, rhythm: { concurrency: 2 } },
  });
  const account = `/v1/channel-accounts/${service.accountId}`;
  const { id } = await service.send(people(20));
  await service.work();
  t.match((await service.inject('GET', account)).body, { pauseReason: 'authentication_failed' });
  await change(service, account, { secrets: { password: 'right' } });
  await done(service.post(`${account}/resume`));
  await service.work();
  t.match(await service.counts(id), { OK: 20 });
  t.match((await service.inject('GET', account)).body, { pausedAt: null });
  t.equal((await service.events('channel-account.paused')).length, 1, 'told once');
});

t.test(
  'a fault that was met with the old password does not pause the account that a person has just mended',
  async (t) => {
    let mend: (() => Promise<void>) | null = null;
    const service = await startSending(t, {
      sink: {
        auth: { user: 'robot', password: 'right' },
        async respond(step) {
          if (step !== 'auth' || mend === null) return undefined;
          const now = mend;
          mend = null;
          await now();
          return { code: 535, text: '5.7.8 Wrong password' };
        },
      },
      settings: { user: 'robot' },
      account: { secrets: { password: 'wrong' }, rhythm: { concurrency: 1 } },
    });
    const account = `/v1/channel-accounts/${service.accountId}`;
    mend = () => change(service, account, { secrets: { password: 'right' } }).then(() => undefined);
    const { id } = await service.send(people(3));
    await service.work();
    t.match((await service.inject('GET', account)).body, { pausedAt: null, pauseReason: null });
    await service.work();
    t.match(await service.counts(id), { OK: 3 });
  },
);
