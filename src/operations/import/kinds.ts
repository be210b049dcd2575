import type { Tx } from '../../db/client.ts';
import { suppressAddresses } from '../../messages/suppress-many.ts';
import type { MoveDeps } from '../../messages/to-valid.ts';
import { checkRow as checkRecipient } from '../../recipients/import/check-row.ts';
import { recipientColumns } from '../../recipients/import/columns.ts';
import { readPlaceOfRows } from '../../recipients/import/row-reading.ts';
import type { FileRow } from '../../row-files/read-rows.ts';
import {
  checkRow as checkSuppression,
  type ReadSuppression,
  suppressionColumns,
} from '../../suppressions/import-row.ts';
import type { ImportFile } from './file.ts';
import { writeRecipients } from './recipient-rows.ts';
import { type RefusedRow, sortRows } from './sort-rows.ts';
import type { ImportTarget } from './uploads.ts';
import { keepWaiting } from './waiting-rows.ts';

/** What became of rows: each is counted once. */
export interface RowsDone {
  created: number;
  changed: number;
  unchanged: number;
  refused: RefusedRow[];
  /** How many of the rows that were given: the others are for the next step. */
  taken: number;
}

/** A kind of resource that files of rows can be imported into. */
interface ImportKind {
  /** @throws AppError `unprocessable` naming every column that cannot be read. */
  checkColumns(names: readonly string[], type: string | null): void;
  write(deps: MoveDeps, tx: Tx, to: ImportTarget, file: ImportFile, rows: readonly FileRow[]): Promise<RowsDone>;
}

/** Rows that are checked before other work has its turn. */
const rowsPerTurn = 250;

/** Everything that can be imported. */
export const importKinds = {
  recipients: {
    checkColumns: (names, type) => void recipientColumns(names, { type: type !== null }),
    async write(deps, tx, to, { names, type }, rows) {
      const columns = names.length === 0 ? [] : recipientColumns(names, { type: type !== null });
      const reading = { columns, type, ...(await readPlaceOfRows(tx, to.tenantId)) };
      const sorted = await sortRows(tx, to.tenantId, rows, (row) => ({
        row: row.row,
        line: row.line,
        ...checkRecipient(row, reading),
      }));
      const { waiting, ...done } = await writeRecipients(deps, tx, to, sorted, { last: false });
      await keepWaiting(tx, to, waiting);
      return { ...done, taken: sorted.taken };
    },
  },
  suppressions: {
    checkColumns: (names) => void suppressionColumns(names),
    async write(deps, tx, to, { names }, rows) {
      const reading = { columns: suppressionColumns(names), now: deps.clock.now() };
      const given: ReadSuppression[] = [];
      const refused: RefusedRow[] = [];
      for (const [place, row] of rows.entries()) {
        if (place % rowsPerTurn === 0) await new Promise((turn) => setImmediate(turn));
        const checked = checkSuppression(row, reading);
        if (checked.kind === 'given') given.push(checked.given);
        else refused.push({ row: row.row, line: row.line, faults: checked.faults });
      }
      const { created, unchanged } = await suppressAddresses(deps, tx, to, given);
      return { created, changed: 0, unchanged, refused, taken: rows.length };
    },
  },
} as const satisfies Record<string, ImportKind>;

export type ImportResource = keyof typeof importKinds;
