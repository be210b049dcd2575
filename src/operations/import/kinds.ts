import type { Tx } from '../../db/client.ts';
import type { ErrorItem } from '../../errors.ts';
import { stopRefused } from '../../messages/stop-refused.ts';
import { suppressAddresses } from '../../messages/suppress-many.ts';
import type { MoveDeps } from '../../messages/to-valid.ts';
import { checkRow as checkRecipient, type GivenRecipient } from '../../recipients/import/check-row.ts';
import { recipientColumns } from '../../recipients/import/columns.ts';
import { keepRelated } from '../../recipients/import/keep-related.ts';
import { readPlaceOfRows } from '../../recipients/import/row-reading.ts';
import { upsertRecipients } from '../../recipients/import/upsert.ts';
import { lockRelations } from '../../recipients/relations.ts';
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

/** Where a row stands in its file. */
interface Place {
  row: number;
  line: number;
}

const keyOf = ({ type, externalId }: GivenRecipient) => `${type}\u0000${externalId}`;

/** Many at once; recipients of whom a row says whom they belong to one by one, behind the others. */
async function writeRecipients(
  deps: MoveDeps,
  tx: Tx,
  to: { tenantId: string; actor: Actor },
  rows: readonly (Place & { given: GivenRecipient })[],
): Promise<RowsDone> {
  const related = new Set(rows.filter(({ given }) => given.relations !== undefined).map(({ given }) => keyOf(given)));
  if (related.size > 0) await lockRelations(tx, to.tenantId);
  const keeping = { ...deps, beforeLeaving: stopRefused(deps) };
  const plain = rows.filter(({ given }) => !related.has(keyOf(given)));
  const counts = await upsertRecipients(
    keeping,
    tx,
    to,
    plain.map(({ given }) => given),
  );
  const done: RowsDone = { ...counts, refused: [] };
  for (const { given, ...at } of rows) {
    if (!related.has(keyOf(given))) continue;
    const kept = await keepRelated(keeping, tx, to, given);
    if (kept.kind === 'refused') done.refused.push({ ...at, faults: kept.faults });
    else done[kept.kind] += 1;
  }
  return done;
}

/** Rows that are checked before other work has its turn. */
const rowsPerTurn = 250;

/** Checks rows, a few at a time: the process has others to serve. */
async function checkAll<Given>(
  rows: readonly FileRow[],
  check: (row: FileRow) => { kind: 'given'; given: Given } | { kind: 'refused'; faults: readonly ErrorItem[] },
): Promise<{ given: (Place & { given: Given })[]; refused: RowsDone['refused'] }> {
  const given: (Place & { given: Given })[] = [];
  const refused: RowsDone['refused'] = [];
  for (const [place, row] of rows.entries()) {
    if (place % rowsPerTurn === 0) await new Promise((turn) => setImmediate(turn));
    const checked = check(row);
    const at = { row: row.row, line: row.line };
    if (checked.kind === 'given') given.push({ ...at, given: checked.given });
    else refused.push({ ...at, faults: checked.faults });
  }
  return { given, refused };
}

/** Everything that can be imported. */
export const importKinds = {
  recipients: {
    checkColumns: (names, type) => void recipientColumns(names, { type: type !== null }),
    async write(deps, tx, to, { names, type }, rows) {
      const columns = names.length === 0 ? [] : recipientColumns(names, { type: type !== null });
      const reading = { columns, type, ...(await readPlaceOfRows(tx, to.tenantId)) };
      const { given, refused } = await checkAll(rows, (row) => checkRecipient(row, reading));
      const done = await writeRecipients(deps, tx, to, given);
      return { ...done, refused: [...refused, ...done.refused].sort((left, right) => left.row - right.row) };
    },
  },
  suppressions: {
    checkColumns: (names) => void suppressionColumns(names),
    async write(deps, tx, to, { names }, rows) {
      const columns = suppressionColumns(names);
      const reading = { columns, now: deps.clock.now() };
      const { given, refused } = await checkAll(rows, (row) => checkSuppression(row, reading));
      const { created, unchanged } = await suppressAddresses(
        deps,
        tx,
        to,
        given.map((one) => one.given),
      );
      return { created, changed: 0, unchanged, refused };
    },
  },
} as const satisfies Record<string, ImportKind>;

export type ImportResource = keyof typeof importKinds;
