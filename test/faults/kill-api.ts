import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { startWorkerProcess, type WorkerProcess } from '../support/processes.ts';
import { people, type Sending, startSending } from '../support/sending.ts';
import { realClock, until } from '../support/workers.ts';
import { allDecided } from './kill-worker.ts';
import { compare, type Findings, must, noDoubt } from './ledger.ts';
import type { Random } from './random.ts';

const program = fileURLToPath(new URL('../../src/server.ts', import.meta.url));
interface Answer {
  id: string;
  messages: { id: string }[];
}

const requests = 30;
const rowsPerRequest = 5;

/** An API process, and where it listens. */
async function startServer(t: { teardown(fn: () => unknown): void }, service: Sending) {
  const server = await startWorkerProcess(t, service, { PORT: '0' }, [program]);
  const line = server.lines.find((one) => one.includes('"server.listening"')) ?? '{}';
  return { server, url: String((JSON.parse(line) as { url?: string }).url) };
}

/**
 * Kills the API again and again while a client posts, at any moment and with its answer on the way; the client repeats
 * each request with its key until it has an answer. Each key makes one request, however often it was asked, and who did
 * not get the first answer gets the same one again.
 */
export async function killApi(t: { teardown(fn: () => unknown): void }, random: Random): Promise<Findings> {
  const service = await startSending(t, { clock: realClock });
  let current = await startServer(t, service);
  let open = true;
  let kills = 0;
  const killer = async (): Promise<void> => {
    while (open) {
      await until('some requests are answered', () => answered >= nextKillAt || !open, 60_000);
      if (!open) return;
      nextKillAt = answered + random.whole(3, 8);
      const { server } = current;
      server.kill('SIGKILL');
      await server.ended;
      kills += 1;
      current = await startServer(t, service);
    }
  };
  let answered = 0;
  let nextKillAt = random.whole(1, 4);
  const accepted = new Map<string, string>();

  const losesAnswer = new Set([random.whole(0, requests / 2), random.whole(requests / 2, requests - 1)]);

  const post = async (number: number): Promise<void> => {
    const recipients = people(rowsPerRequest, `r${number}.test`);
    const body = JSON.stringify({ template: 'notice', validation: 'automatic', recipients });
    const key = randomUUID();
    const headers = {
      authorization: `Bearer ${service.tenant.key}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    };
    const ask = async () => {
      const { server, url } = current;
      const reply = await fetch(`${url}/v1/send-requests`, { method: 'POST', headers, body }).catch(() => null);
      const read = reply?.status === 201 ? ((await reply.json().catch(() => null)) as Answer | null) : null;
      return read === null
        ? null
        : { ...read, server, replayed: reply?.headers.get('idempotency-replayed') === 'true' };
    };
    let answer = await until(`request ${number} is answered`, ask, 60_000);
    if (losesAnswer.has(number)) {
      // As the wire would: the answer was on its way, and the client has never seen it.
      const { id, server } = answer;
      server.kill('SIGKILL');
      await server.ended;
      current = await startServer(t, service);
      answer = await until(`request ${number} is answered again`, ask, 60_000);
      must(answer.replayed && answer.id === id, `request ${number} was not answered as before`);
    }
    answered += 1;
    for (const [index, { to }] of recipients.entries()) accepted.set(to.address, answer.messages[index]?.id ?? '');
  };
  const killing = killer();
  const numbers = Array.from({ length: requests }, (_, number) => number);
  const work = async (): Promise<void> => {
    for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) await post(number);
  };
  await Promise.all([work(), work(), work()]);
  open = false;
  await killing;
  must(kills >= 3, `the API was killed ${kills} times only`);
  const [made] = await service.execute(sql`
    select (select count(*)::int from send_requests) as requests, (select count(*)::int from messages) as messages`);
  must(made?.requests === requests, `${made?.requests} send requests were made of ${requests}`);
  must(made?.messages === requests * rowsPerRequest, `${made?.messages} messages were made`);
  const worker: WorkerProcess = await startWorkerProcess(t, service);
  await allDecided(service);
  worker.kill('SIGTERM');
  must((await worker.ended) === 0, 'the worker did not stop well');
  return compare(service, accepted, noDoubt, 'resend');
}

/** Asks the same with the same key a hundred times at once: one request is made, and all answers are the same. */
export async function sameKeyAHundredTimes(t: { teardown(fn: () => unknown): void }): Promise<Findings> {
  const service = await startSending(t, { clock: realClock });
  const headers = { 'idempotency-key': randomUUID() };
  const body = { template: 'notice', recipients: people(3) };
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => service.inject('POST', '/v1/send-requests', { headers, body })),
  );
  const ids = new Set(answers.filter(({ status }) => status === 201).map((answer) => answer.body.id));
  must(ids.size === 1, `${ids.size} send requests were answered`);
  const others = answers.filter(({ status }) => status !== 201);
  must(
    others.every((answer) => answer.body.code === 'idempotency_in_progress'),
    `an answer was ${others[0]?.status} ${others[0]?.body.code}`,
  );
  const [made] = await service.execute(sql`
    select (select count(*)::int from send_requests) as requests, (select count(*)::int from messages) as messages`);
  must(made?.requests === 1 && made.messages === 3, `${made?.requests} requests, ${made?.messages} messages were made`);
  await service.work();
  const sent = service.sink.mails.length;
  return { accepted: 3, sent, refused: 3 - sent, duplicates: 0, uncertain: 0 };
}
