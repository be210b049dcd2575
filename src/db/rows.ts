import {
  getTableColumns,
  getTableName,
  type InferInsertModel,
  type InferSelectModel,
  type SQL,
  sql,
} from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { Db, Tx } from './client.ts';

/** Rows in one statement: large enough that the round trip is nothing, small enough for one message to the server. */
const rowsPerStatement = 2_000;

/** The text of an insertion, but for its rows. */
interface Insertion {
  columns: readonly { key: string; name: string }[];
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
  const named = keys.map((key) => ({ key, name: columns[key]?.name ?? key }));
  const list = named.map((column) => quoted(column.name)).join(', ');
  const name = quoted(getTableName(table));
  const insertion = {
    columns: named,
    before: sql.raw(`insert into ${name} (${list}) select ${list} from json_populate_recordset(null::${name}, `),
    after: sql.raw('::json)'),
  };
  made.set(keys.join(), insertion);
  return insertion;
}

/** Rows for one table. Every one must have the same keys: those of the first are used. */
export interface TableRows {
  table: PgTable;
  rows: readonly object[];
}

/** The same, checked against the table. */
export function rowsFor<Table extends PgTable>(table: Table, rows: readonly InferInsertModel<Table>[]): TableRows {
  return { table, rows };
}

function insertOf({ table, rows }: TableRows): SQL {
  const keys = Object.keys(rows[0] ?? {});
  const { columns, before, after } = insertionOf(table, keys);
  const records = rows.map((row) => {
    const values = row as Record<string, unknown>;
    const record: Record<string, unknown> = {};
    // One by one: a list of pairs for each row would be as much again to collect.
    for (const { key, name } of columns) record[name] = values[key] ?? null;
    return record;
  });
  return sql`${before}${JSON.stringify(records)}${after}`;
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
  let inserted = 0;
  for (let start = 0; start < rows.length; start += rowsPerStatement) {
    const insert = insertOf({ table, rows: rows.slice(start, start + rowsPerStatement) });
    const result = await tx.execute(options.skipConflicts ? sql`${insert} on conflict do nothing` : insert);
    inserted += result.count;
  }
  return inserted;
}

/**
 * Inserts the rows that do not exist yet and locks the others until the end of the transaction, without changing them:
 * one after another, in the order given. So two transactions that give theirs in one order never wait for each other.
 * @param unique the columns of the unique index that decides; every row must differ from the others there.
 * @returns the ids of the rows that were inserted.
 */
export async function insertOrLock<Table extends PgTable>(
  tx: Tx,
  table: Table,
  rows: readonly (InferInsertModel<Table> & { id: string })[],
  unique: readonly PgColumn[],
): Promise<Set<string>> {
  const inserted = new Set<string>();
  const target = sql.raw(unique.map(({ name }) => quoted(name)).join(', '));
  const [column] = unique;
  if (column === undefined) throw new Error('a unique index has columns');
  // PostgreSQL locks a row that conflicts before it asks whether to change it.
  const untouched = sql.raw(`do update set ${quoted(column.name)} = excluded.${quoted(column.name)} where false`);
  for (let start = 0; start < rows.length; start += rowsPerStatement) {
    const insert = insertOf({ table, rows: rows.slice(start, start + rowsPerStatement) });
    const made = await tx.execute<{ id: string }>(sql`${insert} on conflict (${target}) ${untouched} returning id`);
    for (const { id } of made) inserted.add(id);
  }
  return inserted;
}

/**
 * Inserts into several tables: with one statement when there are few rows, where the way to the server and back would
 * take longer than the rows.
 */
export async function insertIntoAll(tx: Tx, batches: readonly TableRows[]): Promise<void> {
  const filled = batches.filter(({ rows }) => rows.length > 0);
  const last = filled.at(-1);
  if (last === undefined) return;
  if (filled.some(({ rows }) => rows.length > rowsPerStatement)) {
    for (const { table, rows } of filled) await insertRows(tx, table, rows as InferInsertModel<PgTable>[]);
    return;
  }
  const others = filled.slice(0, -1).map((batch, place) => sql`${sql.raw(`part_${place}`)} as (${insertOf(batch)})`);
  await tx.execute(others.length === 0 ? insertOf(last) : sql`with ${sql.join(others, sql`, `)} ${insertOf(last)}`);
}

/**
 * What `select <table>.*` of a raw statement answered, as the table's own rows: for pages that are asked thousands of
 * times, where drizzle would ask of each value of each row what it is.
 * @throws Error where the answer lacks a column of the table.
 */
export function tableRowsOf<Table extends PgTable>(
  table: Table,
  answered: readonly Record<string, unknown>[],
): InferSelectModel<Table>[] {
  const columns = Object.entries<PgColumn>(getTableColumns(table));
  return answered.map((values) => {
    const row: Record<string, unknown> = {};
    for (const [key, column] of columns) {
      const value = values[column.name];
      if (value === undefined) throw new Error(`the answer has no ${column.name}`);
      row[key] = value === null ? null : column.mapFromDriverValue(value);
    }
    return row as InferSelectModel<Table>;
  });
}

/** A list of ids as one array parameter: `where id = any(${idList(ids)})`. */
export function idList(ids: readonly string[]) {
  return sql`${`{${ids.join(',')}}`}::uuid[]`;
}

/**
 * A statement on rows that its transaction has locked reaches all of them.
 * @throws Error when it did not: what was written beside it must not be committed.
 */
export function mustReachAll(reached: number, rows: readonly unknown[], what: string): void {
  if (reached !== rows.length) throw new Error(`${reached} of ${rows.length} locked rows were ${what}`);
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
