import t from 'tap';
import { addFieldLists, fieldLists } from '../support/field-lists.ts';
import { startService } from '../support/service.ts';
import { must } from '../support/templates.ts';

t.test('a list of fields is made once, read, changed under its ETag, and another tenant’s is not there', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const { personne = '' } = await addFieldLists(service, ['personne']);
  const body = { key: 'personne', ...fieldLists.personne };
  t.match(await inject('POST', '/v1/field-lists', { body }), { status: 409, body: { code: 'conflict' } });
  const read = await inject('GET', personne);
  t.match(read.body, { key: 'personne', trigger: 'person', pages: [], fields: fieldLists.personne.fields, broken: [] });
  const change = { body: { title: 'Personnes' }, headers: { 'if-match': String(read.headers.etag) } };
  t.match(await inject('PATCH', personne, change), { status: 200, body: { title: 'Personnes', trigger: 'person' } });
  t.equal((await inject('PATCH', personne, change)).status, 412);
  t.match(must(await inject('GET', '/v1/field-lists?key=personne'), 200).items, [{ key: 'personne' }]);
  const other = await service.addTenant('Autre');
  for (const method of ['GET', 'DELETE'] as const)
    t.equal((await inject(method, personne, { key: other.key })).status, 404);
});

t.test('what is no shape of fields is refused, with its place', async (t) => {
  const { inject } = await startService(t);
  const leaf = { type: 'string' };
  const bad: [fields: unknown, pointer: string][] = [
    [{ type: 'array', items: leaf }, '/fields'],
    [{ type: 'object' }, '/fields'],
    [{ type: 'object', properties: { nom: { type: 'text' } } }, '/fields/properties/nom/type'],
    [{ type: 'object', properties: { nom: { ...leaf, pattern: 'a' } } }, '/fields/properties/nom'],
    [
      { type: 'object', properties: { a: { type: 'object', properties: { b: 1 } } } },
      '/fields/properties/a/properties/b',
    ],
    [{ type: 'object', properties: { 'a b': leaf } }, '/fields/properties'],
    [{ type: 'object', properties: { 'a b': null } }, '/fields/properties'],
    [{ type: 'object', properties: { a: null } }, '/fields/properties/a'],
    [{ type: 'object', properties: { a: { ...leaf, properties: { b: leaf } } } }, '/fields/properties/a/properties'],
    [{ type: 'object', properties: { a: { type: 'object', items: leaf } } }, '/fields/properties/a/items'],
    [{ type: 'object', properties: { a: { ...leaf, examples: ['x'.repeat(200_000)] } } }, '/fields'],
    [
      {
        type: 'object',
        properties: Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => [`f${index}`, leaf])),
      },
      '/fields',
    ],
  ];
  for (const [fields, pointer] of bad) {
    const body = { key: 'a', title: 'A', fields };
    const answer = await inject('POST', '/v1/field-lists', { body });
    t.equal(answer.status, 422, JSON.stringify(fields).slice(0, 80));
    t.ok(
      answer.body.errors.some((error: { pointer: string }) => error.pointer.startsWith(pointer)),
      `${pointer}: ${JSON.stringify(answer.body.errors).slice(0, 300)}`,
    );
  }
  t.match(await inject('POST', '/v1/field-lists', { body: { key: 'a', title: 'A', fields: 'x' } }), { status: 400 });
});

t.test('a template of 2,000 unknown fields against a thousand known ones is refused in bounded time', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const names = (word: string, count: number) => Array.from({ length: count }, (_, index) => `${word}_${index}`);
  const properties = Object.fromEntries(names('un_champ_connu', 1_000).map((name) => [name, { type: 'string' }]));
  const list = { key: 'tout', title: 'Tout', trigger: 'person', fields: { type: 'object', properties } };
  must(await inject('POST', '/v1/field-lists', { body: list }), 201);
  const template = { key: 'avis', title: 'Avis', channel: 'mail', trigger: 'person' };
  const { id } = must(await inject('POST', '/v1/templates', { body: template }), 201);
  const text = names('un_champ_inconnu', 2_000)
    .map((name) => `{{ ${name} }}`)
    .join('');
  const startedAt = performance.now();
  const refused = await inject('POST', `/v1/templates/${id}/versions`, { body: { subject: 'a', text, html: 'a' } });
  const milliseconds = performance.now() - startedAt;
  t.match(refused, { status: 422, body: { errors: { length: 100 } } });
  t.ok(milliseconds < 2_000, `${Math.round(milliseconds)} ms`);
});

t.test('an organisation has a hundred lists at most', async (t) => {
  const { inject } = await startService(t);
  const fields = { type: 'object', properties: { nom: { type: 'string' } } };
  const add = (index: number) => inject('POST', '/v1/field-lists', { body: { key: `l${index}`, title: 'L', fields } });
  for (let index = 0; index < 100; index += 1) must(await add(index), 201);
  t.match(await add(100), { status: 422, body: { errors: [{ pointer: '/key', code: 'too_many' }] } });
});

t.test('what loops read of members is held to the list, too', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const string = { type: 'string' };
  const fichiers = { type: 'array', items: { type: 'object', properties: { nom: string } } };
  const piece = { type: 'object', properties: { titre: string, fichiers } };
  const fields = { type: 'object', properties: { pieces: { type: 'array', items: piece }, noms: { type: 'array' } } };
  const made = must(
    await inject('POST', '/v1/templates', { body: { key: 'boucles', title: 'Boucles', channel: 'mail' } }),
    201,
  );
  const save = (text: string) =>
    inject('POST', `/v1/templates/${made.id}/versions`, { body: { subject: 'S', text, fields } });
  const good =
    '{% for p in pieces reversed limit: 3 %}{{ forloop.index }} {{ p.titre }}' +
    '{% for f in p.fichiers %}{{ p.titre }}{{ f.nom }}{% else %}aucun{% endfor %}{% endfor %}' +
    '{% for n in noms %}{{ n.quoi }}{% endfor %}{% for i in (1..3) %}{{ i }}{% endfor %}';
  t.same(must(await save(good), 201).usedFields, [
    'pieces',
    'noms',
    'pieces[].titre',
    'pieces[].fichiers',
    'pieces[].fichiers[].nom',
    'noms[].quoi',
  ]);
  for (const [text, path, suggestion] of [
    ['{% for p in pieces %}\n{{ p.titer }}{% endfor %}', 'pieces[].titer', 'pieces[].titre'],
    [
      '{% if pieces %}{% for p in pieces %}{% for f in p.fichiers %}{{ f.nomm }}{% endfor %}{% endfor %}{% endif %}',
      'pieces[].fichiers[].nomm',
      'pieces[].fichiers[].nom',
    ],
  ]) {
    const refused = await save(String(text));
    t.match(refused, { status: 422, body: { errors: [{ pointer: '/text', code: 'field_unknown' }] } }, String(path));
    t.equal(refused.body.errors.length, 1);
    t.match(refused.body.errors[0].message, `${path} is given by nothing; ${suggestion} is`);
  }
});
