import { existsSync } from 'node:fs';
import t from 'tap';
import { type Answer, startService } from '../support/service.ts';
import {
  addExtraction,
  addSource,
  benefQuery,
  createSourceDatabase,
  type SourceDatabase,
} from '../support/source-database.ts';
import { must } from '../support/templates.ts';
import { hostileKeys, hostileQueries } from './hostile-queries.ts';

t.setTimeout(600_000);

const anyRevision = { 'if-match': '*' };

/** Everything that a hostile query could have changed, as the owner sees it. */
async function stateOf({ own }: SourceDatabase): Promise<unknown> {
  const tables = await own`select * from benef order by membre, nom_benef`;
  const [rest] =
    await own`select (select last_value from compteur) as sequence, (select is_called from compteur) as called,
    (select count(*) from caisse) as caisse, (select count(*) from pg_class where relkind in ('r', 'S', 'v')) as relations,
    (select count(*) from pg_largeobject_metadata) as objects, current_setting('statement_timeout') as timeout`;
  return JSON.parse(
    JSON.stringify({ tables, rest }, (_key, value) => (typeof value === 'bigint' ? String(value) : value)),
  );
}

async function prepare(database: SourceDatabase): Promise<void> {
  await database.own.unsafe(`create table caisse (membre text, secret text);
    insert into caisse values ('B-1', 'coffre');
    create function effacer() returns text language sql as $$ delete from benef returning 'x' $$`);
}

t.test('hostile queries are refused or harmless', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const database = await createSourceDatabase(t);
  await prepare(database);
  await addSource(service, database, { statementTimeoutMs: 5_000, maximumRows: 1_000 });
  const path = await addExtraction(service);
  const before = await stateOf(database);
  t.ok(Object.keys(hostileQueries).length >= 25);
  for (const [name, [query, fate, message = /./]] of Object.entries(hostileQueries)) {
    // With its fields said, nothing is asked when it is saved.
    const saved = await inject('PATCH', path, { body: { query, fields: null }, headers: anyRevision });
    if (fate === 'saved') {
      t.match(saved, { status: 422, body: { errors: [{ pointer: '/query', code: 'query_invalid', message }] } }, name);
      continue;
    }
    t.equal(saved.status, 200, `${name} is saved`);
    const run: Answer = await inject('POST', `${path}/run`, { body: { keys: ['B-1'] } });
    if (fate === 'nothing') t.match(run, { status: 200, body: { rows: [{ data: { cle: 'B-1' } }] } }, name);
    else t.match(run, { status: 422, body: { code: 'extraction_failed', detail: message } }, name);
    t.notMatch(JSON.stringify(run.body), /coffre|root:/, `${name} tells nothing`);
  }
  t.same(await stateOf(database), before, 'nothing has changed');
  t.notOk(existsSync('/tmp/hostile'));
  must(await inject('PATCH', path, { body: { query: benefQuery }, headers: anyRevision }), 200);
  t.match(
    await inject('POST', `${path}/run`, { body: { keys: ['B-1'] } }),
    { status: 200 },
    'and the next one is served',
  );
});

t.test('the transaction alone keeps an owner from writing, and the role alone keeps its reader from it', async (t) => {
  const service = await startService(t);
  const database = await createSourceDatabase(t);
  await prepare(database);
  const before = await stateOf(database);
  const owner = new URL(service.databaseUrl);
  const settings = { ...database.settings, user: decodeURIComponent(owner.username) };
  const password = decodeURIComponent(owner.password) || 'none';
  const id = await addSource(service, { settings, password });
  t.match(await service.inject('POST', `/v1/data-sources/${id}/test`), {
    status: 200,
    body: { ok: true, canWrite: true, warnings: [/superuser/] },
  });
  const path = await addExtraction(service);
  const where = 'membre as cle from benef where membre = any(:keys)';
  for (const query of [
    `select effacer() as a, ${where}`,
    `select nextval('compteur') as a, ${where}`,
    `select lo_create(0) as a, ${where}`,
    `select ${where} for update`,
  ]) {
    const run = await service.inject('POST', `${path}/run`, { body: { keys: ['B-1'], query } });
    t.match(run, { status: 422, body: { code: 'extraction_failed', detail: /25006/ } }, query);
  }
  for (const statement of [
    'delete from benef',
    "insert into benef (membre) values ('X')",
    "update benef set nom_benef = 'x'",
    'truncate benef',
    'drop table benef',
    'create table autre (a int)',
    "select nextval('compteur')",
    'select effacer()',
    'select secret from caisse',
    "copy benef to program 'true'",
  ]) {
    await t.rejects(database.read.unsafe(statement), { code: '42501' }, `the role: ${statement}`);
  }
  t.same(await stateOf(database), before, 'nothing has changed');
});

t.test('hostile keys are values, whatever they say', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const database = await createSourceDatabase(t);
  await prepare(database);
  await addSource(service, database);
  const path = await addExtraction(service);
  const before = await stateOf(database);
  const run = (keys: string[]) => inject('POST', `${path}/run`, { body: { keys } });
  for (const key of hostileKeys) {
    t.match(must(await run([key]), 200).rows, [{ key, data: null, reason: 'extraction_missing' }], key);
  }
  const { rows } = must(await run([...hostileKeys, 'B-1']), 200);
  t.equal(rows.filter(({ data }: { data: unknown }) => data !== null).length, 1);
  t.same(await stateOf(database), before);
  await database.own`insert into benef (membre, nom_benef) select unnest(${hostileKeys}::text[]), 'à elle'`;
  for (const key of hostileKeys)
    t.match(must(await run([key]), 200).rows, [{ key, data: { cle: key } }], `${key} is found`);
  t.match(
    await inject('POST', `${path}/run`, {
      payload: '{"keys":["a\\u0000"]}',
      headers: { 'content-type': 'application/json' },
    }),
    {
      status: 400,
      body: { code: 'invalid_json' },
    },
  );
});

t.test('keys of another type than the source’s are no fault', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const database = await createSourceDatabase(t);
  await addSource(service, database);
  const query = 'select numero, nom_benef from benef where numero = any(:keys)';
  const path = await addExtraction(service, { query, keyColumn: 'numero', keyType: 'integer' });
  const keys = ['1', '0002', '+1', 'x', '1 or 1=1', '9'.repeat(29), '-1', '1e0', '９'];
  const { rows } = must(await inject('POST', `${path}/run`, { body: { keys } }), 200);
  t.same(
    rows.map(({ data }: { data: { nom_benef: string } | null }) => data?.nom_benef ?? null),
    ['Lefèvre', 'D’Hérouville', 'Lefèvre', null, null, null, null, null, null],
  );
  const text = await inject('POST', `${path}/run`, {
    body: { keys: ['1'], query: `${query} and membre = any(:keys)` },
  });
  t.match(text, { status: 422, body: { code: 'extraction_failed', detail: /text = bigint.*42883, line 1/ } });
});
