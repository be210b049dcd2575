/** The `outbox` driver: messages become files instead of leaving. For trying out, and for test deployments. */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import Type, { type Static } from 'typebox';
import type {
  ChannelDriver,
  DriverDefinition,
  DriverEnvironment,
  Handover,
  Outcome,
  ProviderAnswer,
} from './channel.ts';
import { parseAddrSpec } from './mail/addr-spec.ts';

const Settings = Type.Object(
  {
    folder: Type.Optional(
      Type.String({ pattern: '^[a-z0-9-]{1,40}$', default: 'mail', description: 'Folder inside the outbox.' }),
    ),
  },
  { additionalProperties: false },
);

const SAFE = /[A-Za-z0-9@._+-]/;
const PART_LIMIT = 120;

/** Files in `<outboxDirectory>/<folder>/<messageId>--<recipient>.eml`, bytes as they are. */
export const outboxDriver: DriverDefinition = {
  id: 'outbox',
  channel: 'mail',
  reachesPeople: false,
  settings: Settings,
  secrets: Type.Object({}, { additionalProperties: false }),
  create: (settings, _secrets, environment) => createOutboxDriver(settings as Static<typeof Settings>, environment),
};

function createOutboxDriver(settings: Static<typeof Settings>, environment: DriverEnvironment): ChannelDriver {
  const directory = join(environment.outboxDirectory, settings.folder ?? 'mail');
  let serial = 0;

  const deliver = async (handover: Handover): Promise<Outcome> => {
    const to = parseAddrSpec(handover.to);
    if (to.kind === 'invalid')
      return { kind: 'permanent', answer: answer('prepare'), reason: 'address_invalid', suppressAddress: false };
    const name = `${fileSafe(handover.messageId)}--${fileSafe(to.normalized)}.eml`;
    serial += 1;
    try {
      await writeWhole(directory, name, `${process.pid}-${serial}`, handover.raw);
      return { kind: 'accepted', answer: answer('accepted'), providerReference: name };
    } catch {
      return unwritable();
    }
  };
  const verify = async (): Promise<Outcome> => {
    serial += 1;
    const probe = join(directory, `.probe-${process.pid}-${serial}`);
    try {
      await mkdir(directory, { recursive: true });
      await (await open(probe, 'w')).close();
      await rm(probe);
      return { kind: 'accepted', answer: answer('accepted'), providerReference: null };
    } catch {
      return unwritable();
    }
  };
  return { deliver, verify, close: async () => {} };
}

/** Whoever reads the folder sees a whole file or none: written under another name, then renamed. */
async function writeWhole(directory: string, name: string, unique: string, pieces: Handover['raw']): Promise<void> {
  await mkdir(directory, { recursive: true });
  const temporary = join(directory, `.${unique}.tmp`);
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(pieces);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(directory, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A name no file system objects to: other characters become `%xx`; what is long ends in a hash instead. */
function fileSafe(text: string): string {
  const safe = [...Buffer.from(text)]
    .map((byte) =>
      SAFE.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`,
    )
    .join('');
  const visible = safe.replace(/^\.+/, (dots) => '%2e'.repeat(dots.length));
  // 255 bytes is the usual limit of a name, and two of these share one.
  return visible.length <= PART_LIMIT
    ? visible
    : `${visible.slice(0, PART_LIMIT - 33)}-${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}

function unwritable(): Outcome {
  return { kind: 'transient', answer: answer('prepare'), reason: 'outbox_unwritable', retryAfterSeconds: null };
}

function answer(step: ProviderAnswer['step']): ProviderAnswer {
  return { step, code: null, enhancedCode: null, text: null };
}

/** A file that was being written this long ago is of a process that was killed. */
const abandonedMs = 60 * 60 * 1_000;
const filesPerQuestion = 500;
const messageFile = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})--/;

/**
 * Removes the files of messages whose content was erased, from every folder of this machine's outbox, and what a killed
 * process left half written.
 * @param erasedOf which of these messages (by id) must leave nothing.
 * @returns how many files are gone.
 */
export async function removeErasedFiles(
  outboxDirectory: string,
  erasedOf: (messageIds: readonly string[]) => Promise<ReadonlySet<string>>,
): Promise<number> {
  const folders = await readdir(outboxDirectory, { withFileTypes: true }).catch(nothingThere);
  let removed = 0;
  for (const folder of folders.filter((one) => one.isDirectory())) {
    const directory = join(outboxDirectory, folder.name);
    const names = await readdir(directory);
    const named = names.flatMap((name) => {
      const [, id] = messageFile.exec(name) ?? [];
      return id === undefined ? [] : [{ name, id }];
    });
    for (let start = 0; start < named.length; start += filesPerQuestion) {
      const asked = named.slice(start, start + filesPerQuestion);
      const erased = await erasedOf([...new Set(asked.map(({ id }) => id))]);
      for (const { name } of asked.filter(({ id }) => erased.has(id))) {
        await rm(join(directory, name), { force: true });
        removed += 1;
      }
    }
    for (const name of names.filter((one) => one.endsWith('.tmp'))) {
      const path = join(directory, name);
      const written = await stat(path).catch(() => null);
      if (written !== null && written.mtimeMs < Date.now() - abandonedMs) await rm(path, { force: true });
    }
  }
  return removed;
}

/** No message was ever written here. @throws whatever else is wrong with the folder. */
function nothingThere(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
