/** Hostile templates that want what is not theirs: prototypes, files, filters; and those that hide in Unicode. */
import { absent, dataRefused, ends, gives, late, little, refused, rowsOf } from './row.ts';

const object = { x: {} };

const prototype = rowsOf('prototype', [
  ['constructor of data', '{{ x.constructor }}', absent, object],
  ['constructor of a constructor', '{{ x.constructor.constructor }}', absent, { x: 'a' }],
  ['prototype of data', '{{ x.__proto__.toString }}{{ __proto__ }}{{ constructor }}', absent, object],
  ['prototype by a computed name', '{{ x[k] }}', absent, { x: {}, k: '__proto__' }],
  [
    'prototype by a name that is put together',
    '{% assign k = "__pro" | append: "to__" %}{{ x[k].polluted }}',
    absent,
    object,
  ],
  ['prototype of a loop', '{% for i in (1..1) %}{{ forloop.__proto__.next }}{% endfor %}', absent],
  ['methods of a loop', '{% for i in (1..1) %}{{ forloop.next }}{{ forloop.valueOf }}{% endfor %}', absent],
  ['methods of a text', '{{ x.toString }}{{ x.repeat }}', absent, { x: 'a' }],
  ['methods of a list', '{{ x.map }}{{ x.push }}{{ x.first.__proto__ }}', absent, { x: [1] }],
  ['what size and last inherit', '{{ x.size.constructor }}{{ x.last.constructor }}', absent, { x: [{}] }],
  ['constructor through map', '{{ x | map: "constructor" | join }}', gives(''), { x: [{}] }],
  [
    'constructor through where and sum',
    '{{ x | where: "constructor" | size }}{{ x | sum: "__proto__" }}',
    little,
    { x: [{}] },
  ],
  ['sorted by a prototype', '{{ x | sort: "__proto__" | map: "constructor" | join: "" }}', gives(''), { x: [{}, {}] }],
  [
    'a prototype in JSON',
    '{{ x.polluted | default: "clean" }}',
    dataRefused('reserved_name', 'invalid_json'),
    '{"__proto__":{"polluted":1},"x":{}}',
  ],
  [
    'a constructor in JSON',
    '{{ x.polluted | default: "clean" }}',
    gives('clean'),
    '{"constructor":{"prototype":{"polluted":1}},"x":{}}',
  ],
  [
    'a prototype that is assigned',
    '{% assign __proto__ = "a" %}{% assign constructor = "b" %}{{ x.polluted | default: "clean" }}',
    gives('clean'),
    object,
  ],
  [
    'a prototype that is captured and counted',
    '{% capture __proto__ %}a{% endcapture %}{% increment constructor %}{{ x.a | default: "clean" }}',
    gives('0clean'),
    object,
  ],
  [
    'own members named as those of promises and iterators',
    '{{ x }}',
    ends('template_error'),
    '{"x":{"then":"a","next":"b","throw":"c","return":"d"}}',
  ],
  [
    'own members named as conversions',
    '{{ x | append: "a" }}',
    ends('template_error'),
    { x: { toString: 1, valueOf: 2, toLiquid: 3 } },
  ],
  [
    'an object that claims a length',
    '{% for i in x %}{{ i }}{% endfor %}{{ x | join | size }}',
    little,
    { x: { length: 4_000_000_000, size: 9 } },
  ],
]);

const file = rowsOf('file', [
  ['include', '{% include "/etc/passwd" %}', refused()],
  ['include by a field', '{% include x %}', refused(), { x: '/etc/passwd' }],
  ['include in a block of lines', '{% liquid\ninclude "/etc/passwd"\n%}', refused()],
  ['render', '{% render "../package.json" %}', refused()],
  ['render for each', '{% render "x" for (1..100000) %}', refused()],
  ['layout', '{% layout "/etc/passwd" %}', refused()],
  ['a block of a layout', '{% block a %}{% endblock %}', refused()],
  ['a layout of the subject', { subject: '{% layout "/etc/passwd" %}' }, refused()],
  ['the words of other engines', '{% extends "/etc/passwd" %}{% import "/etc/passwd" %}', refused()],
  ['a filter that reads', '{{ "/etc/passwd" | read_file }}{{ "/etc/passwd" | include }}', refused()],
  [
    'a link to a file that a field gives',
    { html: '<a href="{{ u }}">a</a>' },
    ends('template_error'),
    { u: 'file:///etc/passwd' },
  ],
  [
    'a link to a program that a field gives',
    { html: '<a href="{{ u }}">a</a>' },
    ends('template_error'),
    { u: ' java\nscript:alert(1)' },
  ],
  [
    'an include of a web server',
    '<!--#include virtual="/etc/passwd" --><?php include "/etc/passwd" ?>',
    gives('<!--#include virtual="/etc/passwd" --><?php include "/etc/passwd" ?>'),
  ],
]);

const filter = rowsOf('filter', [
  ...[
    'where_exp: "i", "i"',
    'find_exp: "i", "i"',
    'group_by_exp: "i", "i"',
    'reject_exp: "i", "i"',
    'has_exp: "i", "i"',
  ].map((name) => [`an expression: ${name.slice(0, 7)}`, `{{ x | ${name} }}`, refused(), { x: [1] }] as const),
  ...['sample', 'inspect', 'json', 'raw', 'sort_natural', 'group_by: "a"', 'base64_decode'].map(
    (name) => [`taken out: ${name}`, `{{ x | ${name} }}`, refused(), { x: [1] }] as const,
  ),
  ...['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'].map(
    (name) => [`a filter that every object has: ${name}`, `{{ x | ${name} }}`, refused(), { x: 'a' }] as const,
  ),
  ...['constructor', '__proto__', 'toString'].map(
    (name) => [`a tag that every object has: ${name}`, `{% ${name} %}`, refused()] as const,
  ),
  ['tags taken out', '{% tablerow i in (1..2) %}{% endtablerow %}', refused()],
  ['raw text', '{% raw %}{{ x }}{% endraw %}', refused()],
  ['a filter in a block of lines', '{% liquid\nassign a = x | where_exp: "i", "i"\n%}', refused(), { x: [1] }],
  [
    'an expression that where takes for a name',
    '{{ x | where: "constructor.constructor(\'return process\')()" | size }}',
    absent,
    { x: [{}] },
  ],
  ['a filter on what is not its own', '{{ x | date: x | amount: x | plural: x, x | size }}', little, { x: { a: [] } }],
  [
    'numbers that are none',
    '{{ 1 | divided_by: 0 }}{{ x | times: 99999999999999999999999 | round: 400 }}',
    little,
    { x: 'NaN' },
  ],
  [
    'a slice of everything from nowhere',
    '{{ x | slice: -99999999999, 99999999999 }}{{ x | truncate: -99999999999 }}',
    little,
    { x: 'abc' },
  ],
]);

const unicode = rowsOf('unicode', [
  ['a tag with a letter of another script', '{% f\u043er a in (1..9) %}{% endf\u043er %}', refused()],
  ['a tag with a blank of no width', '{% if\u200b a %}x{% endif %}', refused(), { a: 1 }],
  [
    'wide braces',
    '\uff5b\uff5b x \uff5d\uff5d\ufe5b% x %\ufe5c',
    gives('\uff5b\uff5b x \uff5d\uff5d\ufe5b% x %\ufe5c'),
  ],
  ['a field that only looks like one that is given', '{{ n\u043em }}', absent, { nom: 'a' }],
  ['half a character in the text', { text: 'a\ud800' }, refused('lone_surrogate')],
  ['half a character in the data', '{{ x }}', dataRefused('lone_surrogate', 'invalid_json'), '{"x":"\\udfff"}'],
  [
    'characters cut in two',
    '{{ x | slice: 0, 1 }}{{ x | split: "" | first }}',
    gives('\u{1f600}\ufffd'),
    { x: '\u{1f600}' },
  ],
  ['U+0000 in the data', '{{ x }}', dataRefused('null_character', 'invalid_json'), '{"x":"a\\u0000b"}'],
  ['a line end in the subject', { subject: 'a {{ x }}' }, ends('template_error'), { x: 'b\r\nBcc: eve@example.org' }],
  [
    'line ends of Unicode in the subject',
    { subject: 'a {{ x }}' },
    ends('template_error'),
    { x: 'b\u2028Bcc: eve@example.org\u2029\u0085' },
  ],
  ['direction turned round in the subject', { subject: 'a {{ x }}' }, little, { x: '\u202egpj.exe\u2066\u2069' }],
  [
    'marks upon marks',
    { text: '{{ x }}', html: '<p>{{ x | upcase | normalize_whitespace }}</p>' },
    little,
    { x: `a${'\u0301\u0489'.repeat(3_000)}` },
  ],
  [
    'letters that upper case makes three',
    `{% assign y = x %}${'{% assign y = y | upcase %}'.repeat(100)}{{ y }}{{ y }}`,
    ends('template_error', 'template_timeout'),
    { x: '\u0390'.repeat(300_000) },
  ],
  [
    'our own mark for a field',
    { html: '<a href="{{ x }}\ue000">\ue000</a>' },
    ends('template_error'),
    { x: 'javascript:alert(1)' },
  ],
  [
    'a link in wide letters',
    { html: '<a href="{{ x }}">a</a>' },
    little,
    { x: '\uff4a\uff41\uff56\uff41\uff53cript:alert(1)' },
  ],
  [
    'blanks of every width that end nothing',
    '{{ x | strip | truncatewords: 9 | size }}',
    little,
    { x: `a${'\u2003\u3000\ufeff\u00a0'.repeat(200_000)}a` },
  ],
  ['numbers that look like telephones', `${'1 '.repeat(90_000)}x`, little],
  ['letters that look like addresses', `${'a.'.repeat(45_000)}@${'b.'.repeat(45_000)}`, little],
  ['letters that look like bank accounts', 'FR76 3000 '.repeat(18_000), little],
  ['angle brackets only', { html: '<'.repeat(190_000) }, little],
  ['attributes without an end', { html: `<a ${'title="\u00a0'.repeat(20_000)}` }, little],
  ['entities without an end', { html: '<a href="&#x6a;'.repeat(12_000) }, little],
  ['old fields without an end', { text: '{'.repeat(190_000), syntax: 'braces' }, refused()],
  ['old fields in old fields', { text: '{a '.repeat(60_000), syntax: 'braces' }, little],
  [
    'loops by names of another script',
    '{% for \u00e9 in (1..1400) %}{% for \u{1f600} in (1..1400) %}{% assign z = \u00e9 | times: 2 %}{% endfor %}{% endfor %}',
    late,
  ],
]);

/** The rows of these four classes. */
export const reachRows = [...prototype, ...file, ...filter, ...unicode];
