import { and, eq } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';
import { operations, type StoredImport, type StoredRowFault } from '../../db/tables/dispatch.ts';
import type { ErrorItem } from '../../errors.ts';
import { type RowCursor, readRows } from '../../row-files/read-rows.ts';
import { actorOfOperation, keptRefusals, type OperationDeps, type OperationRow, type Progress } from '../store.ts';
import type { ImportFile } from './file.ts';
import { importKinds, type RowsDone } from './kinds.ts';
import { deleteUpload, forgetRead, getUpload, readPiece, type UploadRow, waitForMore } from './uploads.ts';

/** Rows of one transaction: a few statements for all of them, and none is locked for long. */
const rowsPerStep = 2_000;
/** Entries of one refused row: what is wrong beyond them is found when these are mended. */
const faultsPerRow = 10;

function cursorOf(row: OperationRow): RowCursor {
  const { start } = row.parameters as unknown as ImportFile;
  return row.cursor === null ? start : (JSON.parse(row.cursor) as RowCursor);
}

/** Names of columns and of members are the caller's; what stands in them is not repeated. */
function entriesOf(refused: RowsDone['refused']): StoredRowFault[] {
  return refused.flatMap(({ row, line, faults }) =>
    faults
      .slice(0, faultsPerRow)
      .map(({ pointer, code, message }: ErrorItem) => ({ row, line, pointer, code, message })),
  );
}

interface StepDone {
  cursor: RowCursor;
  done: RowsDone;
  upload: UploadRow;
  truncatedAt: StoredImport['truncatedAt'];
}

async function recordProgress(deps: OperationDeps, tx: Tx, row: OperationRow, step: StepDone): Promise<void> {
  const { cursor, done, upload, truncatedAt } = step;
  const { created, changed, unchanged, refused } = done;
  const before = row.imported as StoredImport;
  const succeeded = created + changed + unchanged;
  const room = Math.max(0, keptRefusals - row.refused.length);
  const entries = entriesOf(refused).slice(0, room);
  const looked = row.done + succeeded + refused.length;
  await tx
    .update(operations)
    .set({
      status: 'running',
      cursor: JSON.stringify(cursor),
      total: looked,
      done: looked,
      succeeded: row.succeeded + succeeded,
      refusedCount: row.refusedCount + refused.length,
      // Not written again where nothing is added: it may be large.
      ...(entries.length === 0 ? {} : { refused: [...row.refused, ...entries] }),
      imported: {
        ...before,
        created: before.created + created,
        changed: before.changed + changed,
        unchanged: before.unchanged + unchanged,
        bytesReceived: upload.receivedBytes,
        bytesRead: cursor.offset,
        encoding: before.encoding ?? cursor.encoding,
        truncatedAt,
      },
      updatedAt: deps.clock.now(),
    })
    .where(and(eq(operations.tenantId, row.tenantId), eq(operations.id, row.id)));
}

const nothingDone: RowsDone = { created: 0, changed: 0, unchanged: 0, refused: [] };

/**
 * Does the next rows of an import. Killed anywhere, another worker goes on exactly behind the last rows that were
 * committed: the cursor moves in their transaction.
 * @returns `waiting`: nothing is to be done before more of the file comes, which makes a new job.
 */
export async function stepImport(deps: OperationDeps, tx: Tx, row: OperationRow): Promise<Progress> {
  const file = row.parameters as unknown as ImportFile;
  const key = { tenantId: row.tenantId, operationId: row.id };
  const before = cursorOf(row);
  let upload = await getUpload(tx, key);
  for (;;) {
    const bytes = await readPiece(tx, key, before.offset);
    const whole = upload.state === 'complete' && before.offset + bytes.length >= upload.receivedBytes;
    const { rows, cursor } = readRows(file.format, { bytes, atEnd: whole }, before, rowsPerStep);
    if (cursor.offset > before.offset) {
      const actor = actorOfOperation(row);
      const done =
        rows.length === 0
          ? nothingDone
          : await importKinds[file.resource].write(deps, tx, { tenantId: row.tenantId, actor }, file, rows);
      await recordProgress(deps, tx, row, { cursor, done, upload, truncatedAt: null });
      await forgetRead(tx, key, cursor.offset);
      return 'more';
    }
    if (upload.state !== 'receiving') {
      // A row whose end has not come cannot be told from one that is whole: it is the first that is missing.
      const truncatedAt = upload.state === 'cut' ? { row: before.row, line: before.line } : null;
      await recordProgress(deps, tx, row, { cursor: before, done: nothingDone, upload, truncatedAt });
      await deleteUpload(tx, row);
      return 'done';
    }
    const more = await waitForMore(tx, upload);
    if (more === null) return 'waiting';
    upload = more;
  }
}
