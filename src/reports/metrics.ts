import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import type { Db } from '../db/client.ts';
import { at } from '../db/rows.ts';
import { priorities } from '../messages/status.ts';
import type { JobQueue } from '../queue/boss.ts';
import { queues } from '../queue/queues.ts';

/** Numbers of one process for Prometheus. */
export interface Metrics {
  /** One attempt has ended with this outcome, after so many seconds where that is known. */
  attemptFinished(outcome: string, seconds: number | null): void;
  /** The exposition format; what is read from the database is at most five seconds old. */
  render(): Promise<string>;
  contentType: string;
}

type Deps = { db: Db; clock: Clock; jobs: JobQueue };

const cacheMs = 5_000;
/** How long a scrape waits for the database. */
const patienceMs = 2_000;
const secondsPerNanosecond = 1e-9;

async function readQueues(deps: Deps, depth: Gauge, waiting: Gauge, oldest: Gauge): Promise<void> {
  for (const { name } of queues) depth.set({ queue: name }, await deps.jobs.depth(deps.db, name));
  // What has its job waits for a worker still: a queue that nobody empties must show its age.
  const rows = await deps.db.execute<{ priority: number; ready: number; oldest: number | null }>(sql`
    select priority, count(*) filter (where dispatch_state = 'waiting' and release_at <= ${at(deps.clock.now())})::int as ready,
      extract(epoch from ${at(deps.clock.now())} - min(release_at))::float8 as oldest
    from messages where dispatch_state = 'waiting' or dispatch_state = 'queued' group by priority`);
  let age = 0;
  for (const [number, name] of priorities.entries()) {
    const row = [...rows].find(({ priority }) => priority === number);
    waiting.set({ priority: name }, row?.ready ?? 0);
    age = Math.max(age, row?.oldest ?? 0);
  }
  oldest.set(age);
}

function watchEventLoop(registry: Registry): void {
  const loop = monitorEventLoopDelay({ resolution: 10 });
  loop.enable();
  new Gauge({
    name: 'notifications_event_loop_delay_p99_seconds',
    help: '99th percentile of the event-loop delay since the last scrape',
    registers: [registry],
    collect() {
      this.set(loop.percentile(99) * secondsPerNanosecond);
      loop.reset();
    },
  });
}

/** Makes the metrics of a process, in a registry of their own. */
export function createMetrics(deps: Deps): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 10 });
  const depth = new Gauge({
    name: 'notifications_queue_depth',
    help: 'Jobs waiting for a worker',
    labelNames: ['queue'],
    registers,
  });
  const waiting = new Gauge({
    name: 'notifications_messages_ready',
    help: 'Validated messages whose time has come and that have no job yet',
    labelNames: ['priority'],
    registers,
  });
  const oldest = new Gauge({
    name: 'notifications_oldest_ready_age_seconds',
    help: 'How long the oldest message whose time has come has been waiting',
    registers,
  });
  const outcomes = new Counter({
    name: 'notifications_attempts_total',
    help: 'Attempts that ended, by outcome',
    labelNames: ['outcome'],
    registers,
  });
  const latency = new Histogram({
    name: 'notifications_send_duration_seconds',
    help: 'Duration of handing a message over, copies included',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  watchEventLoop(registry);
  let readAt = Number.NEGATIVE_INFINITY;
  return {
    contentType: registry.contentType,
    attemptFinished(outcome, seconds) {
      outcomes.inc({ outcome });
      if (seconds !== null) latency.observe(seconds);
    },
    async render() {
      if (performance.now() - readAt > cacheMs) {
        // A database that is away or stuck must not take the process's own numbers with it.
        const read = readQueues(deps, depth, waiting, oldest).catch(() => undefined);
        const late = new AbortController();
        await Promise.race([read, delay(patienceMs, undefined, late).catch(() => undefined)]);
        late.abort();
        readAt = performance.now();
      }
      return registry.metrics();
    },
  };
}
