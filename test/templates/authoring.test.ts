/** What is written becomes what is rendered: style sheets on their elements, text from HTML, MJML; fields untouched. */
import fc from 'fast-check';
import t from 'tap';
import { compileTexts } from '../../src/templates/authoring/compile.ts';
import { inlineCss } from '../../src/templates/authoring/inline-css.ts';
import { maskMarks, unmaskMarks } from '../../src/templates/authoring/mask.ts';
import { textFromHtml } from '../../src/templates/authoring/text-from-html.ts';

const marks = [
  '{{ nom }}',
  '{{ a | escape }}',
  '{% if x %}',
  '{% endif %}',
  '{% for i in l %}',
  '{{ "}" }}',
  '{%- echo b -%}',
];
const pieces = fc.array(
  fc.oneof(
    fc.constantFrom(
      ...marks,
      '<p>',
      '</p>',
      '<td class="x">',
      '<br>',
      '&nbsp;',
      '&amp;',
      'lqm0q',
      'LQM1Q',
      '{',
      '}',
      '<!-- c -->',
    ),
    fc.string({ maxLength: 8 }),
  ),
  { maxLength: 30 },
);

t.test('marks that are taken out and put back are where they were, whatever the text', async () => {
  fc.assert(
    fc.property(pieces, (all) => {
      const source = all.join('');
      const masked = maskMarks(source);
      return unmaskMarks(masked.text, masked, 'same') === source;
    }),
    { numRuns: 2_000 },
  );
});

t.test('HTML without a style sheet stays as it is, byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(pieces, async (all) => {
      const html = all.join('');
      if (/<style[\s>]/i.test(html)) return true;
      const made = await compileTexts({ written: { subject: 'S', html, text: 't' }, frame: null, language: 'fr' });
      return made.kind === 'texts' && made.parts.html === html;
    }),
    { numRuns: 500 },
  );
});

t.test('inlining keeps every mark once, in its order, or refuses', async (t) => {
  const marksOf = (source: string) => maskMarks(source).marks;
  let kept = 0;
  fc.assert(
    fc.property(pieces, (all) => {
      const source = `<style>p { color: #123456 } td.x { padding: 1px }</style>${all.join('')}`;
      let inlined: string;
      try {
        inlined = inlineCss(source);
      } catch {
        return true;
      }
      kept += 1;
      return JSON.stringify(marksOf(inlined)) === JSON.stringify(marksOf(source));
    }),
    { numRuns: 1_000 },
  );
  t.ok(kept > 700, `${kept} of 1,000 were inlined`);
});

t.test('rules go onto their elements; what only a sheet can say stays in one', async (t) => {
  const html = inlineCss(
    '<html><head><style>p { color: #333 } .lien:hover { color: red } @media (max-width: 480px) { p { color: #000 } }</style></head>' +
      '<body><p class="{{ c }}">A</p><table>{% for l in lignes %}<tr><td>{{ l }}</td></tr>{% endfor %}</table></body></html>',
  );
  t.match(html, '<p class="{{ c }}" style="color: #333;">A</p>');
  t.match(
    html,
    '<table>{% for l in lignes %}<tr><td>{{ l }}</td></tr>{% endfor %}</table>',
    'rows stay in their table',
  );
  t.match(html, /@media \(max-width: ?480px\)/);
  t.match(html, ':hover');
});

t.test('text from HTML: paragraphs, lists, links, tables; loops leave no empty lines', async (t) => {
  t.equal(
    textFromHtml(
      '<h1>Pièces</h1><p>Bonjour&nbsp;{{ nom | escape }},<br>merci de joindre&nbsp;:</p>' +
        '<ul>{% for p in pieces %}<li>{{ p.titre }}{% if p.motif %} ({{ p.motif }}){% endif %}</li>{% endfor %}</ul>' +
        '<p><a href="{{ lien }}">Mon dossier</a> <img src="cid:logo" alt="Logo"></p>' +
        '<p><a href="{{ lien }}">{{lien}}</a>, <a href="{{ lien }}">{{ lien }}</a>, <a href="https://a.example/{{ n }}">https://a.example/{{ n }}</a></p>' +
        '<table><tr><th>Pièce</th><th>Prix</th></tr><tr><td>Total</td><td>{{ total }}</td></tr></table>',
    ),
    [
      'Pièces',
      '',
      'Bonjour\u00a0{{ nom }},',
      'merci de joindre\u00a0:',
      '',
      '{% for p in pieces %} * {{ p.titre }}{% if p.motif %} ({{ p.motif }}){% endif %}',
      '{% endfor %}',
      'Mon dossier <{{ lien }}>',
      '',
      '{{lien}} <{{ lien }}>, {{ lien }}, https://a.example/{{ n }}',
      '',
      'Pièce Prix',
      'Total {{ total }}',
    ].join('\n'),
  );
});

t.test('MJML: faults are told by line, files are not read, nothing is loaded from elsewhere', async (t) => {
  const compile = (mjml: string) => compileTexts({ written: { subject: 'S', mjml }, frame: null, language: 'fr' });
  const good = await compile(
    '<mjml><mj-body><mj-raw>{% if dossier %}</mj-raw><mj-section><mj-column><mj-text>Bonjour {{ nom }}</mj-text>' +
      '<mj-button href="{{ lien }}">Voir</mj-button></mj-column></mj-section><mj-raw>{% endif %}</mj-raw>' +
      '</mj-body></mjml>',
  );
  if (good.kind !== 'texts') throw new Error(JSON.stringify(good));
  t.match(good.parts.html, 'lang="fr"');
  t.match(good.parts.html, 'href="{{ lien }}"');
  t.notMatch(good.parts.html, /root:|fonts\.googleapis|https?:\/\/(?!www\.w3\.org)/);
  t.match(good.parts.text, 'Bonjour {{ nom }}');
  t.match(await compile('<mjml><mj-body>\n<mj-nothing /></mj-body></mjml>'), {
    kind: 'faults',
    faults: [{ pointer: '/mjml', code: 'mjml_invalid', message: /^line 2: / }],
  });
  t.match(await compile('<mjml><mj-body>{% if x %}<mj-section></mj-section>{% endif %}</mj-body></mjml>'), {
    kind: 'faults',
    faults: [{ code: 'not_compiled', message: /mj-raw/ }],
  });
  t.match(await compile('<mjml><mj-body><mj-include path="/etc/passwd" /></mj-body></mjml>'), {
    kind: 'faults',
    faults: [{ message: /mj-include/ }],
  });
  t.match(await compile('<mjml><mj-body></mj-body></mjml>'), { kind: 'faults', faults: [{ message: /says nothing/ }] });
  t.match(await compile('Bonjour'), { kind: 'faults' });
});

t.test('a text says what the HTML says, or is asked for', async (t) => {
  for (const html of [
    '<!--{% if refus %}--><p>refusée</p><!--{% else %}--><p>acceptée</p><!--{% endif %}-->',
    '<p {% assign urgent = true %}>a</p>{% if urgent %}urgent{% endif %}',
    '<img alt="{% assign x = 1 %}">{{ x }}',
  ]) {
    t.throws(() => textFromHtml(html), /write the text, too/, html);
  }
  t.throws(() => textFromHtml('<div>'.repeat(20_000)), 'nested without end');
  t.equal(
    textFromHtml('{% assign urgent = true %}<html><body>{% if urgent %}Urgent{% endif %}</body></html>{{ fin }}'),
    '{% assign urgent = true %}{% if urgent %}Urgent{% endif %}{{ fin }}',
  );
  t.equal(
    textFromHtml('<p class="{% if x %}a{% endif %}">b</p>'),
    'b',
    'what decides an attribute only may go with it',
  );
  t.equal(
    textFromHtml('<p>&#123;&#123; nom &#125;&#125; {{ nom }}</p>'),
    '{{ "{" }}{ nom }} {{ nom }}',
    'no new marks',
  );
  t.match(textFromHtml('<ol>{% for l in m %}<li>{{ l }}</li>{% endfor %}</ol>'), ' * {{ l }}');
  t.equal(
    textFromHtml('<ul>{% for p in l %}<li>{{ p }}</li>{% endfor %}</ul><p>{{ x }}</p>'),
    '{% for p in l %} * {{ p }}\n{% endfor %}\n{{ x }}',
    'a field behind a loop is no tag',
  );
  t.match(textFromHtml('<ol><li>a</li><li>b</li></ol>'), '1. a\n 2. b');
});

t.test('rules for classes that a field decides stay in a style sheet; one between tags is refused', async (t) => {
  const chosen = inlineCss('<style>.tard { color: red }</style><p class="{% if l %}tard{% endif %}">a</p>');
  t.match(chosen, '.tard');
  t.throws(() => inlineCss('{% if x %}<style>p { color: red }</style>{% endif %}<p>a</p>'), /between tags/);
});

t.test('time grows with the text, however it is written', async (t) => {
  const linear = [
    `<p>{{ a ${' '.repeat(80_000)}| escape }}</p>`,
    `<pre>${'\n'.repeat(100_000)}</pre>`,
    `<p>${'lqm'.repeat(50_000)}{{ a }}</p>`,
    `${'{% if a %}{% endif %}'.repeat(900)}`,
  ];
  const startedAt = performance.now();
  for (const html of linear) textFromHtml(html);
  t.ok(performance.now() - startedAt < 3_000, `${Math.round(performance.now() - startedAt)} ms`);
});
