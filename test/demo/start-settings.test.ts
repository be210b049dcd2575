import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { createTestDatabase } from '../support/postgres.ts';
import { machineEnvironment } from '../support/processes.ts';
import { platformKey } from '../support/service.ts';
import { until } from '../support/workers.ts';

// Two dozen processes, each of which starts in a second or two, and in ten on a busy machine.
t.setTimeout(600_000);

type Program = 'start' | 'server' | 'worker';
type Settings = Record<string, string>;

/** Long enough for a busy machine; one that still runs then is killed, which no test takes for an answer. */
const longestRunMs = 60_000;

/** Starts one of the service's programs with these settings and no others. It ends with the test at the latest. */
function run(t: Test, program: Program, settings: Settings) {
  const file = fileURLToPath(new URL(`../../src/${program}.ts`, import.meta.url));
  const child = spawn(process.execPath, [file], {
    env: { ...machineEnvironment(), PORT: '0', OPS_PORT: '0', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: longestRunMs,
    killSignal: 'SIGKILL',
  });
  const written = { out: '', error: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    written.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    written.error += chunk.toString();
  });
  let how: number | NodeJS.Signals | null = null;
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => {
      how = code ?? signal ?? -1;
      resolve(how);
    });
  });
  t.teardown(async () => {
    if (how === null) child.kill('SIGKILL');
    await ended;
  });
  return {
    written,
    ended,
    stop: () => child.kill('SIGTERM'),
    /** The first match in what it has written; fails when it ends before. */
    said: (pattern: RegExp) =>
      until(
        `${program} says ${pattern}`,
        () => {
          const found = pattern.exec(written.out);
          if (found === null && how !== null) throw new Error(`it ended with ${how}: ${written.out}${written.error}`);
          return found;
        },
        longestRunMs,
      ),
  };
}

/** It stops with exit code 1 and one line, which names the setting. */
async function refused(t: Test, name: string, running: ReturnType<typeof run>, pattern: RegExp) {
  t.equal(await running.ended, 1, `${name}: exit code`);
  t.match(running.written.error, pattern, `${name}: names what is wrong`);
  t.equal(running.written.error.trimEnd().split('\n').length, 1, `${name}: in one line`);
  t.equal(running.written.out, '', `${name}: nothing else`);
}

/** A folder that another user may walk through: root runs the embedded database as one. */
async function folderFor(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'notifications-start-'));
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  await chmod(folder, 0o755);
  return folder;
}

/** A port that somebody else listens on. */
async function takenPort(t: Test): Promise<string> {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => new Promise((resolve) => other.close(resolve)));
  return String((other.address() as AddressInfo).port);
}

/** Settings with which every program starts, on a database of its own. */
async function goodSettings(t: Test): Promise<Settings & { DATABASE_URL: string }> {
  const database = await createTestDatabase();
  t.teardown(() => database.drop());
  return {
    DATABASE_URL: database.url,
    SECRETS_KEY: randomBytes(32).toString('base64'),
    DATA_DIR: await folderFor(t),
  };
}

t.test('a port that is taken stops the start with one line that names its setting', async (t) => {
  const good = await goodSettings(t);
  const port = await takenPort(t);
  const cases: [Program, string][] = [
    ['start', 'PORT'],
    ['start', 'OPS_PORT'],
    ['server', 'PORT'],
    ['server', 'OPS_PORT'],
    ['worker', 'OPS_PORT'],
  ];
  for (const [program, setting] of cases) {
    const running = run(t, program, { ...good, [setting]: port });
    await refused(t, `${program} ${setting}`, running, new RegExp(`^Setting ${setting}: .*EADDRINUSE.*${port}\n$`));
  }
});

t.test('a setting that cannot be read stops the start before anything else, and is not shown', async (t) => {
  const good = await goodSettings(t);
  const short = randomBytes(31).toString('base64');
  const cases: [program: Program, setting: string, value: string, hidden: boolean][] = [
    ['start', 'PORT', 'eighty', false],
    ['server', 'PORT', '65536', false],
    ['start', 'OPS_PORT', '-1', false],
    ['start', 'DATABASE_URL', 'db.invalid/notifications-secret', true],
    ['server', 'DATABASE_URL', 'mysql://notifications:secret@127.0.0.1/notifications', true],
    ['server', 'DATABASE_URL', '', false],
    ['start', 'SECRETS_KEY', '', false],
    ['server', 'SECRETS_KEY', 'not-thirty-two-bytes', true],
    ['start', 'SECRETS_KEY', short, true],
    ['start', 'SECRETS_KEY', `${good.SECRETS_KEY},${short}`, true],
  ];
  for (const [program, setting, value, hidden] of cases) {
    const running = run(t, program, { ...good, [setting]: value });
    await refused(t, `${program} ${setting}=${value}`, running, new RegExp(`^Setting ${setting}: .+\n$`));
    if (hidden) t.notOk(running.written.error.includes(value), 'the value may be a secret');
  }
});

t.test('a database that cannot be used stops the start with one line that names DATABASE_URL', async (t) => {
  const good = await goodSettings(t);
  const changed = (change: (url: URL) => void) => {
    const url = new URL(good.DATABASE_URL);
    change(url);
    return url.href;
  };
  const closed = createServer();
  closed.listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const cases: Record<string, string> = {
    'nobody listens there': `postgres://notifications:wrong-secret@127.0.0.1:${port}/notifications`,
    'an unknown user': changed((url) => {
      url.username = 'absent';
      url.password = 'wrong-secret';
    }),
    'a database that is not there': changed((url) => {
      url.pathname = '/absent';
    }),
  };
  for (const [name, url] of Object.entries(cases)) {
    for (const program of ['start', 'server'] as const) {
      const running = run(t, program, { ...good, DATABASE_URL: url });
      await refused(t, `${program}: ${name}`, running, /^Setting DATABASE_URL: .+\n$/);
      t.notMatch(running.written.error, /wrong-secret/, 'the password is not shown');
    }
  }
});

t.test('a DATA_DIR that cannot be made stops the start with one line that names it', async (t) => {
  const folder = await folderFor(t);
  const file = join(folder, 'file');
  await writeFile(file, 'not a folder');
  for (const path of [file, join(file, 'below')]) {
    const running = run(t, 'start', { DATA_DIR: path });
    await refused(t, path, running, /^Setting DATA_DIR: E(EXIST|NOTDIR): .+\n$/);
  }
});

t.test('the embedded database: the key of the tenant demo is shown once, when it can be used', async (t) => {
  const DATA_DIR = await folderFor(t);
  const key = /^Key +(live_[\w-]+)/m;
  const url = /^API +(http:\/\/127\.0\.0\.1:\d+)$/m;
  const port = await takenPort(t);
  for (const setting of ['PORT', 'OPS_PORT']) {
    const failed = run(t, 'start', { DATA_DIR, [setting]: port });
    // Nothing on standard output: a key that is shown now would be of no use, and not shown again.
    await refused(t, `${setting} is taken`, failed, new RegExp(`^Setting ${setting}: .+\n$`));
  }

  const first = run(t, 'start', { DATA_DIR });
  const [, secret = ''] = await first.said(key);
  const [, api = ''] = await first.said(url);
  const tenantAt = async (address: string) => {
    const answer = await fetch(`${address}/v1/tenant`, { headers: { authorization: `Bearer ${secret}` } });
    return { status: answer.status, body: await answer.json() };
  };
  t.match(await tenantAt(api), { status: 200, body: { name: 'demo' } }, 'it listens when the key is shown');

  const second = run(t, 'start', { DATA_DIR });
  await refused(t, 'the folder is in use', second, /in use by process \d+: .*DATA_DIR\.\n$/);
  t.equal((await tenantAt(api)).status, 200, 'the first one goes on');
  first.stop();
  t.equal(await first.ended, 0);
  t.equal(first.written.out.match(/live_/g)?.length, 1, 'once');

  const again = run(t, 'start', { DATA_DIR });
  const [, next = ''] = await again.said(url);
  t.match(await tenantAt(next), { status: 200, body: { name: 'demo' } }, 'the key still opens it');
  again.stop();
  t.equal(await again.ended, 0);
  t.notMatch(again.written.out + again.written.error, /live_/, 'and is not shown again');
});

t.test('with a DATABASE_URL no tenant is made and no key is shown', async (t) => {
  const running = run(t, 'start', { ...(await goodSettings(t)), PLATFORM_KEY: platformKey });
  const [, api = ''] = await running.said(/^API +(\S+)$/m);
  const answer = await fetch(`${api}/v1/tenants`, { headers: { authorization: `Bearer ${platformKey}` } });
  t.same([answer.status, await answer.json()], [200, { items: [], nextCursor: null }]);
  running.stop();
  t.equal(await running.ended, 0);
  t.notMatch(running.written.out, /live_/);
});
