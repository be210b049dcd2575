import fc from 'fast-check';
import t from 'tap';
import { findRiskyMarkup } from '../../src/templates/check/markup.ts';
import { nearestName } from '../../src/templates/check/nearest.ts';
import { findTypedIn } from '../../src/templates/check/typed-in.ts';
import { findFieldsInMarkup } from '../../src/templates/markup/fields-in-markup.ts';
import { hasAllowedLinksOnly, readWrittenLinks } from '../../src/templates/markup/links.ts';
import { withoutMarks } from '../../src/templates/markup/marks.ts';
import { startService } from '../support/service.ts';
import { addTemplate, must } from '../support/templates.ts';

type Found = Record<'code' | 'severity' | 'part' | 'line' | 'column' | 'subject' | 'suggestion', unknown>;

t.test('a check with a sample tells which fields are missing, misspelt, optional and unused', async (t) => {
  const service = await startService(t);
  const path = await addTemplate(
    service,
    { key: 'avis' },
    {
      subject: 'Avis {{ contrat }}',
      text: 'Bonjour {{ client.non }},\n{% for piece in pieces %}{{ piece.titre }}{% endfor %}',
      html: '<p>{{ remarque | default: "" }}</p><p>{{ client.nom }}</p>{{ recipient.displayName }}{{ contrat }}',
    },
  );
  const data = { contrat: 'C-1', client: { nom: 'Anna', ville: 'Lyon' }, pieces: [{ title: 'RIB' }] };
  const { problems, version } = must(await service.inject('POST', `${path}/check`, { body: { data } }), 200);
  t.equal(version, 1);
  const lines = (problems as Found[]).map(
    ({ severity, code, part, line, column, subject, suggestion }) =>
      `${severity} ${code} ${part}:${line}:${column} ${subject} ${suggestion}`,
  );
  t.same(lines, [
    'error field_missing text:1:12 client.non client.nom',
    'error field_missing null:null:null piece.titre null',
    'note field_optional html:1:7 remarque null',
    'note field_unused null:null:null client.ville null',
  ]);
});

t.test('a template that its sample suits has no problem; one that cannot be rendered has an error', async (t) => {
  const service = await startService(t);
  const good = await addTemplate(service, { key: 'bon' });
  const body = { data: { nom: 'Anna' } };
  t.same(must(await service.inject('POST', `${good}/check`, { body }), 200), { version: 1, problems: [] });
  const bad = await addTemplate(service, { key: 'objet' }, { subject: '{{ vide }}' });
  t.match(
    must(await service.inject('POST', `${bad}/check`, { body: { data: { nom: 'A', vide: '' } } }), 200).problems,
    [{ code: 'template_error', severity: 'error', part: 'subject', subject: 'empty_subject' }],
  );
  const empty = must(
    await service.inject('POST', '/v1/templates', { body: { key: 'v', title: 'V', channel: 'mail' } }),
    201,
  );
  t.match(await service.inject('POST', `/v1/templates/${empty.id}/check`, { body: {} }), {
    status: 422,
    body: { errors: [{ pointer: '/version', code: 'version_missing' }] },
  });
});

t.test('markup that mail programs refuse, or that can do harm, is told with its place', async (t) => {
  const service = await startService(t);
  const html = [
    '<p onclick="x()">a</p><script>track("{{ nom }}")</script>',
    '<a href="javascript:alert(1)">b</a><a href="java\tscript:x">c</a><a href="{{ lien }}">d</a>',
    '<form action="https://exemple.test"><input name="q"></form><iframe src="//x.test"></iframe>',
    '<p style="color: {{ couleur }}">e</p><img src="data:text/html,x"><meta http-equiv="refresh" content="0">',
    '<a href="https://x.test/{{ jeton }}">f</a><a href="mailto:{{ mail }}">g</a><img src="cid:logo" alt="{{ nom }}">',
  ].join('\n');
  const path = await addTemplate(service, { key: 'avis' }, { html });
  const { problems } = must(await service.inject('POST', `${path}/check`, { body: {} }), 200);
  t.same(
    (problems as Found[]).map(({ code, line, subject }) => `${line} ${code} ${subject}`),
    [
      '1 risky_attribute p onclick',
      '1 risky_element script',
      '1 field_in_code script',
      '2 risky_link a href',
      '2 risky_link a href',
      '2 field_as_link a href',
      '3 risky_element form',
      '3 risky_element input',
      '3 risky_element iframe',
      '4 field_in_code p style',
      '4 risky_link img src',
      '4 risky_attribute meta http-equiv',
    ],
  );
});

t.test('a check takes time in proportion to the text, whatever it is', async (t) => {
  const hostile = [
    '{{',
    '{%',
    '{{ x',
    'a@',
    'a.',
    '0 ',
    '01 ',
    '1 23 ',
    'FR76 ',
    '+',
    '<b>',
    '<a href="',
    '<!--',
    '<p ',
    '&',
    'ÿ@a.',
  ];
  for (const piece of hostile) {
    const text = piece.repeat(Math.floor(200_000 / piece.length));
    const startedAt = performance.now();
    findTypedIn(withoutMarks(text));
    findRiskyMarkup(text);
    findFieldsInMarkup(text);
    hasAllowedLinksOnly(text, readWrittenLinks(text));
    nearestName(text, [text.slice(1), 'nom']);
    const milliseconds = performance.now() - startedAt;
    t.ok(milliseconds < 1_000, `${JSON.stringify(piece)}: ${Math.round(milliseconds)} ms`);
  }
});

t.test('blanks stand for Liquid’s marks, and every other character stays where it was', async (t) => {
  const piece = fc.constantFrom('{{', '}}', '{%', '%}', 'a', '\n', '{', '}', ' é');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const source = pieces.join('');
      const typed = withoutMarks(source);
      if (typed.length !== source.length) return false;
      return [...typed].every((character, index) => character === source[index] || character === ' ');
    }),
  );
  t.equal(withoutMarks('a {{ b }} c {% if d %}e'), 'a         c           e');
});

t.test('two versions are compared line by line; the first one with nothing', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const path = await addTemplate(service, { key: 'avis' }, { text: 'Bonjour\nà lundi\n', html: '<p>a</p>' });
  const second = { subject: 'Avis', text: 'Bonjour\nà mardi\n', html: '<p>b</p>' };
  must(await inject('POST', `${path}/versions`, { body: second }), 201);
  must(await inject('POST', `${path}/versions`, { body: { ...second, html: '<p>a</p>' } }), 201);
  t.same(must(await inject('GET', `${path}/versions/2/diff`), 200), {
    from: 1,
    to: 2,
    parts: [
      { part: 'subject', changed: false, changes: [{ kind: 'same', text: 'Avis' }] },
      {
        part: 'text',
        changed: true,
        changes: [
          { kind: 'same', text: 'Bonjour\n' },
          { kind: 'removed', text: 'à lundi\n' },
          { kind: 'added', text: 'à mardi\n' },
        ],
      },
      {
        part: 'html',
        changed: true,
        changes: [
          { kind: 'removed', text: '<p>a</p>' },
          { kind: 'added', text: '<p>b</p>' },
        ],
      },
    ],
  });
  t.match(must(await inject('GET', `${path}/versions/3/diff?from=1`), 200), {
    from: 1,
    to: 3,
    parts: [{ changed: false }, { changed: true }, { changed: false }],
  });
  t.match(must(await inject('GET', `${path}/versions/1/diff`), 200), {
    from: null,
    parts: [{ changes: [{ kind: 'added', text: 'Avis' }] }, {}, {}],
  });
  t.equal((await inject('GET', `${path}/versions/2/diff?from=9`)).status, 404);
  t.match(await inject('GET', `${path}/versions/2/diff?from=0`), {
    status: 400,
    body: { errors: [{ pointer: '/from' }] },
  });
});

t.test('texts that have nothing in common are compared in bounded time', async (t) => {
  const service = await startService(t);
  const lines = (word: string) => Array.from({ length: 15_000 }, (_, index) => `${word} ${index}`).join('\n');
  const path = await addTemplate(service, { key: 'long' }, { text: lines('un') });
  const body = { subject: 'Avis', text: lines('deux'), html: '<p>a</p>' };
  must(await service.inject('POST', `${path}/versions`, { body }), 201);
  const { parts } = must(await service.inject('GET', `${path}/versions/2/diff`), 200);
  const text = parts.find(({ part }: { part: string }) => part === 'text');
  t.same(
    text.changes.map(({ kind }: { kind: string }) => kind),
    ['removed', 'added'],
  );
});
