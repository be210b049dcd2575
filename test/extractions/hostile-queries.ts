/** Queries that try to do more than read what the role may read, and what must come of each. */

const where = 'from benef where membre = any(:keys)';

/** `saved`: refused when it is saved. `asked`: refused by the database. `nothing`: it answers, and has changed nothing. */
export type Fate = 'saved' | 'asked' | 'nothing';

export const hostileQueries: Record<string, [query: string, fate: Fate, message?: RegExp]> = {
  'a second statement': [`select membre as cle ${where}; drop table benef`, 'saved', /semicolon/],
  'a second statement behind the wrapper': [`select membre as cle ${where}) as e; drop table benef; --`, 'saved'],
  'a parenthesis that closes the wrapper': [`select membre as cle ${where}) as e union select (tableoid`, 'saved'],
  'a comment at the end': [`select membre as cle ${where} --`, 'nothing'],
  'a comment that does not end': [`select membre as cle ${where} /*`, 'saved', /does not end/],
  'a nested comment that does not end': [`select membre as cle ${where} /* /* */`, 'saved', /does not end/],
  'a comment that hides a parenthesis': [`select membre as cle ${where} /* ) as e; drop table benef; */`, 'nothing'],
  'a quote that does not end': [`select 'cle as cle ${where}`, 'saved', /does not end/],
  'a backslash in a plain string': [
    `select '\\' as a, membre as cle ${where} and membre <> '); drop table benef; --'`,
    'nothing',
  ],
  'a backslash in an E string': [`select E'\\'' as a, membre as cle ${where}`, 'nothing'],
  'a dollar quote that hides a statement': [
    `select $x$); drop table benef; --$x$ as a, membre as cle ${where}`,
    'nothing',
  ],
  'a dollar quote that does not end': [`select $x$ as a, membre as cle ${where}`, 'saved', /does not end/],
  'a parameter of its own': [`select $2 as a, membre as cle ${where}`, 'saved', /:keys/],
  'a WITH that deletes': [
    `with gone as (delete from benef returning *) select membre as cle from gone where membre = any(:keys)`,
    'asked',
    /0A000|top level/,
  ],
  'a WITH that updates, deeper': [
    `select cle from (with a as (update benef set nom_benef = 'x' returning membre as cle) select * from a) b where cle = any(:keys)`,
    'asked',
    /0A000|top level/,
  ],
  'insert in the place of select': [
    `insert into benef (membre) select unnest(:keys) returning membre as cle`,
    'asked',
    /42601/,
  ],
  'a dollar tag beyond all alphabets': [
    `select $🧨½$ ) as e; drop table benef; :keys $🧨½$ as a, membre as cle ${where}`,
    'nothing',
  ],
  'a name that ends with two dollars': [
    `select 1 as a½$$, membre as cle ${where}; select 2 as b$$`,
    'saved',
    /semicolon/,
  ],
  'a do block': [`do $$ begin delete from benef where membre = any(:keys); end $$`, 'saved', /does not use :keys/],
  'a do block with the parameter outside': [`do $$ begin delete from benef; end $$ -- \n :keys`, 'asked', /42601/],
  'set role': [`set role postgres /* */ , :keys`, 'asked', /42601/],
  'set_config of the role': [`select set_config('role', 'postgres', false) as a, membre as cle ${where}`, 'asked', /./],
  'set_config of the transaction': [
    `select set_config('transaction_read_only', 'off', false) as a, membre as cle ${where}`,
    'asked',
    /25001/,
  ],
  'set_config of the time limit': [
    `select set_config('statement_timeout', '0', false) as a, membre as cle ${where}`,
    'nothing',
  ],
  'copy to a program': [`copy (select :keys) to program 'touch /tmp/hostile'`, 'asked', /42601/],
  'copy from a program': [`copy benef from program 'echo :keys' where membre = any(:keys)`, 'asked', /42601/],
  'reading a file': [`select pg_read_file('/etc/passwd') as a, membre as cle ${where}`, 'asked', /42501/],
  'listing a folder': [`select pg_ls_dir('/') as a, membre as cle ${where}`, 'asked', /42501/],
  'a large object from a file': [
    `select lo_import('/etc/passwd') as a, membre as cle ${where}`,
    'asked',
    /42501|25006/,
  ],
  'a large object to a file': [
    `select lo_export(1, '/tmp/hostile') as a, membre as cle ${where}`,
    'asked',
    /42501|25006/,
  ],
  'another database by dblink': [
    `select a, membre as cle from dblink('host=127.0.0.1', 'select 1') as d(a int), benef where membre = any(:keys)`,
    'asked',
    /42883/,
  ],
  'a sequence': [`select nextval('compteur') as a, membre as cle ${where}`, 'asked', /25006|42501/],
  'a lock of rows': [`select membre as cle ${where} for update`, 'asked', /25006|42501/],
  'a sleep past the limit': [`select pg_sleep(60)::text as a, membre as cle ${where}`, 'asked', /statementTimeoutMs/],
  'a query without an end': [
    `with recursive n(i) as (select 1 union all select i + 1 from n) select 'B-1' as cle, max(i) as i from n where 'B-1' = any(:keys)`,
    'asked',
    /statementTimeoutMs|53/,
  ],
  'more rows than are allowed': [
    `select 'B-1' as cle, n from generate_series(1, 100000) as n where 'B-1' = any(:keys)`,
    'asked',
    /maximumRows/,
  ],
  'a value of 60 MB': [
    `select 'B-1' as cle, repeat('x', 60000000) as a where 'B-1' = any(:keys)`,
    'asked',
    /too large/,
  ],
  'passwords of roles': [
    `select rolpassword as a, 'B-1' as cle from pg_authid where 'B-1' = any(:keys)`,
    'asked',
    /42501/,
  ],
  'ending other sessions': [
    `select pg_terminate_backend(pid)::text as a, 'B-1' as cle from pg_stat_activity where usename <> current_user and 'B-1' = any(:keys)`,
    'asked',
    /42501/,
  ],
  'a reload of the server': [`select pg_reload_conf() as a, membre as cle ${where}`, 'asked', /42501/],
  'a table that the role may not read': [
    `select secret as a, membre as cle from caisse where membre = any(:keys)`,
    'asked',
    /42501/,
  ],
  bytes: [`select contenu, membre as cle from piece where membre = any(:keys)`, 'asked', /bytes/],
  'a column that is no field': [`select membre as cle, 1 as "a b" ${where}`, 'asked', /merge field/],
  'a column twice': [`select membre as cle, nom_benef, nom_benef ${where}`, 'asked', /twice/],
  'no key column': [`select membre ${where}`, 'asked', /keyColumn/],
  begin: [`begin; select :keys`, 'saved', /semicolon/],
  'a function that writes': [`select effacer() as a, membre as cle ${where}`, 'asked', /25006|42501/],
};

/** Keys that try to be more than a value. Each is asked about, alone and with the others. */
export const hostileKeys: string[] = [
  "'); drop table benef; --",
  "B-1' or '1'='1",
  'B-1"}; drop table benef; --',
  '{B-1,B-2}',
  '}',
  '"',
  '\\',
  "\\'",
  'B-1\\',
  'NULL',
  '$1',
  ':keys',
  '%',
  '_',
  '’ or 1=1 --',
  'B‑1',
  '＇; drop table benef; --',
  '\u202eB-1',
  'B-1,B-2',
  '/* */',
  "E'\\x27'",
  "U&'\\0027'",
  '0x27',
  '🧨'.repeat(50),
];
