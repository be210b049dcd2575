/** A database of the version before people became whole keeps working: its types, attributes, choices and messages. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { migrate } from '../../src/migrate.ts';
import { createEmptyDatabase } from '../support/postgres.ts';
import { startService } from '../support/service.ts';

const folder = fileURLToPath(new URL('../../migrations', import.meta.url));
const tenant = '019c0000-0000-7000-8000-000000000001';
const recipient = '019c0000-0000-7000-8000-000000000002';

/** A database as the migrations up to this one leave it. */
async function databaseOf(t: Test, lastMigration: string) {
  const database = await createEmptyDatabase();
  const older = await mkdtemp(join(tmpdir(), 'notifications-migrations-'));
  t.teardown(() => Promise.all([database.drop(), rm(older, { recursive: true })]));
  await cp(folder, older, { recursive: true });
  const path = join(older, 'meta', '_journal.json');
  const journal = JSON.parse(await readFile(path, 'utf8'));
  const last = journal.entries.findIndex(({ tag }: { tag: string }) => tag === lastMigration);
  if (last < 0) throw new Error(`there is no migration ${lastMigration}`);
  await writeFile(path, JSON.stringify({ ...journal, entries: journal.entries.slice(0, last + 1) }));
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  await applyMigrations(drizzle(sql), { migrationsFolder: older });
  return { url: database.url, sql };
}

t.test('what version 0.1 knew of people is there after the migration, and can be changed', async (t) => {
  const { url, sql } = await databaseOf(t, '0008_suppressions');
  await sql`insert into tenants (id, name, timezone, locale, default_validation, document_max_bytes, created_at, updated_at)
    values (${tenant}, 'Mutuelle', 'Europe/Paris', 'fr-FR', 'manual', 2000000, now(), now())`;
  await sql`insert into recipients (tenant_id, id, type, external_id, attributes, created_at, updated_at)
    values (${tenant}, ${recipient}, 'praticien', 'P-1', '{"z": 1, "a": {"ville": "Nantes"}}', now(), now())`;
  await sql`insert into recipient_addresses values
    (${tenant}, ${recipient}, 0, 'mobile', '06 12 98 76 54', '0612987654', null, false, true)`;
  await sql.end();
  await migrate({ databaseUrl: url });
  const service = await startService(t, { databaseUrl: url });
  const read = postgres(url, { max: 1, onnotice: () => undefined });
  t.teardown(() => read.end());
  const types = await read`select key, reached_through from recipient_types where tenant_id = ${tenant} order by key`;
  t.same(
    types.map(({ key }) => key),
    ['client', 'company', 'contact', 'dependant', 'member', 'praticien', 'provider', 'structure', 'student'],
    'the types that were in use, and those that a new organisation begins with',
  );
  t.equal(types.find(({ key }) => key === 'praticien')?.reached_through, 'own', 'reached as before');
  const [row] = await read`select attributes, household_of from recipients where id = ${recipient}`;
  t.same(row, { attributes: { z: 1, a: { ville: 'Nantes' } }, household_of: null });
  const [number] = await read`select normalized from recipient_addresses where recipient_id = ${recipient}`;
  t.equal(number?.normalized, '+33612987654');
  const [settings] = await read`select address_policy, default_consent_level from tenants where id = ${tenant}`;
  t.same(settings, { address_policy: 'preferred', default_consent_level: 1 });
  t.match(await service.inject('GET', '/v1/recipient-types'), { status: 200 });
});
