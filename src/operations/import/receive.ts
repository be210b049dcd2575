import type { Clock, NewId } from '../../clock.ts';
import type { Db } from '../../db/client.ts';
import type { JobQueue } from '../../queue/boss.ts';
import { refusedFile } from '../../row-files/columns.ts';
import { rowLimitBytes } from '../../row-files/read-rows.ts';
import { recordAudit } from '../../tenants/audit.ts';
import { actorOf, type Caller } from '../../tenants/rights.ts';
import { createOperation } from '../store.ts';
import { beginFile, type ImportOrder } from './file.ts';
import { asUtf8, type Piece, piecesOf, type Source } from './pieces.ts';
import { appendToUpload, chunkBytes, openUpload, touchUpload } from './uploads.ts';

type Deps = { db: Db; clock: Clock; newId: NewId; jobs: JobQueue };

/** Pieces of one commit: few, since what has come is in memory as text until it is committed. */
const piecesPerCommit = 4;
/** The first ones hold the header, whatever its length. */
const piecesOfBeginning = rowLimitBytes / chunkBytes;
/** After this time what has come is committed with the next piece that is whole, also where there are fewer. */
const commitWithinMs = 1_000;
const signOfLifeMs = 15_000;

/** Makes the operation, once the beginning of its file is known to be acceptable. */
async function open(
  deps: Deps,
  caller: Caller,
  order: ImportOrder,
  beginning: Buffer,
  atEnd: boolean,
  mark: string | null,
) {
  const { file, imported } = beginFile(order, beginning, atEnd, mark);
  return deps.db.transaction(async (tx) => {
    const { id } = await createOperation(deps, tx, caller, {
      kind: 'import',
      parameters: { ...file },
      total: 0,
      imported,
    });
    const key = { tenantId: caller.tenantId, operationId: id };
    await openUpload(deps, tx, key);
    const entry = { tenantId: caller.tenantId, actor: actorOf(caller), action: 'imported' as const };
    await recordAudit(deps, tx, { ...entry, resourceType: order.resource.replace(/s$/, ''), resourceId: id });
    return key;
  });
}

/**
 * Keeps a file as it comes, in commits of a fraction of a megabyte, while its rows are already worked on. It is never in memory
 * as a whole: who sends it waits for the database.
 * @param source its bytes; when it fails, the file was cut, and what has come is imported.
 * @returns the id of the operation that imports it.
 * @throws AppError `unprocessable`: the file is empty, or its columns are not those of what is imported. Nothing is kept.
 */
export async function receiveImport(deps: Deps, caller: Caller, order: ImportOrder, source: Source): Promise<string> {
  const { mark, bytes } = await asUtf8(source);
  const pieces = piecesOf(bytes, chunkBytes);
  try {
    return await keep(deps, caller, order, pieces, mark);
  } finally {
    // Also where the file is refused, and the rest of it is not read.
    await pieces.return(undefined);
  }
}

/** The next pieces, and how the file ended where they are the last. */
async function nextPieces(
  pieces: AsyncGenerator<Piece>,
  most: number,
  withinMs: number,
): Promise<{ list: Buffer[]; ended: Piece['ended'] }> {
  const list: Buffer[] = [];
  const startedAt = performance.now();
  do {
    const next = await pieces.next();
    if (next.done) return { list, ended: 'complete' };
    if (next.value.bytes.length > 0) list.push(next.value.bytes);
    if (next.value.ended !== null) return { list, ended: next.value.ended };
  } while (list.length < most && performance.now() - startedAt < withinMs);
  return { list, ended: null };
}

async function keep(
  deps: Deps,
  caller: Caller,
  order: ImportOrder,
  pieces: AsyncGenerator<Piece>,
  mark: string | null,
) {
  let { list, ended } = await nextPieces(pieces, piecesOfBeginning, Number.POSITIVE_INFINITY);
  if (list.length === 0) throw refusedFile('empty', 'The file is empty.');
  const key = await open(deps, caller, order, Buffer.concat(list), ended !== null, mark);
  const alive = setInterval(() => touchUpload(deps, key).catch(() => undefined), signOfLifeMs);
  alive.unref();
  try {
    // The first pieces at once: their rows are worked on while the others come.
    while (await appendToUpload(deps, key, list, ended ?? 'receiving')) {
      if (ended !== null) break;
      ({ list, ended } = await nextPieces(pieces, piecesPerCommit, commitWithinMs));
    }
    return key.operationId;
  } finally {
    clearInterval(alive);
  }
}
