import postgres from 'postgres';
import t from 'tap';
import { act, change, client, edit, mailsTo, startBroker } from '../../support/broker.ts';
import { realClock, startWorkers, until } from '../../support/workers.ts';

t.setTimeout(600_000);

t.test('W4 · with nothing to do the robot looks again after 10 s, not before, over three workers', async (t) => {
  const rhythm = { waitWhenIdleMs: 10_000 };
  const { service, sink } = await startBroker(t, { clock: realClock, rhythm, archiveBcc: [] });
  const sql = postgres(service.databaseUrl, { max: 1 });
  t.teardown(() => sql.end());
  /** Each look that finds nothing sets the time of the next one. */
  const looks: number[] = [];
  const nextLook = async () => {
    const [row] = await sql<{ at: Date | null }[]>`select max(idle_until) as at from channel_accounts where not test`;
    const time = row?.at?.getTime();
    if (time !== undefined && looks.at(-1) !== time) looks.push(time);
    return time;
  };
  const ids = await edit(service, [client(1), client(2)]);
  await startWorkers(t, service);
  await until('the robot rests', nextLook);
  await until('it has looked once more', async () => (await nextLook()) !== looks[0], 15_000);

  const validatedAt = Date.now();
  await act(service, 'validate', ids.slice(0, 1));
  await until('the notice arrives', async () => (await nextLook()) !== undefined && sink.mails.length === 1, 20_000);
  const waited = (sink.mails[0]?.arrivedAt ?? 0) - validatedAt;
  t.ok(waited >= 9_000, `validated just after a look, it waited ${waited} ms for the next one`);
  // A second for the releaser, the rest for a busy machine.
  t.ok(waited <= 15_000, 'and left with it');
  t.ok(Date.now() >= (looks[1] ?? 0), 'not before the time of that look');
  await until('the robot rests again', async () => (await nextLook()) !== looks[1], 15_000);
  const between = looks.slice(1).map((time, index) => time - (looks[index] ?? 0));
  t.ok(
    between.every((gap) => gap >= 10_000),
    `between two looks are ${between.join(', ')} ms`,
  );

  await change(service, `/v1/channel-accounts/${(await account()).id}`, { rhythm: { waitWhenIdleMs: 0 } });
  const changedAt = Date.now();
  await act(service, 'validate', ids.slice(1));
  await until('the second notice arrives', () => mailsTo(sink, 'client.2@courriel.example').length === 1);
  t.ok(Date.now() - changedAt < 5_000, 'a shorter wait holds at once');

  async function account() {
    const { body } = await service.inject('GET', '/v1/channel-accounts');
    return body.items.find(({ test }: { test: boolean }) => !test);
  }
});
