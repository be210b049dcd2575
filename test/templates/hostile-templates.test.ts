import t from 'tap';
import { LONGEST_TEMPLATE } from '../../src/templates/rendering/liquid.ts';
import { createRenderer, LONGEST_DATA, type PrepareResult } from '../../src/templates/rendering/renderer.ts';
import { taskWith } from './render-fixtures.ts';

/** Each template, and what may become of it. None may give `prepared` unless `text` says with what. */
const HOSTILE: { name: string; text: string; data?: unknown; json?: string; ends?: string; gives?: string }[] = [
  {
    name: 'nested loops',
    text: '{% for a in (1..1400) %}{% for b in (1..1400) %}{% for c in (1..1400) %}{% endfor %}{% endfor %}{% endfor %}',
  },
  {
    name: 'nested loops that work',
    text: '{% for a in (1..1400) %}{% for b in (1..1400) %}{% assign c = a | times: b %}{% endfor %}{% endfor %}',
  },
  { name: 'huge range', text: '{% for a in (1..999999999) %}{% endfor %}', ends: 'template_error' },
  { name: 'endless range', text: '{% for a in (1..x) %}{% endfor %}', data: { x: 1e308 }, ends: 'template_error' },
  { name: 'range of infinity', text: '{{ (1..x) | size }}', data: { x: '1e999' } },
  {
    name: 'range below any limit, mapped',
    text: '{% assign r = (1..900000) %}{% for i in (1..100) %}{% assign q = r | map: "size" | compact | uniq | reverse %}{% endfor %}',
  },
  { name: 'sort of a long range', text: '{% assign r = (1..600000) | sort | reverse | sort %}{{ r | size }}' },
  {
    name: 'output without end',
    text: '{% for a in (1..100000) %}0123456789012345678901234567890123456789{% endfor %}',
    ends: 'template_error',
  },
  {
    name: 'doubling by append',
    text: '{% assign s = "x" %}{% for i in (1..60) %}{% assign s = s | append: s %}{% endfor %}{{ s }}',
    ends: 'template_error',
  },
  {
    name: 'doubling by capture',
    text: '{% assign s = "xxxxxxxx" %}{% for i in (1..60) %}{% capture s %}{{ s }}{{ s }}{% endcapture %}{% endfor %}{{ s }}',
    ends: 'template_error',
  },
  {
    name: 'doubling by concat',
    text: '{% assign s = "a,b" | split: "," %}{% for i in (1..60) %}{% assign s = s | concat: s %}{% endfor %}',
    ends: 'template_error',
  },
  {
    name: 'growth by replace',
    text: '{% assign s = "aaaaaaaaaa" %}{% for i in (1..20) %}{% assign s = s | replace: "a", "aaaaaaaaaa" %}{% endfor %}',
    ends: 'template_error',
  },
  {
    name: 'growth by join',
    text: '{% assign l = (1..100000) | join: s %}{{ l }}',
    data: { s: 'x'.repeat(10_000) },
    ends: 'template_error',
  },
  { name: 'padding in a date', text: '{{ "now" | date: "%999999999d" }}', gives: '%999999999d' },
  {
    name: 'long date format',
    text: '{% assign f = "%A" %}{% for i in (1..16) %}{% assign f = f | append: f %}{% endfor %}{{ "now" | date: f }}',
    ends: 'template_error',
  },
  {
    name: 'slow pattern of spaces',
    text: '{{ s | strip_html | truncatewords: 2 | normalize_whitespace | size }}',
    data: { s: ' <'.repeat(400_000) },
  },
  {
    name: 'split into characters again and again',
    text: '{% for i in (1..100000) %}{% assign c = s | split: "" | join: "" %}{% endfor %}',
    data: { s: 'x'.repeat(1000) },
  },
  { name: 'constructor of data', text: '{{ x.constructor }}', data: { x: {} }, ends: 'field_missing' },
  { name: 'constructor of a string', text: '{{ x.constructor.constructor }}', data: { x: 'a' }, ends: 'field_missing' },
  {
    name: 'prototype of data',
    text: '{{ x.__proto__.toString }}{{ __proto__ }}{{ constructor }}',
    data: { x: {} },
    ends: 'field_missing',
  },
  { name: 'prototype by a computed name', text: '{{ x[k] }}', data: { x: {}, k: '__proto__' }, ends: 'field_missing' },
  {
    name: 'prototype of a loop',
    text: '{% for i in (1..1) %}{{ forloop.__proto__.next }}{% endfor %}',
    ends: 'field_missing',
  },
  { name: 'constructor through map', text: '{{ x | map: "constructor" | join }}', data: { x: [{}] }, gives: '' },
  {
    name: 'prototype in JSON',
    text: '{{ x.polluted | default: "clean" }}',
    json: '{"__proto__":{"polluted":1},"x":{}}',
    gives: 'clean',
  },
  {
    name: 'assigning a prototype',
    text: '{% assign __proto__ = "a" %}{% assign constructor = "b" %}{{ x.polluted | default: "clean" }}',
    data: { x: {} },
    gives: 'clean',
  },
  {
    name: 'own then and next',
    text: '{{ x }}',
    json: '{"x":{"then":"a","next":"b","throw":"c","return":"d"}}',
    ends: 'template_error',
  },
  { name: 'include of a file', text: '{% include "/etc/passwd" %}', ends: 'template_error' },
  { name: 'render of a file', text: '{% render "../package.json" %}', ends: 'template_error' },
  { name: 'layout of a file', text: '{% layout "/etc/passwd" %}{% block a %}{% endblock %}', ends: 'template_error' },
  { name: 'expression filters', text: '{{ x | where_exp: "i", "i" }}', data: { x: [1] }, ends: 'template_error' },
  { name: 'raw output', text: '{{ x | raw }}', data: { x: 1 }, ends: 'template_error' },
  { name: 'depth of blocks', text: '{% if a %}'.repeat(15_000) + '{% endif %}'.repeat(5_000), ends: 'template_error' },
  { name: 'depth that parses', text: `${'{% if a %}'.repeat(1_500)}x${'{% endif %}'.repeat(1_500)}`, data: { a: 1 } },
  { name: 'depth of data', text: '{{ x }}', json: `{"x":${'['.repeat(50_000)}${']'.repeat(50_000)}}` },
  { name: 'too long to parse', text: 'x'.repeat(LONGEST_TEMPLATE + 1), ends: 'template_error' },
  {
    name: 'as many outputs as fit',
    text: '{{a}}'.repeat(LONGEST_TEMPLATE / 5),
    data: { a: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' },
    ends: 'template_error',
  },
];

t.test('each hostile template costs only itself', async (t) => {
  const renderer = createRenderer({ threads: 1, timeoutMs: 2000 });
  t.teardown(() => renderer.close());
  const templates = Object.fromEntries(
    [['good', 'Bonjour {{ n }}'], ...HOSTILE.map(({ name, text }) => [name, text])].map(([name, text]) => [
      name as string,
      { subject: 's', text: text as string, html: '' },
    ]),
  );
  const tasks = HOSTILE.flatMap(({ name, data = {}, json }, n) => [
    taskWith({ template: 'good', data: { n } }),
    taskWith({ template: name, dataJson: json ?? JSON.stringify(data) }),
  ]);
  const results = await renderer.prepare(templates, tasks);
  for (const [n, { name, ends, gives }] of HOSTILE.entries()) {
    const good = results[2 * n] as PrepareResult;
    const bad = results[2 * n + 1] as PrepareResult;
    t.match(good, { kind: 'prepared', text: `Bonjour ${n}` }, `beside ${name}`);
    // On a slow machine time may run out before the other limit is met.
    if (ends !== undefined) t.ok([ends, 'template_timeout'].includes(bad.kind), `${name}: ${bad.kind}`);
    else if (gives !== undefined) t.match(bad, { kind: 'prepared', text: gives }, name);
    else t.not(bad, undefined, `${name}: ${bad.kind}`);
    if (bad.kind === 'prepared') t.ok(bad.text.length < 10_000, `${name} gives little`);
  }
  t.notOk('polluted' in {});
});

t.test('a task past the hard limit is ended with its thread; the rest of the batch runs on a new one', async (t) => {
  // One node of the template, so that no cooperative limit is looked at while it runs.
  const slow = `{{ r ${'| sort: "a.b" '.repeat(60)}| size }}`;
  const renderer = createRenderer({ threads: 1, timeoutMs: 400 });
  t.teardown(() => renderer.close());
  const templates = { good: { subject: 's', text: '{{ n }}', html: '' }, slow: { subject: 's', text: slow, html: '' } };
  const rows = Array.from({ length: 45_000 }, (_, n) => ({ a: { b: (n * 7919) % 45_001 } }));
  const tasks = Array.from({ length: 30 }, (_, n) =>
    n === 3 || n === 17
      ? taskWith({ template: 'slow', data: { r: rows } })
      : taskWith({ template: 'good', data: { n } }),
  );
  const results = await renderer.prepare(templates, tasks);
  results.forEach((result, n) => {
    if (n === 3 || n === 17) t.same(result, { kind: 'template_timeout', endedThread: true });
    else t.match(result, { kind: 'prepared', text: String(n) });
  });
});

t.test('a task that exhausts the memory of its thread ends that thread only', async (t) => {
  // So little that what the other limits allow is too much for it; no single step asks for more than some megabytes.
  const renderer = createRenderer({ threads: 1, memoryMb: 22 });
  t.teardown(() => renderer.close());
  const hungry =
    '{% assign a = (1..600000) %}{% assign b = s | split: "" %}{% assign c = s | split: "" %}{{ a | size }}';
  const templates = {
    good: { subject: 's', text: '{{ n }}', html: '' },
    hungry: { subject: 's', text: hungry, html: '' },
  };
  const tasks = [
    taskWith({ template: 'good', data: { n: 0 } }),
    taskWith({
      template: 'hungry',
      dataJson: JSON.stringify({ s: 'é✓'.repeat(200_000), x: Array.from({ length: 60_000 }, () => ({ n: 1 })) }),
    }),
    taskWith({ template: 'good', data: { n: 2 } }),
  ];
  t.match(await renderer.prepare(templates, tasks), [{ text: '0' }, { kind: 'template_timeout' }, { text: '2' }]);
});

t.test(
  'data that a thread could not hold at once is refused before it gets there; others are batched by their size',
  async (t) => {
    const renderer = createRenderer({ threads: 1 });
    t.teardown(() => renderer.close());
    const templates = { good: { subject: 's', text: '{{ n }}', html: '' } };
    const filled = (n: number, length: number) =>
      taskWith({ template: 'good', data: { n, filler: 'x'.repeat(length) } });
    const tasks = [...Array.from({ length: 60 }, (_, n) => filled(n, 900_000)), filled(60, LONGEST_DATA)];
    const results = await renderer.prepare(templates, tasks);
    for (let n = 0; n < 60; n += 1) t.match(results[n], { kind: 'prepared', text: String(n) });
    t.match(results[60], { kind: 'template_error', message: 'data_too_large' });
  },
);
