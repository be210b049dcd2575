/** The demo: starts the service, posts an edition run of premium notices, validates it, and shows what became of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createProgressDisplay } from '../tools/progress.ts';
import type { Counts, MessageItem, Page, SendRequestAnswer } from './api-types.ts';
import { type ApiClient, createApiClient } from './client.ts';
import { editionRun, minimumCount, type NoticeRow } from './edition-run.ts';
import { postSendRequest, uploadNotices, writeRecipients } from './post-edition.ts';
import { countsTable, messagesTable, reasonsTable, refusedTable, surprises } from './report.ts';
import { type DemoService, startDemoService } from './service.ts';
import { setUpTenant } from './setup.ts';

/** Most rows of one send request. */
const maximumCount = 10_000;
const shownMessages = 12;
const pollEveryMs = 250;

function parsed() {
  try {
    return parseArgs({
      options: { exit: { type: 'boolean', default: false }, count: { type: 'string', default: '500' } },
    }).values;
  } catch (error) {
    console.error(`${(error as Error).message.split('.')[0]}. The options are --exit and --count <number>.`);
    return process.exit(2);
  }
}

function readOptions(): { exit: boolean; count: number } {
  const values = parsed();
  const count = Number(values.count);
  if (!Number.isInteger(count) || count < minimumCount || count > maximumCount) {
    console.error(`--count must be a whole number from ${minimumCount} to ${maximumCount}`);
    process.exit(2);
  }
  return { exit: values.exit, count };
}

/** Does one step and says how long it took. */
async function step<Result>(label: string, work: () => Promise<Result>): Promise<Result> {
  const startedAt = performance.now();
  const result = await work();
  console.log(`• ${label} (${((performance.now() - startedAt) / 1_000).toFixed(1)} s)`);
  return result;
}

const messagesPath = (sendRequestId: string, status: string, limit: number) =>
  `/v1/messages?sendRequest=${sendRequestId}&status=${status}&limit=${limit}`;

async function post(client: ApiClient, rows: readonly NoticeRow[]): Promise<SendRequestAnswer> {
  const run = `AE-${new Date()
    .toISOString()
    .replaceAll(/[-:.Z]/g, '')
    .replace('T', '-')}`;
  await step('sender, notification type « AE par mail », template « avis-echeance »', () => setUpTenant(client));
  await step(`${rows.length} rows: clients written with their address and their « AE par mail » box`, () =>
    writeRecipients(client, rows),
  );
  const { documents } = await step('PDF notices made and uploaded', () => uploadNotices(client, rows));
  const answer = await step(`edition run ${run} posted as one send request`, () =>
    postSendRequest(client, rows, documents, run),
  );
  console.log(
    `\nNot every row can leave. The good ones were accepted, these came back:\n${refusedTable(rows, answer)}`,
  );
  return answer;
}

async function validate(client: ApiClient, answer: SendRequestAnswer): Promise<void> {
  const waiting = await client.get<Page<MessageItem>>(messagesPath(answer.id, 'E', shownMessages));
  console.log(`\nWaiting in E for a person (${waiting.items.length} of ${answer.counts.E}, the newest first):`);
  console.log(messagesTable(waiting.items));
  console.log(countsTable(answer.counts));
  console.log('');
  await step('all of them validated, by filter', () =>
    client.post('/v1/messages/validate', { filter: { sendRequest: answer.id, status: ['E'] } }),
  );
}

/** Polls until nothing waits any more, for 120 s at most (more for runs beyond 1,200 rows). Answers the last counts. */
async function watch(client: ApiClient, sendRequestId: string, total: number): Promise<Counts> {
  const deadline = performance.now() + Math.max(120_000, total * 100);
  const display = createProgressDisplay('leaving', total);
  try {
    for (;;) {
      const { counts } = await client.get<{ counts: Counts }>(`/v1/send-requests/${sendRequestId}`);
      display.show(Math.min(counts.OK, total));
      if (counts.E + counts.V === 0 || performance.now() > deadline) return counts;
      await sleep(pollEveryMs);
    }
  } finally {
    display.stop();
  }
}

async function showEnd(client: ApiClient, service: DemoService, sendRequestId: string, counts: Counts): Promise<void> {
  const stopped = await Promise.all(
    ['KO', 'B'].map((status) => client.get<Page<MessageItem>>(messagesPath(sendRequestId, status, 100))),
  );
  console.log(`\n${countsTable(counts)}\n\nWhy some did not leave:`);
  console.log(reasonsTable(stopped.flatMap(({ items }) => items)));
  console.log(`
The mails are files   ${service.outboxDirectory}/mail/*.eml
Read and try the API  ${service.url}/docs
Metrics               ${service.opsUrl}/metrics
A key to go on with   ${service.key}   (tenant ${service.tenantName})

The journal of what failed (W12):
  curl -H 'Authorization: Bearer ${service.key}' '${service.url}${messagesPath(sendRequestId, 'KO', 10)}'
`);
}

/** What is wrong with the end of the run, as readable lines. */
function faultsOf(rows: readonly NoticeRow[], answer: SendRequestAnswer, counts: Counts): string[] {
  const expectedOk = rows.filter((row) => row.expected === 'E').length;
  const sum = counts.E + counts.V + counts.OK + counts.KO + counts.B;
  return [
    ...surprises(rows, answer).slice(0, 20),
    ...(counts.created === sum ? [] : [`created ${counts.created}, but the statuses add up to ${sum}`]),
    ...(counts.OK === expectedOk ? [] : [`${counts.OK} messages are OK, ${expectedOk} were expected`]),
  ];
}

/** Runs the whole edition; answers whether all ended as expected. */
async function runEdition(service: DemoService, count: number): Promise<boolean> {
  const client = createApiClient(service.url, service.key);
  const rows = editionRun({ count });
  const answer = await post(client, rows);
  await validate(client, answer);
  const counts = await watch(client, answer.id, rows.filter((row) => row.expected === 'E').length);
  await showEnd(client, service, answer.id, counts);
  const faults = faultsOf(rows, answer, counts);
  for (const fault of faults) console.error(`✗ ${fault}`);
  return faults.length === 0;
}

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

/** Runs the edition and waits as asked; answers the exit code. A stop that is asked for is no failure. */
async function runUntilStopped(service: DemoService, count: number, exit: boolean): Promise<number> {
  const stopAsked = untilStopped();
  const finished = runEdition(service, count);
  // Told below, unless a stop came first: then a run that breaks off is expected.
  finished.catch(() => undefined);
  const complete = await Promise.race([finished, stopAsked.then(() => null)]);
  if (complete === null) return 0;
  if (exit) {
    console.log('The service stops now: `npm start` starts it again, on the same data.');
    return complete ? 0 : 1;
  }
  console.log('The service stays up. Ctrl+C stops it.');
  await stopAsked;
  return 0;
}

async function main(): Promise<number> {
  const { exit, count } = readOptions();
  let service: DemoService | null = null;
  try {
    service = await step('service started (API, worker, database)', startDemoService);
    return await runUntilStopped(service, count, exit);
  } catch (error) {
    console.error(`✗ ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    await service?.stop();
  }
}

// Explicit: a poll of an interrupted run must not keep the process alive.
process.exit(await main());
