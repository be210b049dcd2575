import { sql } from 'drizzle-orm';
import t from 'tap';
import { createReleaser } from '../../src/dispatch/release/release.ts';
import { addDispatcher, people, repeated, type Sending, startSending } from '../support/sending.ts';

const hold = { account: { onUncertain: 'hold', rhythm: { concurrency: 3 } } };
const total = 40;

/** A probe that fails where it is told to, so many times. */
function failingAt(step: string, times: number) {
  let left = times;
  return {
    left: () => left,
    probe(reached: string) {
      if (reached !== step || left === 0) return;
      left -= 1;
      throw new Error(`told to fail at ${step}`);
    },
  };
}

/** Releases and sends, on this worker only, until nothing is on its way any more. */
async function workWith(service: Sending, dispatcher: { pass(): Promise<number> }, request: string): Promise<void> {
  for (let turn = 0; turn < 40; turn += 1) {
    await createReleaser(service.runtime).release();
    await dispatcher.pass();
    if ((await service.counts(request)).V === 0) return;
    service.clock.advance(15_000);
  }
  throw new Error('messages are stuck');
}

for (const step of ['settle.begin', 'settle.inside', 'window.opened', 'handover.begin'] as const) {
  t.test(`a fault at ${step} strands nothing and sends nothing twice`, async (t) => {
    const service = await startSending(t, hold);
    const { id } = await service.send(people(total));
    const fault = failingAt(step, 3);
    const dispatcher = await addDispatcher(t, service, fault.probe);
    await workWith(service, dispatcher, id);
    t.equal(fault.left(), 0, 'the faults were met');
    t.strictSame(repeated(service.sink.mails), []);
    const counts = await service.counts(id);
    // Where the hand-over itself fails nobody can tell: those are held for a person.
    const doubtful = step === 'handover.begin' ? 3 : 0;
    t.match(counts, { created: total, OK: total - doubtful, KO: doubtful });
    t.match(await service.execute(sql`select count(*)::int as open from attempts where finished_at is null`), [
      { open: 0 },
    ]);
    t.match(await service.execute(sql`select count(*)::int as jobs from pgboss.job where name like 'dispatch.%'`), [
      { jobs: 0 },
    ]);
    t.match(await service.execute(sql`select count(*)::int as leases from account_leases`), [{ leases: 0 }]);
  });
}

t.test('one message that cannot be settled keeps no other from it; it ends in doubt, not lost', async (t) => {
  const service = await startSending(t, hold);
  const { id, messages } = await service.send(people(12));
  const poisoned = messages[5] ?? '';
  await service.execute(sql`
    create function refuse_one() returns trigger language plpgsql as $$
    begin raise exception 'not this one'; end $$`);
  await service.execute(
    sql.raw(`
    create trigger refuse_one before update on messages for each row
    when (old.id = '${poisoned}' and old.dispatch_state = 'sending') execute function refuse_one()`),
  );
  const dispatcher = await addDispatcher(t, service);
  for (let turn = 0; turn < 5; turn += 1) {
    await createReleaser(service.runtime).release();
    await dispatcher.pass();
    service.clock.advance(15_000);
  }
  t.match(await service.counts(id), { created: 12, OK: 11, V: 1 });
  t.match(await service.message(poisoned), { status: 'V', delivery: 'sending' });
  await service.execute(sql`drop trigger refuse_one on messages`);
  // Nobody keeps its job alive any more; here its worker is declared silent at once.
  await service.execute(sql`update pgboss.job set state = 'retry', start_after = now() where state = 'active'`);
  await dispatcher.pass();
  t.match(await service.message(poisoned), { status: 'KO', reason: 'outcome_unknown' });
  t.strictSame(repeated(service.sink.mails), []);
});

t.test('a lane that is fed again and again while it ends leaves nothing behind', async (t) => {
  const service = await startSending(t, { account: { rhythm: { concurrency: 2 } } });
  const dispatcher = await addDispatcher(t, service);
  const passes: Promise<number>[] = [];
  const requests: string[] = [];
  for (let turn = 0; turn < 25; turn += 1) {
    requests.push((await service.send(people(1), { priority: 'urgent' })).id);
    passes.push(dispatcher.pass());
  }
  await Promise.all(passes);
  const left = await Promise.all(requests.map((id) => service.counts(id)));
  t.equal(left.filter(({ OK }) => OK === 1).length, 25);
  t.equal(service.sink.mails.length, 25);
});

t.test('an account whose secrets cannot be opened is paused, and costs no attempt', async (t) => {
  const service = await startSending(t, { settings: { user: 'robot' }, account: { secrets: { password: 'word' } } });
  const { messages } = await service.send(people(1));
  await service.execute(
    sql`update channel_accounts set sealed_secrets = 'of-another-key' where id = ${service.accountId}`,
  );
  await service.work();
  t.match(await service.execute(sql`select pause_reason from channel_accounts where id = ${service.accountId}`), [
    { pause_reason: 'settings_unreadable' },
  ]);
  t.match(await service.message(messages[0] ?? ''), { status: 'V', delivery: 'waiting', attemptCount: 0 });
});

t.test('settings that change while mails leave cost no message an attempt', async (t) => {
  const service = await startSending(t, {
    account: { rhythm: { concurrency: 4 } },
    sink: { respond: (step) => (step === 'body' ? { delayMs: 10 } : undefined) },
  });
  const { id, messages } = await service.send(people(60));
  const working = service.work();
  for (const arrived of [10, 25, 40]) {
    await service.sink.waitFor(arrived);
    const settings = sql`jsonb_set(settings, '{name}', to_jsonb(${`client${arrived}.test`}::text))`;
    await service.execute(sql`update channel_accounts set settings = ${settings} where id = ${service.accountId}`);
  }
  await working;
  t.match(await service.counts(id), { created: 60, OK: 60 });
  const tries = await Promise.all(messages.map((one) => service.attempts(one)));
  t.ok(tries.every((attempts) => attempts.length === 1));
});
