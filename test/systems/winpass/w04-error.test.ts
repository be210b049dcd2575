import t from 'tap';
import { act, client, edit, read, startBroker, statusesOf } from '../../support/broker.ts';
import { realClock, startWorkers, until } from '../../support/workers.ts';

t.setTimeout(600_000);

t.test('W4 · after an error nothing is tried on the account for 60 s, over three workers', async (t) => {
  const rhythm = { waitAfterSendMs: 800, waitWhenIdleMs: 10_000, waitAfterErrorMs: 60_000 };
  let refusedAt = 0;
  /** When the robot came to the mail server, after the refusal. */
  const comings: number[] = [];
  const { service, sink } = await startBroker(t, {
    clock: realClock,
    rhythm,
    archiveBcc: [],
    respond(step) {
      if (step === 'rcpt' && refusedAt === 0) {
        refusedAt = Date.now();
        return { code: 451, text: '4.3.0 Temporary failure' };
      }
      if (refusedAt > 0 && (step === 'connect' || step === 'mail')) comings.push(Date.now());
      return undefined;
    },
  });
  const ids = await edit(service, [client(1), client(2), client(3), client(4)]);
  await act(service, 'validate', ids);
  const workers = await startWorkers(t, service);
  const refused = await until(
    'a notice is refused for now',
    async () => {
      const rows = await Promise.all(ids.map((id) => read(service, id)));
      return rows.find(({ attemptCount, reason }) => attemptCount === 1 && reason !== null);
    },
    20_000,
  );
  t.match(refused, { status: 'V', delivery: 'waiting', reason: 'provider_unavailable' });
  t.match(refused.reasonDetail, { code: 451, answer: /Temporary failure/ }, 'why is told while it waits');
  t.ok(Date.parse(refused.nextTryAt) - refusedAt >= 60_000);

  const others = ids.filter((id) => id !== refused.id);
  await until('the others wait in their rows, none is "being sent" for a minute', async () =>
    (await Promise.all(others.map((id) => read(service, id)))).every(({ delivery }) => delivery === 'waiting'),
  );
  const blocked = others.pop();
  t.match(await act(service, 'block', [String(blocked)]), { done: 1, refused: [] }, 'so a person can still block one');
  const stoppingAt = Date.now();
  await workers[0]?.stop();
  t.ok(Date.now() - stoppingAt < 5_000, 'and a worker can be stopped meanwhile');

  await sink.waitFor(3, 90_000);
  t.ok((comings[0] ?? 0) - refusedAt >= 60_000, `the first coming is after ${(comings[0] ?? 0) - refusedAt} ms`);
  t.ok((comings[0] ?? 0) - refusedAt < 75_000, 'and not much later');
  const sent = [...others, refused.id];
  await until('all but the blocked one are sent', async () =>
    (await statusesOf(service, sent)).every((status) => status === 'OK'),
  );
  t.equal(sink.mails.length, 3, 'each once');
  t.equal((await read(service, String(blocked))).status, 'B');
});
