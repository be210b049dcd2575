import t from 'tap';
import { startService } from '../support/service.ts';
import { addExtraction, addSource, benefQuery, createSourceDatabase } from '../support/source-database.ts';
import { must } from '../support/templates.ts';

const anyRevision = { 'if-match': '*' };

t.test(
  'an extraction is made without being told its fields, read, tried, changed under its ETag, deleted',
  async (t) => {
    const service = await startService(t);
    const { inject } = service;
    const source = await addSource(service, await createSourceDatabase(t));
    const path = await addExtraction(service, { pages: ['beneficiaire'] });
    const fields = {
      type: 'object',
      properties: { cle: { type: 'string' }, nom_benef: { type: 'string' }, mail: { type: 'string' } },
    };
    const read = await inject('GET', path);
    t.match(read.body, { key: 'benef', dataSource: source, keyType: 'string', listField: null, broken: [] });
    t.same(read.body.fields, fields);
    const run = must(await inject('POST', `${path}/run`, { body: { keys: ['B-1', 'B-3', 'B-9'] } }), 200);
    t.same(run, {
      rows: [
        { key: 'B-1', data: { cle: 'B-1', nom_benef: 'Lefèvre', mail: 'b1@courriel.example' }, reason: null },
        { key: 'B-3', data: null, reason: 'extraction_ambiguous' },
        { key: 'B-9', data: null, reason: 'extraction_missing' },
      ],
      fields,
      broken: [],
      kept: false,
    });
    const change = { body: { title: 'Bénéf.' }, headers: { 'if-match': String(read.headers.etag) } };
    t.match(await inject('PATCH', path, change), { status: 200, body: { title: 'Bénéf.', fields } });
    t.equal((await inject('PATCH', path, change)).status, 412);
    t.match(must(await inject('GET', '/v1/extractions?key=benef'), 200).items, [{ key: 'benef' }]);
    t.match(must(await inject('GET', `/v1/extractions?dataSource=${source}`), 200).items, [{ key: 'benef' }]);
    t.match(await inject('DELETE', `/v1/data-sources/${source}`), {
      status: 409,
      body: { code: 'in_use', errors: [{ code: 'used_by_extraction', message: 'benef asks it' }] },
    });
    must(await inject('DELETE', path), 204);
    must(await inject('DELETE', `/v1/data-sources/${source}`), 204);
  },
);

t.test('values keep all they are: numbers, times, booleans, JSON', async (t) => {
  const service = await startService(t);
  await addSource(service, await createSourceDatabase(t));
  const path = await addExtraction(service, {
    query: 'select * from benef where membre = any(:keys)',
    keyColumn: 'membre',
  });
  const shape = must(await service.inject('GET', path), 200).fields.properties as Record<string, object>;
  t.match(shape, {
    numero: { type: 'integer' },
    ne_le: { type: 'string', format: 'date' },
    solde: { type: 'number' },
    plafond: { type: 'integer' },
    vu_le: { type: 'string', format: 'date-time' },
    saisi_le: { type: 'string', format: 'date-time' },
    actif: { type: 'boolean' },
    notes: { type: 'object' },
  });
  const run = (body: object) => service.inject('POST', `${path}/run`, { body });
  const { rows } = must(await run({ keys: ['B-1', 'B-2'] }), 200);
  t.same(rows[0].data, {
    membre: 'B-1',
    numero: 1,
    nom_benef: 'Lefèvre',
    mail: 'b1@courriel.example',
    ne_le: '1980-03-05',
    solde: 98.7,
    plafond: '9007199254740993',
    vu_le: '2026-01-02T09:00:00Z',
    saisi_le: '2026-01-02T10:00:00',
    actif: true,
    notes: { rang: 1, solde: '12345678901234567890' },
  });
  t.match(rows[1].data, { ne_le: null, solde: 0, actif: false, notes: null });
  const query = `select 'B-1' as membre, 1.10::numeric as a, 12345678901234567.89::numeric as b, 'NaN'::float8 as c,
    'infinity'::timestamptz as d, 0.1::float8 as e, 'x'::char(5) as f, interval '1 day 2 hours' as g, null as h,
    '12:30'::time as i, 1e30::numeric as j, -0.5 as k where 'B-1' = any(:keys)`;
  const odd = must(await run({ keys: ['B-1'], query }), 200).rows[0].data;
  t.same(odd, {
    membre: 'B-1',
    a: 1.1,
    b: '12345678901234567.89',
    c: 'NaN',
    d: 'infinity',
    e: 0.1,
    f: 'x',
    g: 'P1DT2H',
    h: null,
    i: '12:30:00',
    j: '1000000000000000000000000000000',
    k: -0.5,
  });
  for (const [column, fault] of [
    ["array['a']", /to_json/],
    ["'\\x00'::bytea", /bytes/],
    ['\'{"a": "\\u0000"}\'::json', /U\+0000/],
    ['\'{"__proto__": 1}\'::jsonb', /__proto__/],
  ] as const) {
    const refused = await run({
      keys: ['B-1'],
      query: `select 'B-1' as membre, ${column} as a where 'B-1' = any(:keys)`,
    });
    t.match(refused, { status: 422, body: { code: 'extraction_failed', detail: fault } }, column);
  }
});

t.test('with listField the rows of a key become a list, in the order of the query', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  await addSource(service, await createSourceDatabase(t));
  const query = 'select membre as cle, libelle, montant from contrat where membre = any(:keys) order by debut';
  const path = await addExtraction(service, { key: 'contrats', query, listField: 'contrats' });
  const { rows, fields } = must(await inject('POST', `${path}/run`, { body: { keys: ['B-1', 'B-2', 'B-3'] } }), 200);
  t.match(rows, [
    {
      key: 'B-1',
      data: {
        contrats: [
          { libelle: 'Prévoyance', montant: 12 },
          { libelle: 'Santé', montant: 45.5 },
        ],
      },
    },
    { key: 'B-2', data: { contrats: [{ libelle: 'Santé' }] } },
    { key: 'B-3', data: null, reason: 'extraction_missing' },
  ]);
  const item = { cle: { type: 'string' }, libelle: { type: 'string' }, montant: { type: 'number' } };
  t.same(fields.properties.contrats.items.properties, item);
  const { items } = must(await inject('GET', '/v1/fields'), 200);
  t.match(items, [
    { path: 'contrats', source: 'contrats' },
    { path: 'contrats[].cle', source: 'contrats' },
    { path: 'contrats[].libelle', source: 'contrats', type: 'string' },
    { path: 'contrats[].montant', source: 'contrats', type: 'number' },
  ]);
});

t.test('what could never work is refused when it is saved, with its place', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  await addSource(service, await createSourceDatabase(t));
  const good = { key: 'x', title: 'X', dataSource: 'gestion', query: benefQuery, keyColumn: 'cle' };
  const wrong: [change: object, pointer: string, code: string][] = [
    [{ dataSource: 'other' }, '/dataSource', 'data_source_unknown'],
    [{ query: 'select 1 as cle' }, '/query', 'query_invalid'],
    [{ query: "select ':keys' as cle" }, '/query', 'query_invalid'],
    [{ query: 'select 1::keys as cle' }, '/query', 'query_invalid'],
    [{ query: 'select :keysx as cle' }, '/query', 'query_invalid'],
    [{ query: 'select 1 as cle -- :keys' }, '/query', 'query_invalid'],
    [{ query: 'select $$ :keys $$ as cle' }, '/query', 'query_invalid'],
    [{ keyColumn: 'a b' }, '/keyColumn', 'wrong_format'],
    [{ listField: 'a.b' }, '/listField', 'wrong_format'],
    [{ fields: { type: 'array' } }, '/fields', 'not_allowed'],
  ];
  for (const [change, pointer, code] of wrong) {
    const answer = await inject('POST', '/v1/extractions', { body: { ...good, ...change } });
    t.match(answer, { status: 422, body: { errors: [{ pointer, code }] } }, JSON.stringify(change));
  }
  const asked = await inject('POST', '/v1/extractions', {
    body: { ...good, query: 'select x as cle from y where z = any(:keys)' },
  });
  t.match(asked, {
    status: 422,
    body: { code: 'extraction_failed', detail: /relation "y" does not exist \(SQLSTATE 42P01, line 1\)/ },
  });
  t.same(must(await inject('GET', '/v1/extractions'), 200).items, []);
  const said = { ...good, query: 'select x as cle from y where z = any(:keys)', fields: null };
  t.equal(
    (await inject('POST', '/v1/extractions', { body: said })).status,
    201,
    'with its fields said nobody is asked',
  );
});

t.test(
  'what people said of a field stays when the query is changed; another query is tried before it is kept',
  async (t) => {
    const service = await startService(t);
    const { inject } = service;
    await addSource(service, await createSourceDatabase(t));
    const path = await addExtraction(service, { pages: ['fiche'] });
    const { fields } = must(await inject('GET', path), 200);
    fields.properties.nom_benef = { ...fields.properties.nom_benef, title: 'Nom', examples: ['Lefèvre'] };
    must(await inject('PATCH', path, { body: { fields }, headers: anyRevision }), 200);
    const query = 'select membre as cle, nom_benef, ne_le from benef where membre = any(:keys)';
    const tried = must(await inject('POST', `${path}/run`, { body: { keys: ['B-1'], query } }), 200);
    const properties = {
      cle: { type: 'string' },
      nom_benef: { type: 'string', title: 'Nom', examples: ['Lefèvre'] },
      ne_le: { type: 'string', format: 'date' },
    };
    t.same(tried.fields.properties, properties);
    t.match(must(await inject('GET', path), 200), { query: benefQuery, fields }, 'nothing was kept');
    const kept = must(await inject('POST', `${path}/run`, { body: { keys: ['B-1'], query, keep: true } }), 200);
    t.equal(kept.kept, true);
    t.match(must(await inject('GET', path), 200), { query, fields: { properties } });
    const changed = await inject('PATCH', path, { body: { query: benefQuery }, headers: anyRevision });
    t.match(changed, { status: 200, body: { fields: { properties: { nom_benef: { title: 'Nom' }, mail: {} } } } });
    t.notOk('ne_le' in changed.body.fields.properties);
  },
);

t.test('what people said of the inside of a field stays when it is described again', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  await addSource(service, await createSourceDatabase(t));
  const query = 'select membre as cle, mail, notes, notes as pieces, ne_le from benef where membre = any(:keys)';
  const path = await addExtraction(service, { query });
  const patch = (body: object) => inject('PATCH', path, { body, headers: anyRevision });
  const { properties } = must(await inject('GET', path), 200).fields;
  const said = {
    ...properties,
    mail: { type: 'string', format: 'email' },
    notes: { type: 'object', properties: { rang: { type: 'integer' } }, required: ['rang'] },
    pieces: { type: 'array', items: { type: 'object', properties: { nom: { type: 'string' } } } },
  };
  must(await patch({ fields: { type: 'object', properties: said } }), 200);
  const again = must(await patch({ query: `${query} and numero > 0` }), 200);
  t.same(again.fields.properties, said);
  const other = query.replace('notes as pieces', 'numero as pieces').replace('mail', 'solde as mail');
  const changed = must(await patch({ query: other }), 200).fields.properties;
  t.match(changed, { mail: { type: 'number' }, pieces: { type: 'integer' } });
  t.notOk(changed.mail.format ?? changed.pieces.items, 'of another type nothing of it is true any more');
});

t.test('an organisation has a hundred extractions at most', async (t) => {
  const service = await startService(t);
  await addSource(service, await createSourceDatabase(t));
  for (let index = 0; index < 100; index += 1) await addExtraction(service, { key: `e${index}`, fields: null });
  const body = { key: 'e', title: 'E', dataSource: 'gestion', query: benefQuery, keyColumn: 'cle', fields: null };
  t.match(await service.inject('POST', '/v1/extractions', { body }), {
    status: 422,
    body: { errors: [{ pointer: '/key', code: 'too_many' }] },
  });
});
