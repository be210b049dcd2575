/** Accounts that are changed, or shared with another worker, while messages are sent. */
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { getAccount } from '../../src/accounts/store.ts';
import { createAccountShare } from '../../src/dispatch/account/share.ts';
import { change, done } from '../support/broker.ts';
import { people, receiverOf, setUpContent, smtpAccount, startSending } from '../support/sending.ts';
import type { SinkAction } from '../support/smtp-sink.ts';
import { realClock, startWorker, until } from '../support/workers.ts';

const minutes = 60_000;

/** A sink whose answers to contents are given by the test, in the order the contents came. */
function answeredByHand() {
  const waiting: ((action: SinkAction) => void)[] = [];
  return {
    reached: () => waiting.length,
    answer: (place: number, action: SinkAction) => waiting[place]?.(action),
    respond: (step: string) =>
      step === 'body' ? new Promise<SinkAction>((resolve) => waiting.push(resolve)) : undefined,
  };
}

t.test('an account that was told to hold doubtful messages while one is sent does hold it', async (t) => {
  const hand = answeredByHand();
  const service = await startSending(t, {
    account: { onUncertain: 'resend', rhythm: { concurrency: 1 } },
    sink: { respond: hand.respond },
  });
  const [message = ''] = (await service.send(people(1))).messages;
  const working = service.work();
  await until('it is written', () => hand.reached() === 1);
  await change(service, `/v1/channel-accounts/${service.accountId}`, { onUncertain: 'hold' });
  hand.answer(0, 'takeAndCut');
  await working;
  service.clock.advance(10 * minutes);
  await service.work();
  t.match(await service.message(message), { status: 'KO', reason: 'outcome_unknown', delivery: 'uncertain' });
  t.equal(service.sink.mails.length, 1);
});

t.test('a worker that is left without connections sends away what waits for one', async (t) => {
  const service = await startSending(t, { clock: realClock, account: { rhythm: { concurrency: 10 } } });
  const { runtime, accountId } = service;
  const shareOf = () =>
    createAccountShare({ ...runtime, workerId: randomUUID() }, { tenantId: service.tenant.id, id: accountId });
  const [one, other] = [shareOf(), shareOf()];
  t.teardown(() => Promise.all([one.end(), other.end()]));
  const { signal } = new AbortController();
  const account = await getAccount(runtime.db, service.tenant.id, accountId);
  await Promise.all([one.take(account, signal), other.take(account, signal)]);
  await until('both have some', () => one.gate.limit() > 0 && other.gate.limit() > 0, 20_000);
  const ended = Promise.withResolvers<void>();
  const works = [one, other].map((share) => Array.from({ length: 12 }, () => share.gate.run(() => ended.promise)));
  // Lowered below the number of workers: one of them gets nothing as long as the other goes on.
  const lowered = { ...account, concurrency: 1 };
  await Promise.all([one.take(lowered, signal), other.take(lowered, signal)]);
  const sentAway = await Promise.race(works.flat().map(async (work) => (await work) === null));
  t.equal(sentAway, true);
  ended.resolve();
  const results = await Promise.all(works.flat());
  t.ok(results.filter((result) => result === undefined).length >= 10, 'what had begun went on');
});

t.test('an account whose provider begins to hang does not keep another from its turn', async (t) => {
  let hangs = false;
  const service = await startSending(t, {
    clock: realClock,
    account: { rhythm: { concurrency: 2 } },
    sink: {
      respond: (step, { to }) => (hangs && step === 'body' && to[0]?.endsWith('@crowd.test') ? 'hang' : undefined),
    },
  });
  const other = await service.addTenant('Cabinet Martin');
  await setUpContent(service, { key: other.key });
  await done(service.inject('POST', '/v1/channel-accounts', { key: other.key, body: smtpAccount(service.sink) }));
  await service.send(people(3_000, 'crowd.test'));
  await startWorker(t, service);
  // Fast for so long that very many of its messages are in the queue before anybody else's.
  await service.sink.waitFor(1_000, 60_000);
  hangs = true;
  await service.send(people(5, 'small.test'), {}, { key: other.key });
  const small = () => service.sink.mails.filter((mail) => receiverOf(mail).endsWith('@small.test')).length;
  const asked = Date.now();
  await until('the other tenant has its turn', () => small() === 5, 60_000);
  t.ok(Date.now() - asked < 15_000, `after ${Date.now() - asked} ms`);
});
