/** One process at a time uses a folder of the embedded PostgreSQL: its owner mark says which. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const ownFolders = new Set<string>();

/**
 * Marks the folder as used by this process and returns the function that removes the mark.
 * The mark of a process that is gone (killed, machine restarted, number given to another process) is replaced.
 * Fails when a living process, this one included, uses the folder.
 */
export async function claimFolder(folder: string): Promise<() => Promise<void>> {
  const mark = join(folder, 'owner');
  const own = join(folder, `owner.${randomUUID()}`);
  if (ownFolders.has(folder)) throw inUse(folder, process.pid);
  ownFolders.add(folder);
  try {
    // Written aside and linked: a mark is never seen half written, and the first of two is the only one to succeed.
    await writeFile(own, identityOf(process.pid), { mode: 0o600 }).catch((cause: unknown) => {
      throw new Error(`${folder} cannot be written by this user: choose another DATA_DIR, or remove it.`, { cause });
    });
    while (!(await tryLink(own, mark))) await clearDeadMark(folder, mark);
  } catch (error) {
    ownFolders.delete(folder);
    throw error;
  } finally {
    await rm(own, { force: true });
  }
  return async () => {
    ownFolders.delete(folder);
    await rm(mark, { force: true });
  };
}

async function clearDeadMark(folder: string, mark: string): Promise<void> {
  const owner = await readFile(mark, 'utf8').catch(() => '');
  refuseLiving(folder, owner);
  const aside = `${mark}.${randomUUID()}`;
  const moved = await rename(mark, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  // Two processes that both saw the dead mark: the slower one may have moved the living mark of the faster one.
  const taken = await readFile(aside, 'utf8');
  if (taken !== owner) await tryLink(aside, mark);
  await rm(aside, { force: true });
  if (taken !== owner) refuseLiving(folder, taken);
}

function refuseLiving(folder: string, owner: string): void {
  const pid = Number.parseInt(owner, 10);
  // Our own number in an old mark: a container whose process has the same number at each start.
  if (Number.isInteger(pid) && pid !== process.pid && isAlive(pid) && identityOf(pid) === owner)
    throw inUse(folder, pid);
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function inUse(folder: string, pid: number): Error {
  return new Error(
    `The embedded PostgreSQL in ${folder} is in use by process ${pid}: stop it first, or choose another DATA_DIR.`,
  );
}

/** Whether a process with this number exists, of whichever user; one that has ended and waits for its parent does not count. */
export function isAlive(pid: number): boolean {
  if (statOf(pid)?.[0] === 'Z') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A process number and, on Linux, what tells it from a later process with the same number: boot and start time. */
export function identityOf(pid: number): string {
  const startedAt = statOf(pid)?.[19];
  if (startedAt === undefined) return `${pid}\n`;
  return `${pid} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${startedAt}\n`;
}

/** The fields of `/proc/<pid>/stat` after the name (which may hold anything): state first, start time twentieth. */
function statOf(pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ');
  } catch {
    return undefined;
  }
}
