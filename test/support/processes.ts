/** Worker processes, to be killed and stopped as an operator or a machine would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { TestService } from './service.ts';

/** A worker in a process of its own. */
export interface WorkerProcess {
  pid: number;
  /** Its log lines that could be read so far. */
  lines: string[];
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): void;
  /** How it ended: its exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>;
}

/**
 * What a process of the service needs of a machine, and none of its settings. With Node's options, by which the tests start
 * their processes in half the time (`module-cache.ts`).
 */
export function machineEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, NODE_OPTIONS } = process.env;
  return { PATH, HOME, TMPDIR, NODE_OPTIONS };
}

function environmentOf({ runtime, databaseUrl, directory }: TestService, changes: Record<string, string>) {
  return {
    ...machineEnvironment(),
    DATABASE_URL: databaseUrl,
    DATA_DIR: directory,
    SECRETS_KEY: runtime.config.secretsKeys.join(','),
    DEPLOYMENT: 'production',
    SMTP_ALLOWED_NETWORKS: '127.0.0.0/8',
    OPS_PORT: '0',
    LOG_LEVEL: 'info',
    RENDER_THREADS: '1',
    ...changes,
  };
}

/**
 * Starts `node src/worker.ts` on the service's database and waits until it works. Killed with the test.
 * @param script another program that says the same when it works, with its arguments.
 */
export async function startWorkerProcess(
  t: { teardown(fn: () => unknown): void },
  service: TestService,
  changes: Record<string, string> = {},
  script: readonly string[] = [fileURLToPath(new URL('../../src/worker.ts', import.meta.url))],
): Promise<WorkerProcess> {
  const child: ChildProcess = spawn(process.execPath, [...script], {
    env: environmentOf(service, changes),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const started = Promise.withResolvers<void>();
  const keep = (line: string) => {
    lines.push(line);
    if (/"(worker\.started|server\.listening)"/.test(line)) started.resolve();
  };
  for (const stream of [child.stdout, child.stderr]) if (stream) createInterface({ input: stream }).on('line', keep);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? -1));
  });
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  await Promise.race([
    started.promise,
    ended.then((how) => {
      throw new Error(`the worker ended with ${how}: ${lines.slice(-5).join('\n')}`);
    }),
  ]);
  return { pid: child.pid ?? 0, lines, kill: (signal) => void child.kill(signal), ended };
}
