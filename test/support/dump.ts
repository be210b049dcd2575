/** Everything a service keeps, as text: what a test searches for what must not be there. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import type { TestService } from './service.ts';

/** A place where something is kept, with its text in lower case. */
interface Kept {
  place: string;
  text: string;
}

async function dumpTables({ runtime }: TestService): Promise<Kept[]> {
  const tables = await runtime.db.execute<{ schema: string; name: string }>(sql`
    select table_schema as schema, table_name as name from information_schema.tables
    where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`);
  const kept: Kept[] = [];
  for (const { schema, name } of tables) {
    const table = sql`${sql.identifier(schema)}.${sql.identifier(name)}`;
    const columns = await runtime.db.execute<{ name: string; type: string }>(sql`
      select column_name as name, data_type as type from information_schema.columns
      where table_schema = ${schema} and table_name = ${name}`);
    for (const column of columns) {
      const value = sql.identifier(column.name);
      const text =
        column.type === 'bytea'
          ? sql`convert_from(decode(replace(encode(${value}, 'hex'), '00', ''), 'hex'), 'LATIN1')`
          : sql`${value}::text`;
      const rows = await runtime.db.execute<{ text: string | null }>(sql`select ${text} as text from ${table}`);
      const place = `${schema}.${name}.${column.name}`;
      kept.push(...[...rows].map((row) => ({ place, text: (row.text ?? '').toLowerCase() })));
    }
  }
  return kept;
}

async function dumpFiles({ directory }: TestService): Promise<Kept[]> {
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  return Promise.all(
    files
      .filter((file) => file.isFile())
      .map(async ({ parentPath, name }) => {
        const path = join(parentPath, name);
        const raw = await readFile(path, 'latin1');
        return { place: path, text: `${path}\n${raw}`.toLowerCase() };
      }),
  );
}

/** Where any of these texts is kept, in whatever case of letters: `place: text`. */
export async function placesOf(service: TestService, texts: readonly string[]): Promise<string[]> {
  const kept = [...(await dumpTables(service)), ...(await dumpFiles(service))];
  const found = texts.flatMap((text) =>
    kept.filter((one) => one.text.includes(text.toLowerCase())).map(({ place }) => `${place}: ${text}`),
  );
  return [...new Set(found)].sort();
}
