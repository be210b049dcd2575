/**
 * Extractions from a real MariaDB: `MARIADB_URL` (`mariadb://user:password@127.0.0.1:3306`) names one, with a user that
 * may make databases and users. Without it these tests are skipped.
 */
import { randomBytes } from 'node:crypto';
import { createConnection } from 'mariadb';
import t, { type Test } from 'tap';
import { startService } from '../support/service.ts';
import { addExtraction, addSource } from '../support/source-database.ts';
import { must } from '../support/templates.ts';

const server = process.env.MARIADB_URL;
const options = server === undefined ? { skip: 'set MARIADB_URL to run the tests of MariaDB' } : {};
const where = 'from benef where membre in (:keys)';

const tables = [
  `create table benef (membre varchar(20), numero int, nom_benef varchar(100), ne_le date, solde decimal(12, 2),
    plafond bigint, vu_le timestamp null, saisi_le datetime null, actif boolean, note double)`,
  `insert into benef values ('B-1', 1, 'Lefèvre', '1980-03-05', 98.70, 9007199254740993, '2026-01-02 09:00:00',
    '2026-01-02 10:00:00', true, 1.5), ('B-2', 2, 'D’Hérouville', null, 0, 12, null, null, false, null)`,
  'create table contrat (membre varchar(20), libelle varchar(50), montant decimal(10, 2))',
  "insert into contrat values ('B-1', 'Santé', 45.50), ('B-1', 'Prévoyance', 12)",
  'create table piece (membre varchar(20), contenu blob, forme json)',
  `insert into piece values ('B-1', x'00ff', '{"rang": 1}')`,
  `create function effacer() returns int modifies sql data begin delete from benef; return 1; end`,
];

/** A database with a user that can only read it. */
async function createMariadb(t: Test) {
  const url = new URL(server ?? '');
  const owner = await createConnection({
    host: url.hostname,
    port: Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  });
  const name = `source_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  await owner.query(`create database ${name} character set utf8mb4`);
  await owner.query(`use ${name}`);
  await owner.query("set time_zone = '+00:00'");
  for (const statement of tables) await owner.query(statement);
  await owner.query(`create user ${name}@'127.0.0.1' identified by '${password}'`);
  await owner.query(`grant select on ${name}.* to ${name}@'127.0.0.1'`);
  t.teardown(async () => {
    await owner.query(`drop user ${name}@'127.0.0.1'`);
    await owner.query(`drop database ${name}`);
    await owner.end();
  });
  const settings = { host: '127.0.0.1', port: Number(url.port), database: name, user: name, tls: 'none' as const };
  return { owner, name, url, source: { settings, password } };
}

async function start(t: Test) {
  const service = await startService(t);
  const database = await createMariadb(t);
  const id = await addSource(service, database.source as never, {
    kind: 'mariadb',
    statementTimeoutMs: 1_500,
    maximumRows: 1_000,
  });
  return { service, ...database, path: `/v1/data-sources/${id}` };
}

t.test('MariaDB: fields of every type, without loss', options, async (t) => {
  const { service } = await start(t);
  const path = await addExtraction(service, { query: `select * ${where}`, keyColumn: 'membre' });
  const shape = must(await service.inject('GET', path), 200).fields.properties;
  t.same(
    Object.fromEntries(
      Object.entries(shape as Record<string, { type: string; format?: string }>).map(([name, { type, format }]) => [
        name,
        format ?? type,
      ]),
    ),
    {
      membre: 'string',
      numero: 'integer',
      nom_benef: 'string',
      ne_le: 'date',
      solde: 'number',
      plafond: 'integer',
      vu_le: 'date-time',
      saisi_le: 'date-time',
      actif: 'boolean',
      note: 'number',
    },
  );
  const { rows } = must(await service.inject('POST', `${path}/run`, { body: { keys: ['B-1', 'B-2', 'B-9'] } }), 200);
  t.same(rows[0].data, {
    membre: 'B-1',
    numero: 1,
    nom_benef: 'Lefèvre',
    ne_le: '1980-03-05',
    solde: 98.7,
    plafond: '9007199254740993',
    vu_le: '2026-01-02T09:00:00Z',
    saisi_le: '2026-01-02T10:00:00',
    actif: true,
    note: 1.5,
  });
  t.match(rows[1].data, { actif: false, ne_le: null, solde: 0, vu_le: null });
  t.equal(rows[2].reason, 'extraction_missing');
  const query = 'select membre, forme from piece where membre in (:keys)';
  const json = must(await service.inject('POST', `${path}/run`, { body: { keys: ['B-1'], query } }), 200);
  t.same(json.rows[0].data, { membre: 'B-1', forme: { rang: 1 } });
});

t.test('MariaDB: several rows of a key become a list; integer keys', options, async (t) => {
  const { service } = await start(t);
  const list = await addExtraction(service, {
    query: 'select membre as cle, libelle, montant from contrat where membre in (:keys) order by montant limit 1000',
    listField: 'contrats',
  });
  t.match(must(await service.inject('POST', `${list}/run`, { body: { keys: ['B-1'] } }), 200).rows, [
    {
      data: {
        contrats: [
          { libelle: 'Prévoyance', montant: 12 },
          { libelle: 'Santé', montant: 45.5 },
        ],
      },
    },
  ]);
  const query = 'select numero, nom_benef from benef where numero in (:keys) or numero in (:keys)';
  const numbers = await addExtraction(service, { key: 'numero', query, keyColumn: 'numero', keyType: 'integer' });
  const { rows } = must(await service.inject('POST', `${numbers}/run`, { body: { keys: ['02', 'x'] } }), 200);
  t.match(rows, [{ data: { nom_benef: 'D’Hérouville' } }, { data: null }]);
});

t.test('MariaDB: columns and values that are null are counted before they come', options, async (t) => {
  const { service, path: source } = await start(t);
  const { inject } = service;
  must(await inject('PATCH', source, { body: { maximumRows: 100_000 }, headers: { 'if-match': '*' } }), 200);
  const path = await addExtraction(service, { query: `select membre as cle ${where}` });
  const run = (count: number, rows: number) => {
    const columns = Array.from({ length: count - 1 }, (_, index) => `null a${index}`).join();
    const query = `select 'B-1' cle,${columns} from seq_1_to_${rows} where 'B-1' in (:keys)`;
    return inject('POST', `${path}/run`, { body: { keys: ['B-1'], query } });
  };
  t.match(await run(1_001, 1), { status: 422, body: { errors: [{ code: 'too_large', message: /1000 columns/ }] } });
  t.match(await run(900, 5_000), { status: 422, body: { errors: [{ code: 'too_large', message: /2000000 values/ }] } });
  t.match(await run(3, 100_001), { status: 422, body: { errors: [{ code: 'too_many_rows' }] } });
});

const hostile: Record<string, [query: string, fate: 'saved' | 'asked' | 'nothing', message?: RegExp]> = {
  'a second statement': [`select membre as cle ${where}; drop table benef`, 'saved'],
  'a parenthesis that closes the wrapper': [`select membre as cle ${where}) as e; drop table benef; -- `, 'saved'],
  'a comment at the end': [`select membre as cle ${where} -- `, 'nothing'],
  'a comment by a number sign': [`select membre as cle ${where} # ) as e`, 'nothing'],
  'a comment that does not end': [`select membre as cle ${where} /*`, 'saved'],
  'a comment that is carried out': [`select membre as cle ${where} /*! ) as e; drop table benef */`, 'saved'],
  'a backslash in a string': [`select '\\'' as a, membre as cle ${where}`, 'nothing'],
  'a quote that a backslash keeps open': [`select '\\' as a, membre as cle ${where}`, 'saved'],
  'a place of its own': [`select ? as a, membre as cle ${where}`, 'saved'],
  'delete in the place of select': [
    'delete from benef where membre in (:keys) returning membre as cle',
    'asked',
    /42000/,
  ],
  'an update': ["update benef set nom_benef = 'x' where membre in (:keys)", 'asked', /42000/],
  'into a file': [`select membre as cle ${where} into outfile '/tmp/hostile-mariadb'`, 'asked', /42000|HY000/],
  'a variable': [`select membre into @a ${where}`, 'asked', /42000|HY000/],
  'a call': ['call effacer(:keys)', 'asked', /42000/],
  'a file': [`select load_file('/etc/passwd') as a, membre as cle ${where}`, 'asked', /bytes/],
  'a file as text': [`select convert(load_file('/etc/passwd') using utf8mb4) as a, membre as cle ${where}`, 'nothing'],
  'a sleep past the limit': [`select sleep(60) as a, membre as cle ${where}`, 'asked', /statementTimeoutMs/],
  'a work without an end': [
    `select benchmark(100000000000, sha2('x', 512)) as a, membre as cle ${where}`,
    'asked',
    /statementTimeoutMs/,
  ],
  'more rows than are allowed': [
    "select 'B-1' as cle, seq from seq_1_to_100000 where 'B-1' in (:keys)",
    'asked',
    /maximumRows/,
  ],
  'passwords of users': [
    "select authentication_string as a, 'B-1' as cle from mysql.user where 'B-1' in (:keys)",
    'asked',
    /42000/,
  ],
  'a function that writes': [`select effacer() as a, membre as cle ${where}`, 'asked', /42000|25006/],
  bytes: ['select contenu, membre as cle from piece where membre in (:keys)', 'asked', /bytes/],
  'a lock of rows': [`select membre as cle ${where} for update`, 'asked', /42000|25006/],
};

t.test('MariaDB: quotes are what they were read as, whatever the server is set to', options, async (t) => {
  const { service, owner } = await start(t);
  const [before] = await owner.query('select @@global.sql_mode as mode');
  await owner.query("set global sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,ORACLE'");
  t.teardown(() => owner.query('set global sql_mode = ?', [before.mode]));
  const query = `select "B-1" as cle, '\\'' as quote ${where}`;
  const path = await addExtraction(service, { query });
  t.match(must(await service.inject('POST', `${path}/run`, { body: { keys: ['B-1'] } }), 200).rows, [
    { data: { cle: 'B-1', quote: "'" } },
  ]);
});

t.test('MariaDB: hostile queries and keys are refused or harmless', options, async (t) => {
  const { service, owner } = await start(t);
  const { inject } = service;
  const path = await addExtraction(service, { query: `select membre as cle, nom_benef ${where}` });
  const before = await owner.query('select * from benef order by membre');
  for (const [name, [query, fate, message = /./]] of Object.entries(hostile)) {
    const saved = await inject('PATCH', path, { body: { query, fields: null }, headers: { 'if-match': '*' } });
    t.equal(saved.status, fate === 'saved' ? 422 : 200, `${name} is ${fate === 'saved' ? 'not ' : ''}saved`);
    if (fate === 'saved') continue;
    const run = await inject('POST', `${path}/run`, { body: { keys: ['B-1'] } });
    if (fate === 'nothing') t.match(run, { status: 200, body: { rows: [{ data: { cle: 'B-1' } }] } }, name);
    else t.match(run, { status: 422, body: { code: 'extraction_failed', detail: message } }, name);
    t.notMatch(JSON.stringify(run.body), /root:/, name);
  }
  const query = `select membre as cle ${where}`;
  for (const key of ["'); drop table benef; --", "' or 1=1 -- ", '\\', "\\'", '?', ':keys', 'x" or ""="', '%', '’']) {
    const run = await inject('POST', `${path}/run`, { body: { keys: [key], query } });
    t.match(run, { status: 200, body: { rows: [{ key, data: null }] } }, key);
  }
  t.same(await owner.query('select * from benef order by membre'), before, 'nothing has changed');
});

t.test('MariaDB: the transaction alone keeps an owner from writing', options, async (t) => {
  const { service, owner, source, url, path } = await start(t);
  t.match(must(await service.inject('POST', `${path}/test`), 200), { ok: true, canWrite: false, warnings: [] });
  const settings = { ...source.settings, user: decodeURIComponent(url.username) };
  const secrets = { password: decodeURIComponent(url.password) };
  must(await service.inject('PATCH', path, { body: { settings, secrets }, headers: { 'if-match': '*' } }), 200);
  t.match(must(await service.inject('POST', `${path}/test`), 200), { ok: true, canWrite: true, warnings: [/INSERT/] });
  const extraction = await addExtraction(service, { query: `select membre as cle ${where}` });
  const query = `select effacer() as a, membre as cle ${where}`;
  t.match(await service.inject('POST', `${extraction}/run`, { body: { keys: ['B-1'], query } }), {
    status: 422,
    body: { code: 'extraction_failed', detail: /READ ONLY/ },
  });
  t.equal((await owner.query('select * from benef')).length, 2);
});

t.test('MariaDB: a wrong password and a wrong port are told apart', options, async (t) => {
  const { service, source, path } = await start(t);
  const { inject } = service;
  const change = (body: object) => inject('PATCH', path, { body, headers: { 'if-match': '*' } });
  must(await change({ secrets: { password: 'wrong' } }), 200);
  t.match(must(await inject('POST', `${path}/test`), 200), { ok: false, fault: 'login_refused' });
  must(await change({ settings: { ...source.settings, port: 1 }, secrets: { password: 'wrong' } }), 200);
  t.match(must(await inject('POST', `${path}/test`), 200), { ok: false, fault: 'unreachable' });
  must(
    await change({ settings: { ...source.settings, tls: 'required' }, secrets: { password: source.password } }),
    200,
  );
  t.match(must(await inject('POST', `${path}/test`), 200), { ok: false, fault: 'tls_failed' });
});
