import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import t from 'tap';
import { createApiClient } from '../../demo/client.ts';
import { editionRun } from '../../demo/edition-run.ts';
import { postSendRequest, uploadNotices, writeRecipients } from '../../demo/post-edition.ts';
import { setUpTenant } from '../../demo/setup.ts';
import { done } from '../support/broker.ts';
import { startWorkerProcess } from '../support/processes.ts';
import {
  messageIdOf,
  people,
  receiverOf,
  type Sending,
  smtpAccount,
  startSending,
  waysOf,
} from '../support/sending.ts';
import { startService } from '../support/service.ts';
import { startSmtpSink } from '../support/smtp-sink.ts';
import { realClock, until } from '../support/workers.ts';

const concurrency = 5;
/** The rows of the run: fewer than the demo's own 500, which differ in nothing but their number. */
const count = 300;

/** Mails that arrived more than once, by message and receiver. */
function repeated(mails: { raw: Buffer; envelope: { from: string; to: string[] } }[]): string[] {
  const keys = mails.map((mail) => `${messageIdOf(mail)} ${receiverOf(mail as never)}`);
  return keys.filter((key, index) => keys.indexOf(key) !== index);
}

/** The demo's edition run, validated, on an account that leads to a sink. */
async function startEdition(t: { teardown(fn: () => unknown): void }, onUncertain: 'resend' | 'hold') {
  const sink = await startSmtpSink({ respond: (step) => (step === 'body' ? { delayMs: 10 } : undefined) });
  t.teardown(() => sink.close());
  const service = await startService(t, { clock: realClock, config: { deployment: 'production' } });
  const url = await service.app.listen({ host: '127.0.0.1', port: 0 });
  const client = createApiClient(url, service.tenant.key);
  await setUpTenant(client);
  const account = smtpAccount(sink, { onUncertain, rhythm: { concurrency } });
  await done(service.inject('POST', '/v1/channel-accounts', { body: account }));
  const rows = editionRun({ count });
  await writeRecipients(client, rows);
  const { documents } = await uploadNotices(client, rows);
  const request = await postSendRequest(client, rows, documents, 'edition-1');
  const ways = waysOf(service);
  const before = await ways.counts(request.id ?? '');
  await done(ways.post('/v1/messages/validate', { filter: { sendRequest: request.id, status: ['E'] } }));
  return { service, sink, ways, requestId: request.id ?? '', before };
}

for (const onUncertain of ['resend', 'hold'] as const) {
  t.test(
    `${onUncertain}: a worker killed in the middle of an edition run loses nothing`,
    { timeout: 150_000 },
    async (t) => {
      const { service, sink, ways, requestId, before } = await startEdition(t, onUncertain);
      const first = await startWorkerProcess(t, service);
      await sink.waitFor(80, 60_000);
      first.kill('SIGKILL');
      t.equal(await first.ended, 'SIGKILL');
      const killedAt = Date.now();
      const arrived = sink.mails.length;
      t.ok(arrived < count, `killed after ${arrived} mails`);
      t.match(await ways.counts(requestId), { created: before['created'] });

      const second = await startWorkerProcess(t, service);
      const goesOn = until('work goes on', () => sink.mails.length >= arrived + 20 && Date.now(), 60_000);
      t.ok((await goesOn) - killedAt < 30_000, `went on after ${(await goesOn) - killedAt} ms`);
      const counts = await until(
        'nothing is on its way',
        async () => {
          const now = await ways.counts(requestId);
          // Under resend what was in doubt comes again at once; nothing may stay in V.
          return now['V'] === 0 && now;
        },
        90_000,
      );

      const doubtful = onUncertain === 'hold' ? (counts['KO'] ?? 0) - (before['KO'] ?? 0) : 0;
      t.strictSame(counts, {
        ...before,
        E: 0,
        OK: (before['E'] ?? 0) - doubtful,
        KO: (before['KO'] ?? 0) + doubtful,
      });
      const again = repeated(sink.mails);
      if (onUncertain === 'hold') {
        t.strictSame(again, [], 'no second copy');
        t.ok(doubtful > 0 && doubtful <= 2 * concurrency, `${doubtful} are in doubt`);
        const held = await ways.post('/v1/messages/block', { filter: { reason: ['outcome_unknown'] } });
        t.equal(held.body.matched ?? 0, 0, 'they are KO: there is nothing to block');
      } else {
        // A message and its archive copy share its Message-ID; each may come twice.
        t.ok(again.length <= 2 * 2 * concurrency, `${again.length} came twice: one window at most`);
      }
      const receivers = new Set(sink.mails.map((mail) => `${messageIdOf(mail)} ${receiverOf(mail)}`));
      const people = [...receivers].filter((one) => !one.includes('archive@'));
      t.ok(people.length >= (counts['OK'] ?? 0) && people.length <= (before['E'] ?? 0), 'each arrived');
      const [open] = await ways.execute(sql`select count(*)::int as open from attempts where finished_at is null`);
      t.match(open, { open: 0 });
      second.kill('SIGTERM');
      t.equal(await second.ended, 0);
    },
  );
}

/** Cuts every connection of the service to its database but this one. */
const cutDatabase = (service: Pick<Sending, 'execute'>) =>
  service.execute(sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`);

t.test(
  'a database that cuts every connection while mails leave: nothing is lost, nothing is sent twice',
  { timeout: 150_000 },
  async (t) => {
    const service = await startSending(t, {
      clock: realClock,
      account: { onUncertain: 'hold', rhythm: { concurrency } },
      sink: { respond: (step) => (step === 'body' ? { delayMs: 20 } : undefined) },
    });
    const { id } = await service.send(people(count));
    const worker = await startWorkerProcess(t, service);
    for (const arrived of [30, 90, 150]) {
      await service.sink.waitFor(arrived, 60_000);
      // A cut meets this process too; the next query connects again.
      await cutDatabase(service).catch(() => undefined);
    }
    const counts = await until(
      'all have left',
      async () => {
        const now = await service.counts(id).catch(() => null);
        return now !== null && now['V'] === 0 && now;
      },
      90_000,
    );
    t.strictSame(repeated(service.sink.mails), [], 'no second copy');
    t.match(counts, { created: count, OK: count, KO: 0 });
    t.equal(service.sink.mails.length, count);
    t.ok(
      worker.lines.some((line) => line.includes('dispatch.')),
      'the cuts were noticed',
    );
    worker.kill('SIGTERM');
    t.equal(await worker.ended, 0);
  },
);

t.test(
  'a worker that stood still sends nothing more of what another has taken over',
  { timeout: 150_000 },
  async (t) => {
    const service = await startSending(t, {
      clock: realClock,
      account: { onUncertain: 'hold', rhythm: { concurrency: 2 } },
      sink: { respond: (step) => (step === 'body' ? { delayMs: 30 } : undefined) },
    });
    const { id } = await service.send(people(150));
    const first = await startWorkerProcess(t, service);
    await service.sink.waitFor(20, 60_000);
    first.kill('SIGSTOP');
    const second = await startWorkerProcess(t, service);
    const arrived = service.sink.mails.length;
    await until('the other goes on', () => service.sink.mails.length >= arrived + 20, 60_000);
    first.kill('SIGCONT');
    const counts = await until(
      'all are decided',
      async () => {
        const now = await service.counts(id);
        return now['V'] === 0 && now;
      },
      90_000,
    );
    t.strictSame(repeated(service.sink.mails), [], 'nobody got it twice');
    t.equal((counts['OK'] ?? 0) + (counts['KO'] ?? 0), 150);
    t.ok((counts['KO'] ?? 0) <= 4, `${counts['KO']} in doubt`);
    for (const worker of [first, second]) {
      worker.kill('SIGTERM');
      t.equal(await worker.ended, 0);
    }
  },
);

t.test('files of the outbox are whole, whenever the worker is killed', { timeout: 150_000 }, async (t) => {
  const service = await startSending(t, { clock: realClock, account: null });
  await done(service.post('/v1/channel-accounts', { name: 'Files', channel: 'mail', driver: 'outbox' }));
  const { id } = await service.send(people(200));
  const folder = join(service.directory, 'outbox', 'mail');
  const files = async () => (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.eml'));
  const first = await startWorkerProcess(t, service);
  await until('some are written', async () => (await files()).length >= 30, 60_000);
  first.kill('SIGKILL');
  await first.ended;
  await startWorkerProcess(t, service);
  await until('all have left', async () => (await service.counts(id))['OK'] === 200, 90_000);
  const written = await files();
  t.equal(written.length, 200, 'one file for each, sent once or twice');
  const sizes = await Promise.all(written.map(async (name) => (await stat(join(folder, name))).size));
  t.ok(Math.min(...sizes) > 300, 'none is cut');
});
