import { getTableColumns, getTableName, type InferInsertModel, type SQL, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { Db, Tx } from './client.ts';

/** Rows in one statement: large enough that the round trip is nothing, small enough for one message to the server. */
const rowsPerStatement = 2_000;

/** The text of an insertion, but for its rows. */
interface Insertion {
  names: readonly string[];
  before: SQL;
  after: SQL;
}

const insertions = new WeakMap<PgTable, Map<string, Insertion>>();

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** Made once for each table and set of columns: putting fifty names together takes longer than sending a row. */
function insertionOf(table: PgTable, keys: readonly string[]): Insertion {
  const made = insertions.get(table) ?? new Map<string, Insertion>();
  insertions.set(table, made);
  const known = made.get(keys.join());
  if (known !== undefined) return known;
  const columns = getTableColumns(table);
  const names = keys.map((key) => columns[key]?.name ?? key);
  const list = names.map(quoted).join(', ');
  const name = quoted(getTableName(table));
  const insertion = {
    names,
    before: sql.raw(`insert into ${name} (${list}) select ${list} from json_populate_recordset(null::${name}, `),
    after: sql.raw('::json)'),
  };
  made.set(keys.join(), insertion);
  return insertion;
}

/**
 * Inserts many rows as one JSON parameter: no limit of parameters, and one plan for any count.
 * Every row must have the same keys (those of the first are used). With `skipConflicts`, rows that exist stay.
 * @returns how many rows were inserted.
 */
export async function insertRows<Table extends PgTable>(
  tx: Db | Tx,
  table: Table,
  rows: readonly InferInsertModel<Table>[],
  options: { skipConflicts?: boolean } = {},
): Promise<number> {
  const first = rows[0];
  if (first === undefined) return 0;
  const keys = Object.keys(first);
  const { names, before, after } = insertionOf(table, keys);
  let inserted = 0;
  for (let start = 0; start < rows.length; start += rowsPerStatement) {
    const records = rows.slice(start, start + rowsPerStatement).map((row) => {
      const values = row as Record<string, unknown>;
      return Object.fromEntries(keys.map((key, index) => [names[index], values[key] ?? null]));
    });
    const result = await tx.execute(
      options.skipConflicts
        ? sql`${before}${JSON.stringify(records)}${after} on conflict do nothing`
        : sql`${before}${JSON.stringify(records)}${after}`,
    );
    inserted += result.count;
  }
  return inserted;
}

/** A list of ids as one array parameter: `where id = any(${idList(ids)})`. */
export function idList(ids: readonly string[]) {
  return sql`${`{${ids.join(',')}}`}::uuid[]`;
}

/** An instant as a parameter of a raw statement. */
export function at(time: Date) {
  return sql`${time.toISOString()}::timestamptz`;
}

/** Keys of rows as a list of pairs: `where (tenant_id, id) in ${keyList(rows)}`. */
export function keyList(rows: readonly { tenantId: string; id: string }[]) {
  const tenantIds = idList(rows.map(({ tenantId }) => tenantId));
  return sql`(select * from unnest(${tenantIds}, ${idList(rows.map(({ id }) => id))}))`;
}
