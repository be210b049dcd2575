import { getTableColumns, type InferInsertModel, sql } from 'drizzle-orm';
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core';
import type { Db, Tx } from './client.ts';

/** Rows in one statement: large enough that the round trip is nothing, small enough for one message to the server. */
const rowsPerStatement = 2_000;

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
  const columns = getTableColumns(table);
  const keys = Object.keys(first).filter((key) => key in columns);
  const names = keys.map((key) => columns[key]?.name ?? key);
  const list = sql.join(
    names.map((name) => sql.identifier(name)),
    sql`, `,
  );
  const { name: tableName } = getTableConfig(table);
  let inserted = 0;
  for (let start = 0; start < rows.length; start += rowsPerStatement) {
    const records = rows.slice(start, start + rowsPerStatement).map((row) => {
      const values = row as Record<string, unknown>;
      return Object.fromEntries(keys.map((key, index) => [names[index], values[key] ?? null]));
    });
    const result = await tx.execute(sql`
      insert into ${sql.identifier(tableName)} (${list})
      select ${list} from json_populate_recordset(null::${sql.identifier(tableName)}, ${JSON.stringify(records)}::json)
      ${options.skipConflicts ? sql`on conflict do nothing` : sql``}`);
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
