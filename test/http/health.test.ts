import postgres from 'postgres';
import t from 'tap';
import { startOpsServer } from '../../src/http/ops.ts';
import { createMetrics } from '../../src/reports/metrics.ts';
import { startService } from '../support/service.ts';
import { makeNotices } from './notices.ts';

t.test('health needs no key; ready needs a database that is migrated', async (t) => {
  const service = await startService(t);
  const ask = (path: string) => service.inject('GET', path, { key: null });
  t.match(await ask('/health/live'), { status: 200, body: { status: 'ok' } });
  t.match(await ask('/health/ready'), { status: 200, body: { status: 'ok' } });
  const sql = postgres(service.databaseUrl, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end());
  // What a database of an older version is like.
  await sql`delete from drizzle.__drizzle_migrations
    where created_at = (select max(created_at) from drizzle.__drizzle_migrations)`;
  const unready = await ask('/health/ready');
  t.match(unready, { status: 503, body: { code: 'unavailable' } });
  t.match(unready.headers, { 'content-type': /^application\/problem\+json/ });
  t.match(await ask('/health/live'), { status: 200 });
});

t.test('the port of operations has metrics and health, for workers too', async (t) => {
  const service = await startService(t);
  const { runtime } = service;
  const metrics = createMetrics(runtime);
  const ops = await startOpsServer({ ...runtime, config: { ...runtime.config, opsPort: 0 } }, metrics);
  t.teardown(() => ops.close());
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${ops.port}${path}`);
    return { status: answer.status, type: answer.headers.get('content-type') ?? '', text: await answer.text() };
  };
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send(['anna@courriel.example', 'bruno@courriel.example']);
  await notices.act(id, 'validate');
  service.clock.advance(90_000);
  metrics.attemptFinished('accepted', 0.2);
  metrics.attemptFinished('accepted', 0.3);
  metrics.attemptFinished('transient', 40);

  const first = await ask('/metrics');
  t.match(first, { status: 200, type: /^text\/plain/ });
  for (const line of [
    'notifications_queue_depth{queue="dispatch.mail"} 0',
    'notifications_queue_depth{queue="operations"} 0',
    'notifications_messages_ready{priority="urgent"} 0',
    'notifications_messages_ready{priority="normal"} 1',
    'notifications_oldest_ready_age_seconds 90',
    'notifications_attempts_total{outcome="accepted"} 2',
    'notifications_attempts_total{outcome="transient"} 1',
    'notifications_send_duration_seconds_count 3',
  ]) {
    t.ok(first.text.includes(`${line}\n`), line);
  }
  t.match(first.text, /^notifications_event_loop_delay_p99_seconds [\d.e-]+$/m);
  t.match(first.text, /^process_resident_memory_bytes /m);
  t.notOk(first.text.includes('courriel.example'));
  t.match(await ask('/health/live'), { status: 200 });
  t.match(await ask('/health/ready'), { status: 200 });
  t.match(await ask('/nothing'), { status: 404 });
});

t.test(
  'without a database the process still tells its own numbers, and does not keep the scraper waiting',
  async (t) => {
    const service = await startService(t);
    const never = new Promise<never>(() => undefined);
    const stuck = { ...service.runtime, jobs: { ...service.runtime.jobs, depth: () => never } };
    const metrics = createMetrics(stuck);
    metrics.attemptFinished('accepted', 1);
    const startedAt = performance.now();
    t.match(await metrics.render(), /notifications_attempts_total\{outcome="accepted"\} 1/);
    t.ok(performance.now() - startedAt < 5_000);
  },
);

t.test('while the database takes nobody, live says yes and ready no; when it is back, so is the service', async (t) => {
  const service = await startService(t);
  const ask = (path: string) => service.inject('GET', path, { key: null });
  const name = new URL(service.databaseUrl).pathname.slice(1);
  const server = new URL(service.databaseUrl);
  server.pathname = '/postgres';
  const sql = postgres(server.href, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end());
  t.match(await ask('/health/ready'), { status: 200 });
  await sql`alter database ${sql(name)} with allow_connections false`;
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`;
  t.match(await ask('/health/ready'), { status: 503, body: { code: 'unavailable' } });
  t.match(await ask('/health/live'), { status: 200 });
  const refused = await service.inject('GET', '/v1/templates');
  t.ok(refused.status >= 500);
  t.notMatch(JSON.stringify(refused.body), /database|connection|postgres/i, 'nothing of the inside is shown');
  await sql`alter database ${sql(name)} with allow_connections true`;
  t.match(await ask('/health/ready'), { status: 200 });
  t.match(await service.inject('GET', '/v1/templates'), { status: 200 });
});
