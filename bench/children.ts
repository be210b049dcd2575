/** The processes of a bench: the sink, workers, the bare pool. Each is ended by its own id with the bench. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { BareApiOrder } from './bare-api-process.ts';
import type { SinkOrder, SinkReport } from './sink-process.ts';

/** Something to be ended. */
export interface Ended {
  end(): Promise<void>;
}

const pathOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));

async function endChild(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

/** A program of the bench that answers messages one after another. */
async function ask<Reply>(child: ChildProcess, message: object): Promise<Reply> {
  const settled = new AbortController();
  const { signal } = settled;
  const reply = once(child, 'message', { signal });
  const ended = once(child, 'exit', { signal }).then(() => {
    throw new Error('a process of the bench ended');
  });
  // The one that lost is aborted below.
  for (const one of [reply, ended]) one.catch(() => undefined);
  child.send(message);
  try {
    const [answer] = await Promise.race([reply, ended]);
    return answer as Reply;
  } finally {
    settled.abort();
  }
}

/** The SMTP sink of a bench. */
export interface Sink extends Ended {
  port: number;
  /** Forgets what came, and answers each mail after this delay from now on. */
  reset(delayMs: number): Promise<void>;
  report(): Promise<SinkReport>;
}

/** Starts a sink on a port of its own. */
export async function startSink(): Promise<Sink> {
  const child = fork(pathOf('sink-process.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return {
    port,
    async reset(delayMs) {
      await ask(child, { kind: 'reset', delayMs } satisfies SinkOrder);
    },
    report: () => ask<SinkReport>(child, { kind: 'report' } satisfies SinkOrder),
    end: () => endChild(child, 'SIGKILL'),
  };
}

/** A program of the service, as an operator starts it: its log goes to a file. */
export interface Program extends Ended {
  /** Most memory it has had so far, in bytes. */
  peakMemory(): number;
  /** What it has now, in bytes. */
  memory(): number;
  /** The last value of a field of its log lines. */
  logged(field: string): string | null;
}

/** What Node itself is told about a program by `npm run`. */
function nodeFlags(program: 'worker' | 'server'): string[] {
  const { scripts } = JSON.parse(readFileSync(pathOf('../package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  return (scripts[program] ?? '').split(' ').filter((word) => word.startsWith('--'));
}

/** Starts `src/worker.ts` or `src/server.ts` and waits until it works. With `profile`, a CPU profile is written there. */
export async function startProgram(
  program: 'worker' | 'server',
  environment: Record<string, string>,
  options: { logFile: string; profile?: string },
): Promise<Program> {
  const profile = options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`];
  const log = openSync(options.logFile, 'w');
  const { PATH, HOME, NODE_OPTIONS } = process.env;
  const child = spawn(process.execPath, [...nodeFlags(program), ...profile, pathOf(`../src/${program}.ts`)], {
    // The tests run the benches with options of their own, by which processes start in half the time.
    env: { PATH, HOME, NODE_OPTIONS, ...environment },
    stdio: ['ignore', log, 'inherit'],
  });
  closeSync(log);
  const lines = () => readFileSync(options.logFile, 'utf8').split('\n');
  const errors = () => lines().filter((line) => /"level":(50|60)/.test(line));
  const ready = `"${program}.${program === 'worker' ? 'started' : 'listening'}"`;
  for (let turn = 0; !lines().some((line) => line.includes(ready)); turn += 1) {
    if (child.exitCode !== null || turn > 600) throw new Error(`the ${program} did not start: ${errors()[0] ?? ''}`);
    await wait(50);
  }
  const bytesOf = (field: string) => {
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    const [, kilobytes = '0'] = new RegExp(`${field}:\\s+(\\d+) kB`).exec(status) ?? [];
    return Number(kilobytes) * 1_024;
  };
  return {
    peakMemory: () => bytesOf('VmHWM'),
    memory: () => bytesOf('VmRSS'),
    logged(field) {
      const found = lines().findLast((line) => line.includes(`"${field}":`));
      return found === undefined ? null : String((JSON.parse(found) as Record<string, unknown>)[field]);
    },
    async end() {
      await endChild(child, 'SIGTERM');
      const [first] = errors();
      if (first !== undefined) throw new Error(`the ${program} logged an error: ${first}`);
    },
  };
}

/** What the bare pool is told: everything that the service is given too. */
export interface PoolOrder {
  port: number;
  connections: number;
  count: number;
}

/** The bare nodemailer pool: the other side of the dispatch benches. */
export interface BarePool extends Ended {
  /** Sends the mails of `count` recipients. @returns milliseconds. */
  send(order: PoolOrder): Promise<number>;
}

/** Starts it, with its templates parsed and its modules loaded. */
export async function startBarePool(): Promise<BarePool> {
  const child = fork(pathOf('pool-process.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await once(child, 'message');
  return {
    send: async (order) => (await ask<{ milliseconds: number }>(child, order)).milliseconds,
    end: () => endChild(child, 'SIGKILL'),
  };
}

/** The bare route: the other side of `single`. */
export interface BareApi extends Ended {
  url: string;
}

/** Starts it. */
export async function startBareApi(order: BareApiOrder): Promise<BareApi> {
  const child = fork(pathOf('bare-api-process.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const { url } = await ask<{ url: string }>(child, order);
  return { url, end: () => endChild(child, 'SIGKILL') };
}
