import t from 'tap';
import { createCoverage, stepsOf } from '../../src/merge-fields/path.ts';
import { type FieldsShape, isFieldOf, listFields } from '../../src/merge-fields/shape.ts';
import { listVariableUses } from '../../src/templates/rendering/variables.ts';

const shape: FieldsShape = {
  type: 'object',
  properties: {
    nom: { type: 'string' },
    client: { type: 'object', properties: { rang: { type: 'integer' }, 'a-b': { type: 'string' } } },
    pieces: { type: 'array', items: { type: 'object', properties: { titre: { type: 'string' } } } },
    grille: {
      type: 'array',
      items: { type: 'array', items: { type: 'object', properties: { x: { type: 'number' } } } },
    },
    libre: { type: 'object' },
    liste: { type: 'array' },
  },
};

/** The path that a template with this output reads first. */
const pathOf = (written: string) => {
  const uses = listVariableUses([{ place: 'subject', html: false, source: `{{ ${written} }}` }]);
  return uses[0]?.path ?? '';
};

t.test('paths are read as templates write them', async (t) => {
  const steps: [written: string, steps: unknown[]][] = [
    ['nom', ['nom']],
    ['client.rang', ['client', 'rang']],
    ['pieces[0].titre', ['pieces', 0, 'titre']],
    ['client["code postal"].x', ['client', 'code postal', 'x']],
    ["client['a.b']", ['client', 'a.b']],
    ['pieces[client.rang].titre', ['pieces', null, 'titre']],
    ['pieces[liste[0]].titre', ['pieces', null, 'titre']],
    ['pieces[-1]', ['pieces', -1]],
  ];
  for (const [written, wanted] of steps) t.same(stepsOf(pathOf(written)), wanted, `${written}: ${pathOf(written)}`);
  t.same(stepsOf('pieces[].titre'), ['pieces', 0, 'titre'], 'as lists of fields write it');
  for (const odd of ['', '.', '..', 'a..b', '[', 'a[', 'a["', 'a]b', '[[[']) t.doesNotThrow(() => stepsOf(odd), odd);
});

t.test('a path is one of a shape as far as the shape says anything', async (t) => {
  const known = [
    'nom',
    'nom.size',
    'client',
    'client.a-b',
    'pieces',
    'pieces.size',
    'pieces.first.titre',
    'pieces[3].titre',
  ];
  const open = ['pieces[client.rang].titre', 'grille[0][1].x', 'libre.a.b', 'liste[0].a', 'client[nom]'];
  for (const written of [...known, ...open]) t.ok(isFieldOf(shape, pathOf(written)), written);
  for (const written of [
    'non',
    'nom.x',
    'client.nom',
    'pieces.titre',
    'pieces[0].prix',
    'grille[0].x',
    'constructor',
    'client.toString',
  ])
    t.notOk(isFieldOf(shape, pathOf(written)), written);
});

t.test('every field of a shape is listed with its path, and is one of it', async (t) => {
  const paths = [...listFields(shape)].map(({ path }) => path);
  t.same(paths, [
    ...['nom', 'client', 'client.rang', 'client.a-b', 'pieces', 'pieces[].titre'],
    ...['grille', 'grille[][].x', 'libre', 'liste'],
  ]);
  for (const path of paths) t.ok(isFieldOf(shape, path), path);
});

t.test('what is read covers what it leads to and where it begins', async (t) => {
  const isRead = createCoverage(['client.nom', 'pieces[0].titre', 'liste']);
  for (const path of ['client', 'client.nom', 'client.nom.x', 'pieces', 'pieces[].titre', 'liste[2].a'])
    t.ok(isRead(path), path);
  for (const path of ['clients', 'client.rang', 'pieces[].prix', 'autre']) t.notOk(isRead(path), path);
});
