/** The running server: started as a process of its own, watched, and stopped by its own number. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { type Cluster, cannotRun, serverEnvironment } from './cluster.ts';
import { isAlive } from './owner.ts';

export interface Postmaster {
  stop(): Promise<void>;
}

export interface PostmasterOptions {
  port: number;
  settings: Record<string, string>;
  onLog(line: string): void;
  onCrash(reason: string): void;
}

/** The server ended before it was ready. */
export class PostmasterEnded extends Error {
  readonly portTaken: boolean;
  constructor(message: string, portTaken: boolean) {
    super(message);
    this.name = 'PostmasterEnded';
    this.portTaken = portTaken;
  }
}

const readyWithinMs = 120_000;
const pollMs = 20;

/** Starts the server and resolves when it accepts connections: at once, or after it has recovered from a crash (120 s at most). */
export async function spawnPostmaster(cluster: Cluster, options: PostmasterOptions): Promise<Postmaster> {
  const program = join(cluster.binaries, 'postgres');
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(options.port),
    // No socket file: its path may be too long (107 bytes), and TCP on the loopback is enough.
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  // A session of its own: Ctrl-C in a terminal must reach the service only, which stops the server when it has drained.
  const child = spawn(program, ['-D', cluster.cluster, ...flags], {
    ...cluster.runAs,
    cwd: cluster.cluster,
    env: serverEnvironment,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const ended = exitOf(child);
  const lastLines: string[] = [];
  readLog(child, (line) => {
    lastLines.push(line);
    if (lastLines.length > 20) lastLines.shift();
    options.onLog(line);
  });
  await spawned(child).catch((cause: unknown) => {
    throw cannotRun(program, cluster.runAs, cause);
  });
  const dismissWatchdog = startWatchdog(child.pid as number);
  const state = { stopping: false };
  const stop = async () => {
    state.stopping = true;
    child.ref();
    await stopProcess(child.pid as number);
    await ended;
    dismissWatchdog();
  };
  try {
    await ready(cluster, child, ended, lastLines);
  } catch (error) {
    await stop();
    throw error;
  }
  child.unref();
  void ended.then((how) => {
    dismissWatchdog();
    if (state.stopping) return;
    const reason = `The embedded PostgreSQL ended by itself (${how}).`;
    options.onLog(reason);
    options.onCrash(reason);
  });
  return { stop };
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
  });
}

function readLog(child: ChildProcess, onLine: (line: string) => void): void {
  if (child.stderr === null) return;
  createInterface({ input: child.stderr }).on('line', onLine);
  // The pipe is a socket: as an open handle it would keep a finished process alive.
  (child.stderr as unknown as { unref?(): void }).unref?.();
}

/** `postmaster.pid` ends with the server's state, which `pg_ctl` waits for too: it does not depend on the log's language. */
async function ready(
  cluster: Cluster,
  child: ChildProcess,
  ended: Promise<string>,
  lastLines: string[],
): Promise<void> {
  let how: string | undefined;
  void ended.then((value) => {
    how = value;
  });
  const deadline = Date.now() + readyWithinMs;
  while (Date.now() < deadline) {
    if (how !== undefined) {
      const said = lastLines.filter((line) => /FATAL|ERROR|HINT|error/.test(line)).join(' ') || lastLines.join(' ');
      throw new PostmasterEnded(
        `The embedded PostgreSQL did not start (${how}): ${said}`,
        /Address already in use|could not bind/.test(lastLines.join(' ')),
      );
    }
    const lines = (await readFile(join(cluster.cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready') return;
    await wait(pollMs);
  }
  throw new PostmasterEnded(
    `The embedded PostgreSQL was not ready after ${readyWithinMs / 1000} s: ${lastLines.join(' ')}`,
    false,
  );
}

/**
 * A shell that waits for our end of a pipe to close, which the kernel does however this process ends, and then asks
 * the server to stop. Without it a SIGKILL of the service would leave a server behind.
 */
function startWatchdog(pid: number): () => void {
  const script = 'read -r word; [ "$word" = done ] || kill -INT "$0"';
  const watchdog = spawn('/bin/sh', ['-c', script, String(pid)], {
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watchdog.on('error', () => {});
  watchdog.stdin.on('error', () => {});
  watchdog.unref();
  (watchdog.stdin as unknown as { unref?(): void }).unref?.();
  return () => {
    watchdog.stdin.end('done\n');
  };
}

/** SIGINT ends sessions and writes a checkpoint; SIGQUIT ends at once and costs a recovery at the next start. */
async function stopProcess(pid: number): Promise<void> {
  for (const [signal, patienceMs] of [
    ['SIGINT', 15_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    if (!isAlive(pid)) return;
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await wait(pollMs)) {
      if (!isAlive(pid)) return;
    }
  }
}

/**
 * Stops what a killed service has left running on this cluster, and waits until its last process is gone.
 * On Linux processes are recognised by their working folder, so a number given to another program is never signalled,
 * and a `postmaster.pid` without any such process is removed. Elsewhere only PostgreSQL's own check protects the folder.
 */
export async function stopLeftover(cluster: string): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  const content = await readFile(pidFile, 'utf8').catch(() => '');
  if (content === '' || process.platform !== 'linux') return;
  const pid = Number.parseInt(content, 10);
  if (processesIn(cluster).includes(pid)) await stopProcess(pid);
  for (const deadline = Date.now() + 10_000; processesIn(cluster).length > 0; await wait(pollMs)) {
    if (Date.now() > deadline) {
      throw new Error(
        `A PostgreSQL left on ${cluster} does not end (process ${processesIn(cluster).join(', ')}): stop it first.`,
      );
    }
  }
  await rm(pidFile, { force: true });
}

function processesIn(cluster: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return (
          readlinkSync(`/proc/${pid}/cwd`) === cluster &&
          readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres')
        );
      } catch {
        return false;
      }
    });
}
