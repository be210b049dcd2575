/** Hostile templates that want too much: time, memory, output, depth. */
import { absent, dataRefused, gives, large, late, little, refused, rowsOf } from './row.ts';

/** Within the characters of data that one row may have. */
const nested = Array.from({ length: 45_000 }, (_, n) => ({ a: { b: (n * 7919) % 45_001 } }));
const people = Array.from({ length: 300 }, (_, n) => ({ id: n, name: `P${n}` }));
const chain = (filter: string, times: number) => `{{ r ${`| ${filter} `.repeat(times)}| size }}`;
const twice = (inside: string) => `{% for a in (1..1400) %}{% for b in (1..1400) %}${inside}{% endfor %}{% endfor %}`;
const again = (inside: string, times = 60) => `{% for i in (1..${times}) %}${inside}{% endfor %}`;
const deep = (open: string, close: string, depth: number, inside = 'x') =>
  `${open.repeat(depth)}${inside}${close.repeat(depth)}`;

const cpu = rowsOf('cpu', [
  ['three loops in one another', twice('{% for c in (1..1400) %}{% endfor %}'), large],
  ['two loops that reckon', twice('{% assign c = a | times: b | modulo: 7 %}'), late],
  [
    'everybody with everybody and everybody',
    '{% for a in l %}{% for b in l %}{% for c in l %}{% if a.id == b.id and b.name contains c.name %}.{% endif %}{% endfor %}{% endfor %}{% endfor %}',
    large,
    { l: people },
  ],
  ['sorted sixty times in one step', chain('sort: "a.b"', 60), large, { r: nested }],
  ['picked three hundred times in one step', chain('where: "a.b"', 300), late, { r: nested }],
  ['made unique in one step', chain('uniq | reverse | compact', 300), large, { r: nested }],
  [
    'split and joined again and again',
    again('{% assign c = s | split: "" | join: "" %}', 90_000),
    large,
    { s: 'x'.repeat(1_000) },
  ],
  [
    'replaced again and again',
    again('{% assign c = s | replace: "x", "y" %}', 90_000),
    large,
    { s: 'x'.repeat(10_000) },
  ],
  [
    'blanks that end nothing, stripped',
    chain('rstrip | lstrip | strip', 20),
    little,
    { r: `x${' '.repeat(450_000)}x${' '.repeat(450_000)}x` },
  ],
  [
    'fields far behind, each of another name',
    `${'\n'.repeat(60_000)}${Array.from({ length: 700 }, (_, n) => `{{ a.f${n} | default: "" }}`).join('')}`,
    little,
    { a: {} },
  ],
  ['tags that are never closed, stripped', '{{ s | strip_html | size }}', little, { s: '<script'.repeat(130_000) }],
  ['comments that are never closed, stripped', '{{ s | strip_html | size }}', little, { s: '<!--'.repeat(220_000) }],
  [
    'words counted in blanks',
    '{{ s | truncatewords: 2 | normalize_whitespace | size }}',
    little,
    { s: ' <\n\t'.repeat(150_000) },
  ],
  ['dates in every zone', twice('{% assign d = "now" | date: "%A %-d %B %Y %H:%M:%S %z", "Pacific/Chatham" %}'), late],
  ['dates of an old application', twice(`{% assign d = "now" | php_date: "${'lS '.repeat(60)}" %}`), late],
  ['amounts of a hundred thousand digits', twice('{% assign m = d | amount %}'), large, { d: '9'.repeat(100_000) }],
  ['a case with a thousand answers', again(`{% case i %}${'{% when -1 %}a'.repeat(1_500)}{% endcase %}`, 90_000), late],
]);

const memory = rowsOf('memory', [
  ['doubled by append', `{% assign s = "x" %}${again('{% assign s = s | append: s %}')}{{ s }}`, large],
  ['doubled by prepend', `{% assign s = "x" %}${again('{% assign s = s | prepend: s %}')}{{ s }}`, large],
  ['doubled by capture', `{% assign s = "xxxxxxxx" %}${again('{% capture s %}{{ s }}{{ s }}{% endcapture %}')}`, large],
  [
    'doubled by capture in HTML',
    { html: `{% assign s = "&" %}${again('{% capture s %}{{ s }}{{ s }}{% endcapture %}')}` },
    large,
  ],
  ['doubled by concat', `{% assign s = "a,b" | split: "," %}${again('{% assign s = s | concat: s %}')}`, large],
  [
    'ten times as long by replace',
    `{% assign s = "aaaaaaaaaa" %}${again('{% assign s = s | replace: "a", "aaaaaaaaaa" %}')}`,
    large,
  ],
  ['joined with a long word', '{% assign l = (1..100000) | join: s %}{{ l | size }}', large, { s: 'x'.repeat(10_000) }],
  [
    'a sentence with long connectors',
    '{{ l | array_to_sentence_string: s | size }}',
    little,
    { s: 'x'.repeat(800_000), l: ['a', 'b', 'c'] },
  ],
  [
    'split into characters and kept',
    Array.from({ length: 400 }, (_, n) => `{% assign v${n} = s | split: "" %}`).join(''),
    large,
    { s: 'é✓'.repeat(200_000) },
  ],
  ['a range of a thousand million', '{% for a in (1..999999999) %}{% endfor %}', large],
  ['a range without end', '{% for a in (1..x) %}{% endfor %}', large, { x: '1e300' }],
  ['many long ranges kept', Array.from({ length: 100 }, (_, n) => `{% assign r${n} = (1..900000) %}`).join(''), large],
  [
    'a long range mapped, joined, split',
    `{% assign r = (1..400000) %}${again('{% assign q = r | join: "," | split: "," %}')}`,
    large,
  ],
  ['three hundred thousand objects', chain('reverse | concat: r', 30), large, `{"r":[${'{},'.repeat(300_000)}{}]}`],
  [
    'more data than a row may have',
    '{{ s | size }}',
    dataRefused('too_large', 'template_invalid'),
    { s: 'x'.repeat(1_000_001) },
  ],
]);

const output = rowsOf('output size', [
  ['a loop without end', '{% for a in (1..100000) %}0123456789012345678901234567890123456789{% endfor %}', large],
  ['more outputs than people write', '{{a}}'.repeat(40_000), refused('too_complex'), { a: 'a' }],
  ['as many outputs as may be', '{{a}}'.repeat(1_900), large, { a: 'x'.repeat(10_000) }],
  ['values that escaping makes longer', { html: '<p>{{ a }}{{ a }}</p>' }, large, { a: '"'.repeat(400_000) }],
  ['lines that become tags', { html: '{{ a | newline_to_br }}' }, large, { a: '\n'.repeat(150_000) }],
  ['letters that become nine', '{{ a | url_encode }}', large, { a: '€'.repeat(130_000) }],
  ['a list that becomes long', '{{ (1..600000) | join: ", " }}', large],
  [
    'lists in lists',
    '{{ x }}{{ x }}',
    large,
    { x: Array.from({ length: 60 }, () => Array.from({ length: 30 }, () => 'y'.repeat(500))) },
  ],
  ['echo in a block of lines', `{% liquid\n${'echo a\n'.repeat(1_500)}%}`, large, { a: 'x'.repeat(10_000) }],
  ['a cycle of long words', again('{% cycle a, a, a %}', 50_000), large, { a: 'x'.repeat(1_000) }],
  ['padding in a date', '{{ "now" | date: "%999999999d" }}', gives('%999999999d')],
  [
    'a format that doubles',
    `{% assign f = "%A" %}${again('{% assign f = f | append: f %}', 16)}{{ "now" | date: f }}`,
    large,
  ],
  ['a subject of a million letters', { subject: '{{ a }}{{ a }}' }, large, { a: 'x'.repeat(600_000) }],
]);

const recursion = rowsOf('recursion', [
  ['blocks without an end', '{% if a %}'.repeat(15_000), refused('too_complex')],
  ['a thousand blocks', deep('{% if a %}', '{% endif %}', 990), gives('x'), { a: 1 }],
  ['loops nine hundred deep', deep('{% for i in (1..2) %}', '{% endfor %}', 900), late],
  ['captures nine hundred deep', deep('{% capture s %}', '{{ s }}{% endcapture %}', 600), little],
  ['a case in a case', deep('{% case a %}{% when 1 %}', '{% endcase %}', 600), gives('x'), { a: 1 }],
  ['brackets in brackets', `{{ a${'[a'.repeat(60_000)}${']'.repeat(60_000)} }}`, refused()],
  ['brackets that just fit', `{{ a${'[a'.repeat(1_500)}${']'.repeat(1_500)} }}`, refused('too_complex'), { a: 1 }],
  ['a path of a hundred thousand steps', `{{ a${'.a'.repeat(99_000)} }}`, refused('too_complex'), { a: {} }],
  ['a path by names in brackets', `{{ a${"['a']".repeat(30_000)} }}`, refused('too_complex'), { a: {} }],
  ['ranges in ranges', `{% for i in ${'('.repeat(20_000)}1${'..2)'.repeat(20_000)} %}{% endfor %}`, refused()],
  [
    'a block of lines in blocks of lines',
    `{% liquid\n${'if a\n'.repeat(990)}echo a\n${'endif\n'.repeat(990)}%}`,
    gives('1'),
    { a: 1 },
  ],
  [
    'lists fifty thousand deep',
    '{{ x }}',
    dataRefused('too_deep', 'invalid_json'),
    `{"x":${deep('[', ']', 50_000, '')}}`,
  ],
  [
    'objects fifty thousand deep',
    '{{ x }}',
    dataRefused('too_deep', 'invalid_json'),
    `{"x":${deep('{"a":', '}', 50_000, '1')}}`,
  ],
  ['elements in elements', { html: deep('<div title="{{ a }}">', '</div>', 1_900) }, little, { a: '1' }],
  [
    'itself, assigned to itself',
    `{% assign a = a %}${again('{% assign a = a | concat: a %}')}{{ a | size }}`,
    large,
    { a: [1, [2, [3]]] },
  ],
  ['an absent field in a loop of loops', twice('{{ a.b.c.d }}'), absent],
  ['an absent field before loops without end', `{{ a }}${twice('{% assign c = 1 %}')}`, absent],
]);

/** The rows of these four classes. */
export const resourceRows = [...cpu, ...memory, ...output, ...recursion];
