import { sql } from 'drizzle-orm';
import t from 'tap';
import { startWorkerProcess } from '../support/processes.ts';
import { people, repeated, type SendingOptions, startSending } from '../support/sending.ts';
import { realClock, until } from '../support/workers.ts';

/** A sink that counts deliveries between MAIL and the answer to the content, and when each began. */
function countingSink(delayMs: number) {
  const open = new Set<number>();
  const seen = { most: 0, startedAt: [] as number[] };
  const respond: NonNullable<SendingOptions['sink']>['respond'] = async (step, { connection }) => {
    if (step === 'mail') {
      open.add(connection);
      seen.most = Math.max(seen.most, open.size);
      seen.startedAt.push(Date.now());
    }
    if (step === 'body') {
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      open.delete(connection);
    }
    return undefined;
  };
  return { seen, sink: { respond } };
}

for (const workers of [2, 3]) {
  t.test(`${workers} workers share the connections of an account`, { timeout: 120_000 }, async (t) => {
    const total = 600;
    const concurrency = 5;
    const { seen, sink } = countingSink(80);
    const service = await startSending(t, { clock: realClock, sink, account: { rhythm: { concurrency } } });
    await Promise.all(Array.from({ length: workers }, () => startWorkerProcess(t, service)));
    const { id } = await service.send(people(total));
    await until('all have left', async () => (await service.counts(id)).OK === total, 90_000);
    t.equal(service.sink.mails.length, total);
    t.strictSame(repeated(service.sink.mails), []);
    t.ok(seen.most <= concurrency, `${seen.most} deliveries at once at most`);
    t.ok(seen.most >= concurrency - 1, 'the connections are used');
    const parts = await service.execute(sql`select worker_id, count(*)::int as sent from attempts group by worker_id`);
    // Who claims first may claim all that is released: nothing promises that each worker has a part.
    t.comment(`${parts.map(({ sent }) => sent).join(' + ')} sent`);
  });
}

t.test(
  'a worker that comes down to its part while its provider is slow is not overtaken',
  { timeout: 120_000 },
  async (t) => {
    const concurrency = 4;
    const { seen, sink } = countingSink(4_000);
    const service = await startSending(t, {
      clock: realClock,
      sink,
      account: { rhythm: { concurrency } },
      settings: { timeouts: { answerSeconds: 10 } },
    });
    const { id } = await service.send(people(24));
    await startWorkerProcess(t, service);
    await until('the first has all connections', () => seen.most === concurrency, 20_000);
    const urgent = await service.send(people(8, 'second.test'));
    await startWorkerProcess(t, service);
    await until(
      'all have left',
      async () => (await service.counts(id)).OK + (await service.counts(urgent.id)).OK === 32,
      90_000,
    );
    t.equal(seen.most, concurrency);
  },
);

t.test('maxPerMinute holds over all workers', { timeout: 120_000 }, async (t) => {
  const total = 60;
  const { seen, sink } = countingSink(0);
  const service = await startSending(t, { clock: realClock, sink, account: { rhythm: { maxPerMinute: 600 } } });
  const { id } = await service.send(people(total));
  await Promise.all([1, 2, 3].map(() => startWorkerProcess(t, service)));
  await until('all have left', async () => (await service.counts(id)).OK === total, 90_000);
  const starts = seen.startedAt.toSorted((a, b) => a - b);
  t.equal(starts.length, total);
  const span = (starts.at(-1) ?? 0) - (starts[0] ?? 0);
  t.ok(span >= (total - 1) * 100 - 500, `${total} mails in ${span} ms`);
  // Slots are 100 ms apart; a busy machine may bring late ones close together, not more than a handful.
  const fastest = starts.slice(0, -20).map((start, index) => (starts[index + 20] ?? 0) - start);
  t.ok(Math.min(...fastest) >= 1_500, `20 mails took ${Math.min(...fastest)} ms at the fastest`);
});

t.test('with a wait after each send, all workers together send one after another', { timeout: 120_000 }, async (t) => {
  const waitAfterSendMs = 300;
  const { seen, sink } = countingSink(150);
  const service = await startSending(t, { clock: realClock, sink, account: { rhythm: { waitAfterSendMs } } });
  const { id } = await service.send(people(12));
  await Promise.all([1, 2].map(() => startWorkerProcess(t, service)));
  await until('all have left', async () => (await service.counts(id)).OK === 12, 90_000);
  t.equal(seen.most, 1);
  const ends = service.sink.mails.map(({ arrivedAt }) => arrivedAt).toSorted((a, b) => a - b);
  const starts = seen.startedAt.toSorted((a, b) => a - b);
  const gaps = starts.slice(1).map((start, index) => start - (ends[index] ?? 0));
  t.ok(Math.min(...gaps) >= waitAfterSendMs - 5, `gaps from ${Math.min(...gaps)} to ${Math.max(...gaps)} ms`);
});
