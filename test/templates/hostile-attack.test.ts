/**
 * Hostile templates against an API process of its own, by HTTP, several at once: each ends cleanly, the process lives,
 * and its event loop is never held up. `HOSTILE_ROUNDS=1` leaves no room for a busy machine.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { startWorkerProcess } from '../support/processes.ts';
import { startService } from '../support/service.ts';
import { ask, attack, type Target } from './hostile/attack.ts';
import { type HostileClass, hostileRows } from './hostile-template-rows.ts';

t.setTimeout(600_000);

const program = fileURLToPath(new URL('../../src/server.ts', import.meta.url));
const control = fileURLToPath(new URL('./hostile/control-process.ts', import.meta.url));
/** What is promised of the event loop, in milliseconds, where a process has the processor when it wants it. */
const delayLimitMs = 50;
/** The attack itself keeps two processors busy: beside it alone a process takes about so much longer for its work. */
const ownStretch = 2;
/** A machine that runs other tests holds up every process now and then: one round of so many must be good. */
const rounds = Number(process.env.HOSTILE_ROUNDS ?? 3);
const atOnce = 8;

/** An API process, the port where it tells its numbers, and a tenant with a sender. */
async function startTarget(t: Test) {
  const service = await startService(t);
  const sender = { key: 'office', fromAddress: 'office@courtage.example', isDefault: true };
  t.equal((await service.inject('POST', '/v1/senders', { body: sender })).status, 201);
  const settings = { PORT: '0', RENDER_THREADS: '2', REQUESTS_PER_MINUTE: '1000000', DEPLOYMENT: 'test' };
  const server = await startWorkerProcess(t, service, settings, [program]);
  const started = server.lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'server.listening');
  const target: Target = { url: started.url, key: service.tenant.key };
  /** Reads a number, and begins to measure anew: each scrape tells of the time since the one before. */
  const scrape = async (): Promise<(name: string) => number> => {
    const text = await (await fetch(`http://127.0.0.1:${started.opsPort}/metrics`)).text();
    return (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  };
  return { target, server, scrape };
}

/** How much longer than its work any process takes on this machine, since it was last asked: 1 where nobody disturbs it. */
function startControl(t: Test): () => Promise<number> {
  const child = fork(control, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  return async () => {
    child.send('how long?');
    const [{ stretch }] = (await once(child, 'message')) as [{ stretch: number | null }];
    return Math.max(1, stretch ?? 1);
  };
}

async function attackWithAll(target: Target, round: number): Promise<string[]> {
  const faults: string[] = [];
  const rows = hostileRows.entries();
  const attacker = async () => {
    for (const [index, row] of rows) {
      const found = await attack(target, row, `hostile-${round}-${index}`);
      faults.push(...found.map((fault) => `${row.class}, ${row.name}: ${fault}`));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, attacker));
  return faults;
}

t.test('the table has rows of every class, each with a name of its own', async (t) => {
  const classes: HostileClass[] = [
    'cpu',
    'memory',
    'output size',
    'prototype',
    'file',
    'filter',
    'recursion',
    'unicode',
  ];
  for (const name of classes) t.ok(hostileRows.filter((row) => row.class === name).length >= 8, name);
  t.equal(new Set(hostileRows.map(({ name }) => name)).size, hostileRows.length);
});

t.test('each hostile template ends cleanly, and the API is never held up', async (t) => {
  const { target, server, scrape } = await startTarget(t);
  const good = await ask(target, 'POST', '/v1/templates', { key: 'good', title: 'Good', channel: 'mail' });
  const path = `/v1/templates/${good.body.id}`;
  await ask(target, 'POST', `${path}/versions`, {
    subject: 'Avis',
    text: 'Bonjour {{ nom }}',
    html: '<p>{{ nom }}</p>',
  });
  const shown = () => ask(target, 'POST', `${path}/preview`, { data: { nom: 'Anne & fils' } });
  t.match(await shown(), { status: 200 });
  const stretchOf = startControl(t);
  const told: string[] = [];
  let met = false;
  for (let round = 1; round <= rounds && !met; round += 1) {
    await Promise.all([scrape(), stretchOf()]);
    t.same(await attackWithAll(target, round), [], `round ${round}`);
    const [read, stretch] = await Promise.all([scrape(), stretchOf()]);
    const delay = read('notifications_event_loop_delay_p99_seconds') * 1_000;
    const most = read('nodejs_eventloop_lag_max_seconds') * 1_000;
    told.push(`p99 ${delay.toFixed()} ms, most ${most.toFixed()} ms, others take ${stretch.toFixed(1)} times as long`);
    met = delay <= delayLimitMs * Math.max(1, stretch / ownStretch);
    t.match(await shown(), { status: 200, body: { text: 'Bonjour Anne & fils', html: '<p>Anne &amp; fils</p>' } });
  }
  for (const line of told) t.comment(line);
  t.ok(met, `the event-loop delay stays within ${delayLimitMs} ms (p99)`, { told });
  t.equal((await fetch(`${target.url}/health/live`)).status, 200);
  server.kill('SIGTERM');
  t.equal(await server.ended, 0, 'it stops as it should');
});
