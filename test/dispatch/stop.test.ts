import { sql } from 'drizzle-orm';
import t from 'tap';
import { startWorkerProcess } from '../support/processes.ts';
import { people, repeated, type Sending, startSending } from '../support/sending.ts';
import { realClock, until } from '../support/workers.ts';

/** What is on its way, or kept by somebody, in the database. */
async function remains({ execute }: Sending) {
  const [row] = await execute(sql`select
    (select count(*)::int from messages where dispatch_state in ('queued', 'sending')) as held,
    (select count(*)::int from attempts where finished_at is null) as open,
    (select count(*)::int from pgboss.job where name like 'dispatch.%' and state = 'active') as claimed,
    (select count(*)::int from account_leases) as leases,
    (select count(*)::int from leases where name = 'releaser') as releasers`);
  return row;
}

t.test(
  'SIGTERM: no new claims, what is in flight ends, the rest waits for another worker',
  { timeout: 120_000 },
  async (t) => {
    const total = 60;
    let delayMs = 1_500;
    let begun = 0;
    const service = await startSending(t, {
      clock: realClock,
      account: { onUncertain: 'hold', rhythm: { concurrency: 5 } },
      settings: { timeouts: { answerSeconds: 10 } },
      sink: {
        respond(step) {
          if (step !== 'body') return undefined;
          begun += 1;
          return { delayMs };
        },
      },
    });
    const { id, messages } = await service.send(people(total));
    const first = await startWorkerProcess(t, service);
    await until('the second round is in flight', () => begun >= 8 && service.sink.mails.length >= 5, 30_000);
    const stoppedAt = Date.now();
    first.kill('SIGTERM');
    t.equal(await first.ended, 0);
    const seconds = (Date.now() - stoppedAt) / 1_000;
    t.ok(seconds < 25, `it ended after ${seconds} s`);
    t.equal(service.sink.mails.length, begun, 'what had begun has ended');
    t.ok(begun < total, `${begun} of ${total} had begun`);
    t.match(await service.counts(id), { created: total, OK: begun, V: total - begun, KO: 0 });
    const rest = await remains(service);
    t.match(rest, { open: 0, claimed: 0, leases: 0, releasers: 0 });
    const tries = await Promise.all(messages.map((one) => service.message(one)));
    t.ok(
      tries.every(({ status, attemptCount }) => attemptCount === (status === 'OK' ? 1 : 0)),
      'waiting has cost nothing',
    );

    delayMs = 0;
    await startWorkerProcess(t, service);
    await until('all have left', async () => (await service.counts(id)).OK === total, 60_000);
    t.equal(service.sink.mails.length, total);
    t.strictSame(repeated(service.sink.mails), [], 'each exactly once');
  },
);

t.test(
  'SIGTERM while a provider hangs: it ends within 25 s, and says what is not known',
  { timeout: 120_000 },
  async (t) => {
    let reached = 0;
    const service = await startSending(t, {
      clock: realClock,
      account: { onUncertain: 'hold', rhythm: { concurrency: 2 } },
      // Longer than a stop may take: a word now and then keeps the connection from its time-out.
      settings: { timeouts: { answerSeconds: 20, deliverySeconds: 60 } },
      sink: {
        async respond(step) {
          if (step === 'rcpt') await new Promise((resolve) => setTimeout(resolve, 5_000));
          if (step !== 'body') return undefined;
          reached += 1;
          return 'takeAndHang';
        },
      },
    });
    const { id } = await service.send(people(10));
    const worker = await startWorkerProcess(t, service);
    await until('two are in flight', () => reached >= 2, 30_000);
    const stoppedAt = Date.now();
    worker.kill('SIGTERM');
    t.equal(await worker.ended, 0);
    const seconds = (Date.now() - stoppedAt) / 1_000;
    t.ok(seconds < 25, `it ended after ${seconds} s`);
    const counts = await service.counts(id);
    t.equal(counts.KO, service.sink.mails.length, 'what the provider may have is held');
    t.equal(counts.V, 10 - service.sink.mails.length);
    t.match(await remains(service), { open: 0, claimed: 0 });
  },
);

t.test('SIGTERM between two sends that are far apart ends at once', { timeout: 60_000 }, async (t) => {
  const service = await startSending(t, {
    clock: realClock,
    account: { rhythm: { waitAfterSendMs: 60_000 } },
  });
  const { id } = await service.send(people(3));
  const worker = await startWorkerProcess(t, service);
  await service.sink.waitFor(1, 20_000);
  await until('it is settled', async () => (await service.counts(id)).OK === 1);
  const stoppedAt = Date.now();
  worker.kill('SIGTERM');
  t.equal(await worker.ended, 0);
  t.ok(Date.now() - stoppedAt < 10_000, `it ended after ${Date.now() - stoppedAt} ms`);
  t.match(await service.counts(id), { created: 3, OK: 1, V: 2 });
  t.match(await remains(service), { open: 0, claimed: 0, leases: 0 });
});
