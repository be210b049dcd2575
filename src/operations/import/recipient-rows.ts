import type { Tx } from '../../db/client.ts';
import { stopRefused } from '../../messages/stop-refused.ts';
import type { MoveDeps } from '../../messages/to-valid.ts';
import { keyOf, lockInOrder } from '../../recipients/import/compare-related.ts';
import { type Kept, keepRelated } from '../../recipients/import/keep-related.ts';
import { upsertRecipients } from '../../recipients/import/upsert.ts';
import type { BeforeLeaving } from '../../recipients/leaving.ts';
import { lockRelations, relationNames, relationUnknown } from '../../recipients/relations.ts';
import type { RefusedRow, SortedRows } from './sort-rows.ts';
import type { ImportTarget } from './uploads.ts';
import { keysThatWait, type PlacedRow } from './waiting-rows.ts';

/** What became of rows of recipients: each is counted once, or waits. */
export interface RecipientRowsDone {
  created: number;
  changed: number;
  unchanged: number;
  refused: RefusedRow[];
  /** They name somebody who may come to be there, or stand behind such a row of the same recipient. */
  waiting: PlacedRow[];
}

/** Whether a row was refused for naming somebody who may come to be there: not by an id, which no import makes. */
function namesWhoMayCome(kept: Kept, { given: { relations = {} } }: PlacedRow): boolean {
  if (kept.kind !== 'refused') return false;
  const [fault] = kept.faults;
  const name = relationNames.find((one) => fault?.pointer === `/${one}`);
  return (
    fault?.code === 'recipient_unknown' && name !== undefined && (relations[name]?.startsWith('external:') ?? false)
  );
}

interface Keeping {
  deps: MoveDeps & { beforeLeaving: BeforeLeaving };
  tx: Tx;
  to: ImportTarget;
  sorted: SortedRows;
  /** Recipients of whom a row waits: the later ones wait behind it, so that the last word stays the last. */
  held: Set<string>;
  /** Nobody else comes: who is not there is refused. */
  last: boolean;
}

async function keepRow({ deps, tx, to, sorted, held, last }: Keeping, row: PlacedRow): Promise<Kept | 'waits'> {
  if (held.has(keyOf(row.given))) return 'waits';
  const way = sorted.wayOf(row);
  if (way.kind === 'unchanged') return way;
  const kept: Kept =
    way.kind === 'unknown'
      ? { kind: 'refused', faults: relationUnknown(way.relation.name).items }
      : await keepRelated(deps, tx, to, row.given);
  return !last && namesWhoMayCome(kept, row) ? 'waits' : kept;
}

/**
 * Makes recipients what rows say: many at once; those of whom a row says whom they belong to behind the others, one by
 * one where that changes something.
 * @param options.last whether the end of the file has been read, and everybody who comes from it is there: who is named
 * and not there is refused then. Before that the row waits.
 */
export async function writeRecipients(
  deps: MoveDeps,
  tx: Tx,
  to: ImportTarget,
  sorted: SortedRows,
  options: { last: boolean },
): Promise<RecipientRowsDone> {
  const { rows, wayOf } = sorted;
  const keepingDeps = { ...deps, beforeLeaving: stopRefused(deps) };
  const [first] = rows;
  const held = first === undefined ? new Set<string>() : await keysThatWait(tx, to, first.row, rows);
  const inBulk = (row: PlacedRow) => wayOf(row).kind === 'bulk' && !held.has(keyOf(row.given));
  const single = rows.some((row) => wayOf(row).kind === 'single' && !held.has(keyOf(row.given)));
  if (single) {
    await lockRelations(tx, to.tenantId);
    await lockInOrder(
      tx,
      to.tenantId,
      rows.map(({ given }) => given),
    );
  }
  const bulk = rows.filter(inBulk).map(({ given }) => given);
  const done: RecipientRowsDone = {
    ...(await upsertRecipients(keepingDeps, tx, to, bulk)),
    refused: [...sorted.refused],
    waiting: [],
  };
  const keeping = { deps: keepingDeps, tx, to, sorted, held, last: options.last };
  for (const row of rows) {
    if (inBulk(row)) continue;
    const kept = await keepRow(keeping, row);
    if (kept === 'waits') {
      held.add(keyOf(row.given));
      done.waiting.push(row);
    } else if (kept.kind === 'refused') done.refused.push({ row: row.row, line: row.line, faults: kept.faults });
    else done[kept.kind] += 1;
  }
  done.refused.sort((left, right) => left.row - right.row);
  return done;
}
