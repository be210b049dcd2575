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
import { createKey } from '../../src/tenants/keys.ts';
import { serviceActor } from '../../src/tenants/rights.ts';
import { done } from '../support/broker.ts';
import { createEmptyDatabase } from '../support/postgres.ts';
import { startService } from '../support/service.ts';

const folder = fileURLToPath(new URL('../../migrations', import.meta.url));
const tenant = '019c0000-0000-7000-8000-000000000001';
const recipient = '019c0000-0000-7000-8000-000000000002';
/** The nth id of a kind of rows. */
const idOf = (kind: number, number: number) => `019c0000-0000-7000-80${kind}0-00000000000${number}`;

t.setTimeout(600_000);

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

/** A value that a column without a default takes, where a test does not care which. */
function anyValue(type: string): unknown {
  if (type === 'uuid') return tenant;
  if (type === 'boolean') return false;
  if (type === 'ARRAY' || type.startsWith('json')) return [];
  if (/int|numeric/.test(type)) return 1;
  return type.startsWith('timestamp') ? '2026-01-01' : 'x';
}

/** Inserts a row of an older version: what is given, and anything where a value is needed. */
async function insertAny(sql: postgres.Sql, table: string, given: Record<string, unknown>) {
  const columns = await sql`select column_name, data_type from information_schema.columns
    where table_schema = 'public' and table_name = ${table} and is_nullable = 'NO'`;
  const row = {
    ...Object.fromEntries(columns.map(({ column_name: name, data_type: type }) => [name, anyValue(type)])),
    ...given,
  };
  await sql.unsafe(`insert into ${table} select * from json_populate_record(null::${table}, $1::text::json)`, [
    JSON.stringify(row),
  ]);
}

/** A prospecting template and a service one, each with messages of every state; two choices, made in this order. */
async function addMessagesAndChoices(sql: postgres.Sql) {
  const templates = [
    { id: idOf(1, 1), category: 'marketing', consent_purpose: 'prospecting', key: 'offre' },
    { id: idOf(1, 2), category: 'service', consent_purpose: null, key: 'avis' },
  ];
  const states = [
    ['E', 'idle'],
    ['V', 'waiting'],
    ['B', 'idle'],
    ['KO', 'idle'],
    ['V', 'waiting'],
    ['V', 'waiting'],
  ];
  for (const [place, template] of templates.entries()) {
    await insertAny(sql, 'templates', { tenant_id: tenant, channel: 'mail', ...template });
    for (const [number, [status, dispatch_state]] of states.entries()) {
      const own = { id: idOf(2 + place, number), template_id: template.id, status, dispatch_state };
      const rest = { channel: 'mail', delivery: 'none', reason: 'x', validation: 'manual', data: {}, overrides: {} };
      await insertAny(sql, 'messages', { tenant_id: tenant, ...rest, ...own, job_id: null });
    }
    // One whose copies are still tried, and one that is over.
    await sql`update messages set status = 'OK' where id = ${idOf(2 + place, 4)}`;
    await sql`update messages set status = 'OK', dispatch_state = 'idle' where id = ${idOf(2 + place, 5)}`;
  }
  for (const [number, day] of ['2025-06-01', '2025-01-01', '2025-03-01', '2025-02-01'].entries()) {
    const id = idOf(4, number);
    await sql`insert into notification_types (tenant_id, id, key, title, channels, default_choice, active, created_at, updated_at)
      values (${tenant}, ${id}, ${`avis-${number}`}, 'Avis', '{mail}', 'on', true, now(), now())`;
    await sql`insert into choices (tenant_id, recipient_id, notification_type_id, channel, accepted, source, author, created_at, updated_at)
      values (${tenant}, ${recipient}, ${id}, 'mail', false, 'guichet', 'Mme Roy', ${day}, ${day})`;
  }
}

t.test('what version 0.1 knew of people is there after the migration, and can be changed', async (t) => {
  const { url, sql } = await databaseOf(t, '0008_suppressions');
  await sql`insert into tenants (id, name, timezone, locale, default_validation, document_max_bytes, created_at, updated_at)
    values (${tenant}, 'Mutuelle', 'Europe/Paris', 'fr-FR', 'manual', 2000000, now(), now())`;
  await sql`insert into recipients (tenant_id, id, type, external_id, attributes, created_at, updated_at)
    values (${tenant}, ${recipient}, 'praticien', 'P-1', '{"z": 1, "a": {"ville": "Nantes"}}', now(), now())`;
  await sql`insert into recipient_addresses values
    (${tenant}, ${recipient}, 0, 'mobile', '06 12 98 76 54', '0612987654', null, false, true)`;
  await addMessagesAndChoices(sql);
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

  const messages =
    await read`select id, consent_level, subscription from messages where tenant_id = ${tenant} order by id`;
  const wants = (level: number, subscription: boolean) => ({ consent_level: level, subscription });
  const expected = [wants(2, true), wants(2, true), wants(2, true), wants(2, true), wants(2, true), wants(1, false)];
  t.same(
    messages.map(({ consent_level, subscription }) => ({ consent_level, subscription })),
    [...expected, ...expected.map(() => wants(1, false))],
    'what can still leave needs the consent of its purpose, copies of what is OK as well',
  );

  const { secret: key } = await service.runtime.db.transaction((tx) =>
    createKey(service.runtime, tx, tenant, serviceActor, {
      name: 'Après',
      kind: 'live',
      scopes: ['admin'],
      unit: null,
      expiresAt: null,
    }),
  );
  const newestFirst = ['2025-06-01', '2025-03-01', '2025-02-01', '2025-01-01'];
  const path = `/v1/recipients/${recipient}/choices/changes?limit=1`;
  const pages: { at: string; notificationType: string; accepted: boolean; source: string; author: string }[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { items, nextCursor } = await done(service.inject('GET', `${path}${cursor}`, { key }));
    pages.push(...items);
    cursor = nextCursor === null ? null : `&cursor=${nextCursor}`;
  }
  t.same(
    pages.map(({ at }) => at.slice(0, 10)),
    newestFirst,
    'every choice is a change, newest first whatever its id',
  );
  t.match(pages[0], { notificationType: 'avis-0', accepted: false, source: 'guichet', author: 'Mme Roy' });
  const { choiceChanges } = await done(service.inject('GET', `/v1/recipients/${recipient}/export`, { key }));
  t.same(
    choiceChanges.map(({ at }: { at: string }) => at.slice(0, 10)),
    newestFirst,
  );
});
