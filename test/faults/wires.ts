import { sql } from 'drizzle-orm';
import { change } from '../support/broker.ts';
import { startWorkerProcess } from '../support/processes.ts';
import { startSending } from '../support/sending.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { realClock, until } from '../support/workers.ts';
import { accept, allDecided, mostInDoubt } from './kill-worker.ts';
import { anyDoubt, compare, type Findings, must } from './ledger.ts';
import type { Random } from './random.ts';

const concurrency = 4;
const messages = 120;

const undecided = sql`select count(*)::int as count from messages where status = 'V'`;
const bringForward = sql`
  with due as (update messages set release_at = now() where dispatch_state = 'waiting' and release_at > now() returning 1)
  update dispatch_lanes set next_release_at = now() where exists (select 1 from due)`;

interface Teardown {
  teardown(fn: () => unknown): void;
}

/** One trouble of a wire; its length is longer than any patience of who waits on it. */
type Trouble = 'cut' | 'delay' | 'hole';

async function suffer(wire: TcpProxy, trouble: Trouble, holeMs: number, inHole = async () => {}): Promise<void> {
  if (trouble === 'cut') return wire.cut();
  wire.set(trouble === 'delay' ? { delayMs: 30 } : 'hole');
  await realClock.wait(trouble === 'delay' ? 1_000 : holeMs);
  if (trouble === 'hole') await inHole();
  wire.set('pass');
  // What was waiting in the hole is late by now: the wire comes back as one that was cut.
  if (trouble === 'hole') wire.cut();
}

/**
 * A worker whose wire to the database is cut, slow, or full. Under `hold` nothing comes twice; what it handed over is
 * settled when the database is back, however late.
 */
export async function troubleBeforeDatabase(t: Teardown, trouble: Trouble, random: Random): Promise<Findings> {
  const service = await startSending(t, {
    clock: realClock,
    account: { onUncertain: 'hold', rhythm: { concurrency } },
    sink: { respond: (step) => (step === 'body' ? { delayMs: 25 } : undefined) },
  });
  const url = new URL(service.databaseUrl);
  const wire = await startTcpProxy(Number(url.port));
  t.teardown(() => wire.close());
  url.port = String(wire.port);
  const worker = await startWorkerProcess(t, service, { DATABASE_URL: url.href });
  const accepted = await accept(service, messages);
  await service.sink.waitFor(random.whole(10, messages / 2), 60_000);
  await suffer(wire, trouble, 13_000);
  await allDecided(service);
  worker.kill('SIGTERM');
  must((await worker.ended) === 0, 'the worker did not stop well');
  const findings = await compare(service, accepted, anyDoubt, 'hold');
  must(findings.uncertain <= mostInDoubt, `${findings.uncertain} messages are in doubt`);
  return findings;
}

/** A mail server behind a bad wire. Under `hold` nothing comes twice; a hang after the content is in doubt, not before. */
export async function troubleBeforeSmtp(
  t: Teardown,
  trouble: Trouble,
  onUncertain: 'resend' | 'hold',
  random: Random,
): Promise<Findings> {
  const service = await startSending(t, {
    clock: realClock,
    account: { onUncertain, rhythm: { concurrency } },
    sink: { respond: (step) => (step === 'body' ? { delayMs: 25 } : undefined) },
  });
  const wire = await startTcpProxy(service.sink.port);
  t.teardown(() => wire.close());
  const path = `/v1/channel-accounts/${service.accountId}`;
  const { settings } = (await service.inject('GET', path)).body;
  // The whole delivery may take long, an answer may not: the silence is what is noticed.
  const timeouts = { ...settings.timeouts, answerSeconds: 2, deliverySeconds: 120 };
  await change(service, path, { settings: { ...settings, port: wire.port, timeouts } });
  const worker = await startWorkerProcess(t, service);
  const accepted = await accept(service, messages);
  await service.sink.waitFor(random.whole(10, messages / 2), 60_000);
  const silentSince = new Date();
  await suffer(wire, trouble, 5_000, async () => {
    const [row] = await service.execute(sql`
      select count(*)::int as ended from attempts where finished_at > ${silentSince.toISOString()}::timestamptz + interval '1 second'`);
    must(Number(row?.ended) > 0, 'a server that says nothing was not given up');
  });
  // What was refused for now waits a minute; nothing of this scenario is about that wait.
  await until(
    'every message is decided',
    async () => {
      await service.execute(bringForward);
      return (await service.execute(undecided))[0]?.count === 0;
    },
    120_000,
  );
  worker.kill('SIGTERM');
  must((await worker.ended) === 0, 'the worker did not stop well');
  const findings = await compare(service, accepted, anyDoubt, onUncertain);
  must(findings.uncertain + findings.duplicates <= mostInDoubt, 'more than a window is in doubt');
  return findings;
}
