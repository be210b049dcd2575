/** The data folder of the embedded PostgreSQL: made once by `initdb`, with a password of its own. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Place, RunAs } from './place.ts';

export interface Cluster extends Place {
  /** Of the superuser `postgres`; kept beside the cluster in `password`, mode 600. */
  password: string;
}

/** What the server's programs get as environment: nothing of ours, and messages in English for those who read the log. */
export const serverEnvironment = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' };

/**
 * Makes the cluster unless it exists: UTF-8, sorted by code point as every machine does it alike, password by SCRAM.
 * It is made aside and renamed when complete, so that a kill in the middle leaves nothing that looks like one.
 * `sync: false` saves half a second and is for tests. Fails when another major version made the cluster.
 */
export async function initialiseCluster(place: Place, options: { sync: boolean }): Promise<Cluster> {
  const passwordFile = join(place.folder, 'password');
  if (existsSync(place.cluster)) {
    await checkVersion(place);
    const password = await readFile(passwordFile, 'utf8').catch((cause: unknown) => {
      throw new Error(`The password of the embedded PostgreSQL cannot be read in ${passwordFile}.`, { cause });
    });
    return { ...place, password: password.trim() };
  }
  const password = randomBytes(24).toString('base64url');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  const fresh = `${place.cluster}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  const passwordForServer = join(fresh, '..', 'password.new');
  await rm(passwordForServer, { force: true });
  await writeFile(passwordForServer, `${password}\n`, { mode: 0o600 });
  if (place.runAs !== undefined) {
    await chown(fresh, place.runAs.uid, place.runAs.gid);
    await chown(passwordForServer, place.runAs.uid, place.runAs.gid);
  }
  try {
    await runInitdb(place, fresh, passwordForServer, options.sync);
  } finally {
    await rm(passwordForServer, { force: true });
  }
  await rename(fresh, place.cluster);
  return { ...place, password };
}

function runInitdb(place: Place, folder: string, passwordFile: string, sync: boolean): Promise<void> {
  const program = join(place.binaries, 'initdb');
  const flags = [
    `--pgdata=${folder}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    ...(sync ? [] : ['--no-sync']),
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(program, flags, {
      ...place.runAs,
      cwd: folder,
      env: serverEnvironment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.once('error', (cause) => reject(cannotRun(program, place.runAs, cause)));
    child.once('close', (code, signal) => {
      if (code === 0) return resolve();
      const said = output.trim().replaceAll(/\s*\n\s*/g, ' ');
      reject(new Error(`initdb could not make ${folder} (${signal ?? `code ${code}`}): ${said}`));
    });
  });
}

/** The one-line error for a program that could not be started at all. */
export function cannotRun(program: string, runAs: RunAs | undefined, cause: unknown): Error {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  if (runAs !== undefined && (code === 'EPERM' || code === 'EINVAL')) {
    return new Error(
      `PostgreSQL refuses to run as root and this process may not change to user ${runAs.uid} (${code}): start as a normal user, or set DATABASE_URL.`,
      { cause },
    );
  }
  return new Error(
    `${program} cannot be run (${code}): run "npm ci" again, or set DATABASE_URL to a PostgreSQL server.`,
    { cause },
  );
}

async function checkVersion(place: Place): Promise<void> {
  const made = await readFile(join(place.cluster, 'PG_VERSION'), 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'EACCES' ? 'belongs to another user' : 'is not a PostgreSQL data folder';
    throw new Error(`${place.cluster} ${reason}: choose another DATA_DIR, or remove it.`, { cause });
  });
  const program = join(place.binaries, 'postgres');
  const said = await new Promise<string>((resolve, reject) => {
    const child = spawn(program, ['--version'], {
      ...place.runAs,
      cwd: '/',
      env: serverEnvironment,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.once('error', (cause) => reject(cannotRun(program, place.runAs, cause)));
    child.once('close', () => resolve(output));
  });
  const ours = / (\d+)/.exec(said)?.[1];
  if (ours !== undefined && made.trim() !== ours) {
    throw new Error(
      `${place.cluster} was made by PostgreSQL ${made.trim()}, this is ${ours}: choose another DATA_DIR, or move the data with pg_dump.`,
    );
  }
}
