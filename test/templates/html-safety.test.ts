import fc from 'fast-check';
import { type DefaultTreeAdapterTypes, parse } from 'parse5';
import t from 'tap';
import { isAllowedLink } from '../../src/templates/markup/links.ts';
import { createRenderer } from '../../src/templates/rendering/renderer.ts';
import { startService } from '../support/service.ts';
import { must } from '../support/templates.ts';
import { taskWith } from './render-fixtures.ts';

const renderer = createRenderer({ threads: 1 });
t.teardown(() => renderer.close());

type Node = DefaultTreeAdapterTypes.Node;

/** Names of elements and attributes as a browser reads them, and where links lead. */
function* shapeOf(node: Node): Generator<string> {
  if ('tagName' in node) yield `<${node.tagName} ${node.attrs.map(({ name }) => name).join(' ')}>`;
  if (node.nodeName === '#comment') yield 'comment';
  if ('childNodes' in node) for (const child of node.childNodes) yield* shapeOf(child);
  if ('tagName' in node) yield `</${node.tagName}>`;
}

function* linksOf(node: Node): Generator<string> {
  if ('attrs' in node) {
    for (const { name, value } of node.attrs) if (name === 'href' || name === 'src') yield value;
  }
  if ('childNodes' in node) for (const child of node.childNodes) yield* linksOf(child);
}

const html = [
  '<!-- {{ a }} --><style>p { color: #333 }</style>',
  '<p title="{{ a }}" style=\'color: {{ b }}\'>Bonjour {{ a }}, {{ b | upcase }} {{ c | newline_to_br }}</p>',
  '<table><tr>{% for row in rows %}<td>{{ row }}</td>{% endfor %}</tr></table>',
  '<a href="{{ a }}">{{ c }}</a><a href="https://exemple.test/{{ b }}?x={{ c }}">lien</a>',
  "<img src='{{ c }}' alt='{{ b }}'>{% capture d %}{{ a }}{% endcapture %}{{ d }}<textarea>{{ b }}</textarea>",
].join('\n');

const piece = fc.constantFrom(
  ...[
    '<',
    '>',
    '"',
    "'",
    '`',
    '&',
    '&lt;',
    '&#34;',
    '</p>',
    '<script>alert(1)</script>',
    '<img src=x onerror=y>',
    '-->',
  ],
  ...[
    '<!--',
    ']]>',
    '</style>',
    '</textarea>',
    'javascript:',
    'JaVa\tScRiPt:',
    'data:text/html,',
    'vbscript:',
    '//',
    '/',
  ],
  ...['https://', 'mailto:', ' ', '\n', '\0', '\u2028', '\ud800', 'é', '{{ a }}', '{% raw %}', '=', 'onclick=x', '\\'],
);
const value = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));

const render = async (data: object) => {
  const task = taskWith({ template: 'safety', dataJson: JSON.stringify(data), mail: null, composition: null });
  const [result] = await renderer.prepare({ safety: { subject: 'x', text: 'x', html } }, [task]);
  return result;
};

t.test('a value never becomes markup, nor a link that is not allowed, whatever it is', async (t) => {
  const harmless = await render({ a: 'a', b: 'b', c: 'c', rows: ['r', 'r'] });
  if (harmless?.kind !== 'prepared') throw new Error(`not rendered: ${JSON.stringify(harmless)}`);
  const wanted = [...shapeOf(parse(harmless.html))].filter((name) => !/<\/?br/.test(name));
  let rendered = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(value, value, value, fc.tuple(value, value), async (a, b, c, rows) => {
      const result = await render({ a, b, c, rows });
      if (result?.kind === 'template_error' && result.message === 'unsafe_link') {
        refused += 1;
        return !isAllowedLink(a) || !isAllowedLink(c);
      }
      if (result?.kind === 'template_error' && result.message === 'control_character')
        return `${a}${b}${c}${rows}`.includes('\0');
      if (result?.kind !== 'prepared') return false;
      rendered += 1;
      const document = parse(result.html);
      const shape = [...shapeOf(document)].filter((name) => !/<\/?br/.test(name));
      return shape.join() === wanted.join() && [...linksOf(document)].every(isAllowedLink);
    }),
    { numRuns: 1_500 },
  );
  t.ok(rendered > 300 && refused > 20, `${rendered} rendered, ${refused} refused`);
});

t.test('links are judged as browsers read them', async (t) => {
  const allowed = [
    '',
    '#a',
    '/a',
    'a/b',
    '?a:b',
    'https://a.test',
    'HTTP://a.test',
    'mailto:a@b.test',
    'tel:+33',
    'cid:logo',
  ];
  for (const link of [...allowed, ' https://a.test', 'data:image/png;base64,AAAA']) t.ok(isAllowedLink(link), link);
  const refused = [
    'javascript:x',
    ' javascript:x',
    'java\nscript:x',
    'JAVASCRIPT:x',
    '\u0001javascript:x',
    'vbscript:x',
  ];
  for (const link of [
    ...refused,
    'data:text/html,x',
    'data:image/svg+xml,x',
    'file:///etc/passwd',
    'blob:x',
    'about:blank',
  ])
    t.notOk(isAllowedLink(link), JSON.stringify(link));
});

t.test('a field outside quotes, in a tag or in the name of an element is refused when it is saved', async (t) => {
  const { inject } = await startService(t);
  const { id } = must(
    await inject('POST', '/v1/templates', { body: { key: 'avis', title: 'Avis', channel: 'mail' } }),
    201,
  );
  const save = (source: string) =>
    inject('POST', `/v1/templates/${id}/versions`, { body: { subject: 'Avis', text: 'Avis', html: source } });
  const refused: [html: string, message: RegExp][] = [
    ['<p>a</p>\n<a href={{ lien }}>b</a>', /line 2, column 4: the value of href .* needs quotes/],
    ['<td width={{ a }}%>', /needs quotes/],
    ['<p {{ attributs }}>a</p>', /line 1, column 4: a field is in a tag/],
    ['<p data-{{ nom }}="a">b</p>', /in a tag/],
    ['<{{ balise }}>a</{{ balise }}>', /name of an element/],
    ['<h{{ niveau }}>a</h1>', /in the name of an element/],
    ['<a href={% echo lien %}>a</a>', /needs quotes/],
    ['<p {%- cycle a, b %}>a</p>', /in a tag/],
    ['<{% liquid echo balise %}>', /name of an element/],
  ];
  for (const [source, message] of refused) {
    t.match(await save(source), {
      status: 422,
      body: { code: 'template_invalid', errors: [{ pointer: '/html', code: 'field_in_markup', message }] },
    });
  }
  const accepted = [
    '<a href="{{ lien }}" title=\'{{ nom }}\'>{{ nom }}</a>',
    '<tr {% if pair %}class="pair"{% endif %}><td>{{ a }}</td></tr>',
    '<p style="color: {{ couleur }}">{{ a }} < {{ b }}</p>',
    '<!-- {{ a }} --><p>a</p>',
  ];
  for (const source of accepted) t.match(await save(source), { status: 201 }, source);
});

t.test('a message whose link would be a program is KO, with the reason', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  must(
    await inject('POST', '/v1/senders', { body: { key: 's', fromAddress: 'a@reseau.example', isDefault: true } }),
    201,
  );
  const { id } = must(
    await inject('POST', '/v1/templates', { body: { key: 'avis', title: 'Avis', channel: 'mail' } }),
    201,
  );
  const html = '<a href="&#32;{% if lien %}{{ lien }}{% endif %}">Ouvrir</a><a href="file://serveur/avis.pdf">Avis</a>';
  const body = { subject: 'Avis', text: '{{ lien }}', html };
  must(await inject('POST', `/v1/templates/${id}/versions`, { body }), 201);
  must(await inject('POST', `/v1/templates/${id}/versions/1/publish`), 200);
  const recipients = ['https://exemple.test/a', 'javascript:alert(1)'].map((lien, index) => ({
    to: { address: `a${index}@courriel.example` },
    data: { lien },
  }));
  const headers = { 'idempotency-key': 'links' };
  const request = must(
    await inject('POST', '/v1/send-requests', { body: { template: 'avis', recipients }, headers }),
    201,
  );
  t.match(request.messages, [{ status: 'E' }, { status: 'KO', reason: 'template_error' }]);
  t.match(request.errors, [{ index: 1, code: 'template_error', message: 'html: unsafe_link' }]);
});
