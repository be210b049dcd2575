import type { Tx } from '../../db/client.ts';
import type { ErrorItem } from '../../errors.ts';
import { suppressAddresses } from '../../messages/suppress-many.ts';
import type { MoveDeps } from '../../messages/to-valid.ts';
import { checkRow as checkRecipient } from '../../recipients/import/check-row.ts';
import { recipientColumns } from '../../recipients/import/columns.ts';
import { knownTypes } from '../../recipients/import/known-types.ts';
import { upsertRecipients } from '../../recipients/import/upsert.ts';
import type { FileRow } from '../../row-files/read-rows.ts';
import { checkRow as checkSuppression, suppressionColumns } from '../../suppressions/import-row.ts';
import type { Actor } from '../../tenants/rights.ts';
import type { ImportFile } from './file.ts';

/** What became of rows: each is counted once. */
export interface RowsDone {
  created: number;
  changed: number;
  unchanged: number;
  refused: { row: number; line: number; faults: readonly ErrorItem[] }[];
}

/** A kind of resource that files of rows can be imported into. */
interface ImportKind {
  /** @throws AppError `unprocessable` naming every column that cannot be read. */
  checkColumns(names: readonly string[], type: string | null): void;
  write(
    deps: MoveDeps,
    tx: Tx,
    to: { tenantId: string; actor: Actor },
    file: ImportFile,
    rows: readonly FileRow[],
  ): Promise<RowsDone>;
}

/** Rows that are checked before other work has its turn. */
const rowsPerTurn = 250;

/** Checks rows, a few at a time: the process has others to serve. */
async function checkAll<Given>(
  rows: readonly FileRow[],
  check: (row: FileRow) => { kind: 'given'; given: Given } | { kind: 'refused'; faults: readonly ErrorItem[] },
): Promise<{ given: Given[]; refused: RowsDone['refused'] }> {
  const given: Given[] = [];
  const refused: RowsDone['refused'] = [];
  for (const [place, row] of rows.entries()) {
    if (place % rowsPerTurn === 0) await new Promise((turn) => setImmediate(turn));
    const checked = check(row);
    if (checked.kind === 'given') given.push(checked.given);
    else refused.push({ row: row.row, line: row.line, faults: checked.faults });
  }
  return { given, refused };
}

/** Everything that can be imported. */
export const importKinds = {
  recipients: {
    checkColumns: (names, type) => void recipientColumns(names, { type: type !== null }),
    async write(deps, tx, { tenantId }, { names, type }, rows) {
      const columns = names.length === 0 ? [] : recipientColumns(names, { type: type !== null });
      const reading = { columns, type, knownTypes: await knownTypes(tx, tenantId) };
      const { given, refused } = await checkAll(rows, (row) => checkRecipient(row, reading));
      return { ...(await upsertRecipients(deps, tx, tenantId, given)), refused };
    },
  },
  suppressions: {
    checkColumns: (names) => void suppressionColumns(names),
    async write(deps, tx, to, { names }, rows) {
      const columns = suppressionColumns(names);
      const reading = { columns, now: deps.clock.now() };
      const { given, refused } = await checkAll(rows, (row) => checkSuppression(row, reading));
      const { created, unchanged } = await suppressAddresses(deps, tx, to, given);
      return { created, changed: 0, unchanged, refused };
    },
  },
} as const satisfies Record<string, ImportKind>;

export type ImportResource = keyof typeof importKinds;
