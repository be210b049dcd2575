import { and, eq } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';
import { operations, type StoredImport, type StoredRowFault } from '../../db/tables/dispatch.ts';
import type { ErrorItem } from '../../errors.ts';
import { readPlaceOfRows } from '../../recipients/import/row-reading.ts';
import { endsOpen, type RowCursor, readRows } from '../../row-files/read-rows.ts';
import { actorOfOperation, keptRefusals, type OperationDeps, type OperationRow, type Progress } from '../store.ts';
import type { ImportFile } from './file.ts';
import { importKinds, type RowsDone } from './kinds.ts';
import { writeRecipients } from './recipient-rows.ts';
import { type RefusedRow, sortRows } from './sort-rows.ts';
import { deleteUpload, forgetRead, getUpload, readPiece, type UploadRow, waitForMore } from './uploads.ts';
import { forgetWaiting, readWaiting } from './waiting-rows.ts';

/** Rows of one transaction: a few statements for all of them, and none is locked for long. */
const rowsPerStep = 2_000;
/** Entries of one refused row: what is wrong beyond them is found when these are mended. */
const faultsPerRow = 10;

/** Where an import goes on: in its file, and then in the rows that waited for its end. */
interface ImportCursor extends RowCursor {
  waiting?: WaitingCursor;
}

/** A pass through the rows that wait, in the order of the file. */
interface WaitingCursor {
  /** The number of the last row that was looked at. */
  afterRow: number;
  /** A row of this pass no longer waits: another pass may find whom it made. */
  moved: boolean;
  /** Nobody else comes: what is not there is refused. */
  last: boolean;
}

const firstPass: WaitingCursor = { afterRow: 0, moved: false, last: false };

function cursorOf(row: OperationRow): ImportCursor {
  const { start } = row.parameters as unknown as ImportFile;
  return row.cursor === null ? start : (JSON.parse(row.cursor) as ImportCursor);
}

/** Names of columns and of members are the caller's; what stands in them is not repeated. */
function entriesOf(refused: readonly RefusedRow[]): StoredRowFault[] {
  return refused.flatMap(({ row, line, faults }) =>
    faults
      .slice(0, faultsPerRow)
      .map(({ pointer, code, message }: ErrorItem) => ({ row, line, pointer, code, message })),
  );
}

interface StepDone {
  cursor: ImportCursor;
  done: Omit<RowsDone, 'taken'>;
  /** Rows of the file that were read. */
  read: number;
  /** What else is known now. */
  known: Partial<StoredImport>;
}

async function recordProgress(deps: OperationDeps, tx: Tx, row: OperationRow, step: StepDone): Promise<void> {
  const { cursor, done, read, known } = step;
  const { created, changed, unchanged, refused } = done;
  const before = row.imported as StoredImport;
  const succeeded = created + changed + unchanged;
  const room = Math.max(0, keptRefusals - row.refused.length);
  const entries = entriesOf(refused).slice(0, room);
  const all = [...(row.refused as StoredRowFault[]), ...entries];
  await tx
    .update(operations)
    .set({
      status: 'running',
      cursor: JSON.stringify(cursor),
      total: row.total + read,
      done: row.done + succeeded + refused.length,
      succeeded: row.succeeded + succeeded,
      refusedCount: row.refusedCount + refused.length,
      // Not written again where nothing is added: it may be large.
      ...(entries.length === 0 ? {} : { refused: all.sort((left, right) => left.row - right.row) }),
      imported: {
        ...before,
        created: before.created + created,
        changed: before.changed + changed,
        unchanged: before.unchanged + unchanged,
        ...known,
      },
      updatedAt: deps.clock.now(),
    })
    .where(and(eq(operations.tenantId, row.tenantId), eq(operations.id, row.id)));
}

const nothingDone: StepDone['done'] = { created: 0, changed: 0, unchanged: 0, refused: [] };

/** It was there when the row was read. */
const typeGone = [{ pointer: '/type', code: 'recipient_type_unknown', message: 'there is no such recipient type' }];

/** Looks again at rows that waited: whom they name may have come further down in the file. */
async function stepWaiting(deps: OperationDeps, tx: Tx, row: OperationRow, at: WaitingCursor): Promise<Progress> {
  const to = { tenantId: row.tenantId, operationId: row.id, actor: actorOfOperation(row) };
  const { waiting: _waiting, ...cursor } = cursorOf(row);
  const rows = await readWaiting(tx, to, at.afterRow, rowsPerStep);
  const { knownTypes } = await readPlaceOfRows(tx, to.tenantId);
  const sorted = await sortRows(tx, to.tenantId, rows, (one) =>
    knownTypes.has(one.given.type) ? { kind: 'given', ...one } : { kind: 'refused', ...one, faults: typeGone },
  );
  const { waiting, ...done } = await writeRecipients(deps, tx, to, sorted, { last: at.last });
  const still = new Set(waiting.map((one) => one.row));
  const looked = rows.slice(0, sorted.taken);
  const decided = looked.filter((one) => !still.has(one.row));
  await forgetWaiting(tx, to, decided);
  const moved = at.moved || decided.length > 0;
  const more = rows.length === rowsPerStep || sorted.taken < rows.length;
  const afterRow = looked.at(-1)?.row ?? at.afterRow;
  const next = more ? { ...at, afterRow, moved } : { ...firstPass, last: !moved };
  await recordProgress(deps, tx, row, { cursor: { ...cursor, waiting: next }, done, read: 0, known: {} });
  return more || (await readWaiting(tx, to, 0, 1)).length > 0 ? 'more' : 'done';
}

/** The file has been read to its end. What waited for it is next. */
async function endReading(
  deps: OperationDeps,
  tx: Tx,
  row: OperationRow,
  cursor: RowCursor,
  upload: UploadRow,
): Promise<Progress> {
  // A row whose end has not come cannot be told from one that is whole: it is the first that is missing.
  const truncatedAt = upload.state === 'cut' ? { row: cursor.row, line: cursor.line } : null;
  const known = { ...progressIn(row, cursor, upload), truncatedAt };
  await recordProgress(deps, tx, row, { cursor: { ...cursor, waiting: firstPass }, done: nothingDone, read: 0, known });
  return (await readWaiting(tx, upload, 0, 1)).length > 0 ? 'more' : 'done';
}

/** How far the file has been read. */
function progressIn(row: OperationRow, cursor: RowCursor, upload: UploadRow): Partial<StoredImport> {
  const { encoding } = row.imported as StoredImport;
  return {
    bytesReceived: upload.receivedBytes,
    bytesRead: cursor.offset,
    encoding: encoding ?? cursor.encoding,
  };
}

/** Reads and keeps the next rows of a file. @returns null: none of them is there yet. */
async function stepRows(
  deps: OperationDeps,
  tx: Tx,
  row: OperationRow,
  before: RowCursor,
  upload: UploadRow,
): Promise<Progress | null> {
  const file = row.parameters as unknown as ImportFile;
  const to = { tenantId: row.tenantId, operationId: row.id, actor: actorOfOperation(row) };
  const bytes = await readPiece(tx, to, before.offset);
  const piece = { bytes, atEnd: upload.state === 'complete' && before.offset + bytes.length >= upload.receivedBytes };
  const { rows, cursor: behind } = readRows(file.format, piece, before, rowsPerStep);
  if (behind.offset === before.offset) return null;
  const { taken, ...done } =
    rows.length === 0 ? { ...nothingDone, taken: 0 } : await importKinds[file.resource].write(deps, tx, to, file, rows);
  // Where not all were taken the cursor stands behind those that were: they are read once more to find it.
  const cursor = taken === rows.length ? behind : readRows(file.format, piece, before, taken).cursor;
  const atEnd = piece.atEnd && cursor.offset === upload.receivedBytes;
  const known = { ...progressIn(row, cursor, upload), lastLineOpen: atEnd && endsOpen(bytes, cursor) };
  await recordProgress(deps, tx, row, { cursor, done, read: taken, known });
  await forgetRead(tx, to, cursor.offset);
  return 'more';
}

/**
 * Does the next rows of an import. Killed anywhere, another worker goes on exactly behind the last rows that were
 * committed: the cursor moves in their transaction.
 * @returns `waiting`: nothing is to be done before more of the file comes, which makes a new job.
 */
export async function stepImport(deps: OperationDeps, tx: Tx, row: OperationRow): Promise<Progress> {
  const progress = await doStep(deps, tx, row);
  if (progress === 'done') await deleteUpload(tx, row);
  return progress;
}

async function doStep(deps: OperationDeps, tx: Tx, row: OperationRow): Promise<Progress> {
  const before = cursorOf(row);
  if (before.waiting !== undefined) return stepWaiting(deps, tx, row, before.waiting);
  let upload = await getUpload(tx, { tenantId: row.tenantId, operationId: row.id });
  for (;;) {
    const progress = await stepRows(deps, tx, row, before, upload);
    if (progress !== null) return progress;
    if (upload.state !== 'receiving') return endReading(deps, tx, row, before, upload);
    const more = await waitForMore(tx, upload);
    if (more === null) return 'waiting';
    upload = more;
  }
}
