import { sql } from 'drizzle-orm';
import t from 'tap';
import { createApiClient } from '../../demo/client.ts';
import { editionRun } from '../../demo/edition-run.ts';
import { postSendRequest, uploadNotices, writeRecipients } from '../../demo/post-edition.ts';
import { setUpTenant } from '../../demo/setup.ts';
import { done } from '../support/broker.ts';
import { startWorkerProcess } from '../support/processes.ts';
import { messageIdOf, receiverOf, repeated, smtpAccount, waysOf } from '../support/sending.ts';
import { startService } from '../support/service.ts';
import { startSmtpSink } from '../support/smtp-sink.ts';
import { realClock, until } from '../support/workers.ts';

const concurrency = 5;
/** Rows of the runs: fewer than the demo's own 500, which differ in nothing but their number. */
const runs = [
  { onUncertain: 'resend', count: 300 },
  { onUncertain: 'hold', count: 150 },
] as const;

/** The demo's edition run, validated, on an account that leads to a sink. */
async function startEdition(t: { teardown(fn: () => unknown): void }, onUncertain: 'resend' | 'hold', count: number) {
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

for (const { onUncertain, count } of runs) {
  t.test(
    `${onUncertain}: a worker killed in the middle of an edition run loses nothing`,
    { timeout: 150_000 },
    async (t) => {
      const { service, sink, ways, requestId, before } = await startEdition(t, onUncertain, count);
      const first = await startWorkerProcess(t, service);
      await sink.waitFor(60, 60_000);
      first.kill('SIGKILL');
      t.equal(await first.ended, 'SIGKILL');
      const killedAt = Date.now();
      const arrived = sink.mails.length;
      t.ok(arrived < count, `killed after ${arrived} mails`);
      t.match(await ways.counts(requestId), { created: before.created });

      const second = await startWorkerProcess(t, service);
      const goesOn = until('work goes on', () => sink.mails.length >= arrived + 20 && Date.now(), 60_000);
      t.ok((await goesOn) - killedAt < 30_000, `went on after ${(await goesOn) - killedAt} ms`);
      const counts = await until(
        'nothing is on its way',
        async () => {
          const now = await ways.counts(requestId);
          // Under resend what was in doubt comes again at once; nothing may stay in V.
          return now.V === 0 && now;
        },
        90_000,
      );

      const doubtful = onUncertain === 'hold' ? (counts.KO ?? 0) - (before.KO ?? 0) : 0;
      t.strictSame(counts, {
        ...before,
        E: 0,
        OK: (before.E ?? 0) - doubtful,
        KO: (before.KO ?? 0) + doubtful,
      });
      const [row] = await ways.execute(sql`select count(*)::int as tries from attempts where outcome = 'uncertain'`);
      t.equal(
        second.lines.filter((line) => line.includes('"outcome":"uncertain"')).length,
        row?.tries,
        'the log has every try in doubt',
      );
      const again = repeated(sink.mails);
      if (onUncertain === 'hold') {
        t.strictSame(again, [], 'no second copy');
        t.ok(doubtful > 0 && doubtful <= 2 * concurrency, `${doubtful} are in doubt`);
      } else {
        // A message and its archive copy share its Message-ID; each may come twice.
        t.ok(again.length <= 2 * 2 * concurrency, `${again.length} came twice: one window at most`);
      }
      const receivers = new Set(sink.mails.map((mail) => `${messageIdOf(mail)} ${receiverOf(mail)}`));
      const arrivals = [...receivers].filter((one) => !one.includes('archive@'));
      t.ok(arrivals.length >= (counts.OK ?? 0) && arrivals.length <= (before.E ?? 0), 'each arrived');
      const [open] = await ways.execute(sql`select count(*)::int as open from attempts where finished_at is null`);
      t.match(open, { open: 0 });
      second.kill('SIGTERM');
      t.equal(await second.ended, 0);
    },
  );
}
