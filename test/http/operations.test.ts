import t from 'tap';
import { runOperations } from '../../src/operations/run.ts';
import type { ClaimedJob } from '../../src/queue/boss.ts';
import { startService, type TestService } from '../support/service.ts';
import { makeNotices } from './notices.ts';

t.setTimeout(600_000);

const addresses = (count: number) => Array.from({ length: count }, (_, index) => `client-${index}@courriel.example`);

async function counts(service: TestService): Promise<Record<string, number>> {
  const { items } = (await service.inject('GET', '/v1/send-requests')).body;
  return items[0].counts;
}

t.test('a filter that matches more than 1,000 becomes an operation, and ends with its counts', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeNotices(service, { outbox: false });
  const ids = await notices.send([...addresses(1_200), 'pas une adresse']);
  const body = { filter: { template: 'avis' }, reason: 'Édition' };
  const headers = { 'idempotency-key': 'validate-all', 'on-behalf-of': 'mmartin' };
  const accepted = await inject('POST', '/v1/messages/validate', { body, headers });
  t.match(accepted, { status: 202, body: { operation: String, status: 'queued' } });
  const path = `/v1/operations/${accepted.body.operation}`;
  t.equal(accepted.headers.location, path);
  t.match((await inject('GET', path)).body, {
    kind: 'validate',
    status: 'queued',
    total: 1_200,
    done: 0,
    finishedAt: null,
  });
  t.match(await counts(service), { E: 1_200, V: 0, KO: 1 }, 'nothing is done before a worker does it');

  // Made after the order: not part of it.
  service.clock.advance(1_000);
  await notices.send(['later@courriel.example']);
  // A person is newer than the order: neither of these is validated over what they did.
  t.equal((await notices.act(ids[1_100] ?? '', 'block')).status, 200);
  t.equal((await notices.correct(ids[1_101] ?? '', { subject: 'Autre' })).status, 200);

  await service.work();
  const finished = (await inject('GET', path)).body;
  t.match(finished, {
    status: 'done',
    total: 1_200,
    // The blocked one is not in `E` any more: the order is not about it.
    done: 1_199,
    succeeded: 1_198,
    refusedCount: 1,
    finishedAt: String,
  });
  t.match(finished.refused, [{ id: ids[1_101], code: 'precondition_failed', status: 'E' }]);
  t.match((await inject('GET', `/v1/messages/${ids[1_100]}`)).body, { status: 'B' });
  t.equal((await inject('GET', '/v1/messages?status=V&limit=1')).body.items.length, 1);
  const moves = (await inject('GET', `/v1/messages/${ids[0]}/transitions`)).body.items;
  t.match(moves[1], { from: 'E', to: 'V', remark: 'Édition', actor: { kind: 'key', user: 'mmartin' } });
  const again = await inject('POST', '/v1/messages/validate', { body, headers });
  t.match(again, { status: 202, body: accepted.body, headers: { 'idempotency-replayed': 'true' } });
  const events = [];
  for (let after = 0; ; ) {
    const page = (await inject('GET', `/v1/events?after=${after}&limit=250`)).body.items;
    if (page.length === 0) break;
    events.push(...page);
    after = page.at(-1).sequence;
  }
  t.match(
    events.filter(({ type }) => type === 'operation.finished'),
    [{ resourceId: finished.id, data: { kind: 'validate', status: 'done', succeeded: 1_198, refused: 1 } }],
  );
});

t.test('a worker that dies leaves an operation to another, which goes on from the last step', async (t) => {
  const service = await startService(t);
  const { inject, runtime } = service;
  const notices = await makeNotices(service, { outbox: false });
  await notices.send(addresses(2_600));
  const { body } = await inject('POST', '/v1/messages/block', { body: { filter: { template: 'avis' } } });
  const read = async () => (await inject('GET', `/v1/operations/${body.operation}`)).body;

  let claimed: ClaimedJob<unknown>[] = [];
  const dying = {
    ...runtime.jobs,
    async fetch<Data extends object>(...ask: Parameters<typeof runtime.jobs.fetch>) {
      const jobs = await runtime.jobs.fetch<Data>(...ask);
      claimed = jobs;
      return jobs;
    },
    touch: async () => {
      throw new Error('killed');
    },
  };
  await t.rejects(runOperations({ ...runtime, jobs: dying }), { message: 'killed' });
  t.match(await read(), { status: 'running', done: 1_000, succeeded: 1_000, refusedCount: 0 });

  // Both the worker that was thought dead and its successor work on it: each step is done once.
  const held = { ...runtime.jobs, fetch: async () => claimed as never };
  await Promise.all([runOperations({ ...runtime, jobs: held }), runOperations({ ...runtime, jobs: held })]);
  t.match(await read(), { status: 'done', done: 2_600, succeeded: 2_600, refusedCount: 0 });
  t.match(await counts(service), { created: 2_600, B: 2_600 });
  t.equal(await runtime.jobs.depth(runtime.db, 'operations'), 0);
  await service.work();
  const { last } = (await inject('GET', '/v1/events')).body;
  const tail = (await inject('GET', `/v1/events?after=${last - 3}`)).body.items;
  t.equal(tail.filter(({ type }: { type: string }) => type === 'operation.finished').length, 1, 'told once');
});

t.test('an operation that faults at every claim is given up, and tells so', async (t) => {
  const service = await startService(t);
  const { inject, runtime } = service;
  const notices = await makeNotices(service, { outbox: false });
  await notices.send(addresses(1_001));
  const { body } = await inject('POST', '/v1/messages/validate', { body: { filter: { template: 'avis' } } });
  const [job] = await runtime.db.transaction((tx) => runtime.jobs.fetch<object>(tx, 'operations', 1));
  const fifth = { ...job, retryCount: 4 };
  let calls = 0;
  const faulty = () => {
    calls += 1;
    if (calls === 1) throw new Error('a bug');
    return '019c0000-0000-7000-8000-0000000000ff';
  };
  const deps = { ...runtime, newId: faulty, jobs: { ...runtime.jobs, fetch: async () => [fifth] as never } };
  t.equal(await runOperations(deps), 1);
  t.match((await inject('GET', `/v1/operations/${body.operation}`)).body, { status: 'failed', done: 0, succeeded: 0 });
  t.match(await counts(service), { E: 1_001 });
});

t.test('an operation of another tenant, or of a live key for a test key, is not found', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service, { outbox: false });
  await notices.send(addresses(1_001));
  const { body } = await service.inject('POST', '/v1/messages/block', { body: { filter: { template: 'avis' } } });
  const other = await service.addTenant('Autre');
  for (const key of [other.key, service.tenant.testKey]) {
    t.equal((await service.inject('GET', `/v1/operations/${body.operation}`, { key })).status, 404);
  }
  t.equal((await service.inject('GET', `/v1/exports/${body.operation}`)).status, 404, 'it is no export');
});
