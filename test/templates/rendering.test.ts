import t from 'tap';
import type { RenderClock } from '../../src/templates/language/civil-time.ts';
import { formatDate, readDate } from '../../src/templates/language/date-filter.ts';
import { parseTemplateParts, type TemplateParts } from '../../src/templates/rendering/liquid.ts';
import { createRenderer, type PrepareTask, RendererOverloadedError } from '../../src/templates/rendering/renderer.ts';
import { listVariableUses } from '../../src/templates/rendering/variables.ts';
import { compositionDefaults, contentWith, taskWith } from './render-fixtures.ts';

const renderer = createRenderer({ threads: 1 });
t.teardown(() => renderer.close());
let templates = 0;

async function render(parts: Partial<TemplateParts>, change: Partial<PrepareTask> & { data?: unknown } = {}) {
  templates += 1;
  const key = `template-${templates}`;
  const [result] = await renderer.prepare({ [key]: { subject: 'Sujet', text: '', html: '', ...parts } }, [
    taskWith({ ...change, template: key }),
  ]);
  return result as Exclude<typeof result, undefined>;
}
const clock: RenderClock = { at: new Date('2022-03-05T08:30:00Z'), timezone: 'Europe/Paris', locale: 'fr-FR' };

t.test('every absent field is named by its full path, of all three parts, filter arguments too', async (t) => {
  const result = await render(
    {
      subject: '{{ a }}',
      text: '{{ client.name }} {{ known | append: suffix }}',
      html: '{% for row in rows %}{{ row.x }}{% endfor %}{% assign y = z %}{{ known | append: b.c | append: b.d }}',
    },
    { data: { known: 'k' } },
  );
  t.same(result, { kind: 'field_missing', fields: ['a', 'client.name', 'suffix', 'rows', 'z', 'b.c', 'b.d'] });
});

t.test('an absent field is told although looking for others takes too long', async (t) => {
  const loops = '{% for a in (1..1400) %}{% for b in (1..1400) %}{% assign c = a | times: b %}{% endfor %}{% endfor %}';
  t.match(await render({ text: `{{ absent }}${loops}` }), { kind: 'field_missing', fields: ['absent'] });
});

t.test('null is empty; absence is allowed in conditions and before default only', async (t) => {
  t.match(
    await render(
      {
        text: '[{{ n }}]{% if x %}a{% elsif y.z %}b{% else %}c{% endif %}{% unless x %}d{% endunless %}{{ x | default: "e" }}{% case x %}{% when 1 %}{% else %}f{% endcase %}',
      },
      { data: { n: null } },
    ),
    { text: '[]cdef' },
  );
  t.match(await render({ text: '{% assign y = x %}{{ y }}' }), { kind: 'field_missing', fields: ['x'] });
});

t.test('HTML is escaped once, text and subject are not', async (t) => {
  const all = '{{ n }}';
  t.match(await render({ subject: all, text: all, html: all }, { data: { n: `<b>L'été & "moi"</b>` } }), {
    subject: `<b>L'été & "moi"</b>`,
    text: `<b>L'été & "moi"</b>`,
    html: '&lt;b&gt;L&#39;été &amp; &#34;moi&#34;&lt;/b&gt;',
  });
  const html =
    '{% capture c %}<i>{{ n }}</i>{% endcapture %}{{ c }}|{{ n | escape }}|{{ n | newline_to_br }}|{% echo n %}|{% cycle n %}';
  t.match(await render({ html }, { data: { n: "l'<\n" } }), {
    html: '<i>l&#39;&lt;\n</i>|l&#39;&lt;\n|l&#39;&lt;<br />\n|l&#39;&lt;\n|l&#39;&lt;\n',
  });
});

t.test('overrides are literal, and the parts they replace are not needed', async (t) => {
  t.match(
    await render(
      { subject: '{{ absent }}', html: '{% broken' },
      { overrides: { subject: '{{ x }}', html: '<b>{{ y }}</b>' } },
    ),
    {
      kind: 'prepared',
      subject: '{{ x }}',
      html: '<b>{{ y }}</b>',
    },
  );
});

t.test('a subject is one line, trimmed, and not empty', async (t) => {
  t.match(await render({ subject: ' \n Bonjour\n' }), { subject: 'Bonjour' });
  t.same(await render({ subject: '{{ s }}' }, { data: { s: ' \r\n ' } }), {
    kind: 'template_error',
    part: 'subject',
    message: 'empty_subject',
  });
  for (const s of ['a\r\nBcc: x@y', 'a\nb', 'a\rb', 'a\0b', 'a\u2028b', 'a\u0085b']) {
    const refused = { kind: 'template_error', part: 'subject', message: 'control_character' };
    t.same(await render({ subject: '{{ s }}' }, { data: { s } }), refused);
    t.same(await render({}, { overrides: { subject: s } }), refused);
  }
});

t.test('data that is no object, and a clock that is none, are said', async (t) => {
  for (const dataJson of ['[]', 'null', '{', '1'])
    t.match(await render({}, { dataJson }), { kind: 'template_error', message: 'invalid_data' });
  t.match(await render({}, { clockAt: 'soon' }), { kind: 'template_error', message: 'invalid_clock' });
});

t.test('increment in one part does not reach the next', async (t) => {
  t.match(await render({ text: '{% increment n %}{% increment n %}', html: '{% increment n %}' }), {
    text: '01',
    html: '0',
  });
});

t.test('dates are French, in the zone of the tenant, and now is the clock', async (t) => {
  const text =
    '{{ d | date: "%A %-d %B %Y à %H:%M" }}|{{ "now" | date: "%F %T %:z" }}|{{ "today" | date: "%d/%m/%y" }}';
  t.match(await render({ text }, { data: { d: '2022-03-05T08:30:00Z' } }), {
    text: 'samedi 5 mars 2022 à 09:30|2022-03-05 09:30:00 +01:00|05/03/22',
  });
  t.match(await render({ text: '{{ "now" | date: "%H", "America/New_York" }}' }), { text: '03' });
  t.match(await render({ text: '{{ "now" | date: "%H", "No/Where" }}' }), { kind: 'template_error', part: 'text' });
  t.match(
    await render({ text: '{{ d | date: "%F" }}' }, { data: { d: '05/03/2022' } }),
    { text: '05/03/2022' },
    'nothing is guessed',
  );
});

t.test('civil times are read in the zone, right across both clock changes', async (t) => {
  const iso = (text: string) => readDate(text, clock)?.toISOString();
  t.equal(iso('2026-03-29T01:59'), '2026-03-29T00:59:00.000Z');
  t.equal(iso('2026-03-29 02:30'), '2026-03-29T01:30:00.000Z', 'an hour that never happens');
  t.equal(iso('2026-03-29T03:00'), '2026-03-29T01:00:00.000Z');
  t.equal(iso('2026-10-25T02:30'), '2026-10-25T00:30:00.000Z', 'the first of two');
  t.equal(iso('2026-10-25T03:00'), '2026-10-25T02:00:00.000Z');
  t.equal(iso('2026-07-14'), '2026-07-13T22:00:00.000Z');
  t.equal(iso('2026-07-14T10:00:00+0530'), '2026-07-14T04:30:00.000Z');
  t.same(['2026-02-30', '2026-01-01T25:00', 'March 5, 2022', '99999999999999', 'x'].map(iso), Array(5).fill(undefined));
  t.equal(
    formatDate(new Date('2026-10-25T01:30:00Z'), '%H:%M %z %s %j %V %G %u %% %Q %_d|%^a|%e', clock),
    '02:30 +0100 1792891800 298 43 2026 7 % %Q 25|DIM.|25',
  );
  for (let hour = 0; hour < 24 * 366; hour += 1) {
    const instant = new Date(Date.UTC(2026, 0, 1, hour, 20));
    const back = readDate(formatDate(instant, '%FT%T%z', clock), clock);
    if (back?.getTime() !== instant.getTime()) t.fail(`${instant.toISOString()} came back as ${back?.toISOString()}`);
  }
});

t.test('problems carry part, sentence and place', async (t) => {
  t.same(parseTemplateParts({ subject: '{{ a }}', text: '', html: '' }), { kind: 'parsed' });
  t.match(parseTemplateParts({ subject: '{{ a | raw }}', text: 'x\n{% include "a" %}', html: '{% if a %}' }), {
    kind: 'problems',
    problems: [
      { part: 'subject', message: 'undefined filter: raw', line: 1 },
      { part: 'text', message: 'tag "include" not found', line: 2, column: 1 },
      { part: 'html', message: 'tag {% if a %} not closed', line: 1, column: 1 },
    ],
  });
});

t.test('the fields of a template are listed by path, without its own names', async (t) => {
  t.same(
    listVariableUses([
      { place: 'subject', html: false, source: '{{ a.b }}' },
      {
        place: 'text',
        html: false,
        source: '{% for i in rows %}{{ i.x }}{{ forloop.index }}{% endfor %}{% assign k = q %}{{ k }}',
      },
      { place: 'html', html: true, source: '{{ a.b }}{{ c[0].d }}{% if e == f %}{% endif %}{{ g | append: h }}' },
    ]).map(({ path }) => path),
    ['a.b', 'rows', 'q', 'rows[].x', 'c[0].d', 'e', 'f', 'g', 'h'],
  );
});

t.test('hash and bytes come with a mail, and a refused composition costs only its task', async (t) => {
  const { subject, text, html, ...mail } = contentWith();
  const bad = { ...compositionDefaults, headers: { 'X-A': 'a\r\nBcc: b@c' } };
  const results = await renderer.prepare({ k: { subject, text, html } }, [
    taskWith({ template: 'k', mail, composition: compositionDefaults }),
    taskWith({ template: 'k', mail, composition: bad }),
    taskWith({ template: 'k', mail }),
  ]);
  t.match(results, [
    { kind: 'prepared', contentHash: /^[0-9a-f]{64}$/ },
    { kind: 'template_error', message: /^composition_refused: / },
    { kind: 'prepared', raw: null },
  ]);
  t.match(results[0]?.kind === 'prepared' && Buffer.from(results[0].mail?.bytes ?? []).toString(), /^From: /);
});

t.test('results keep the order of 1,050 tasks over several batches; an absurd amount is refused', async (t) => {
  const pool = createRenderer({ threads: 2, maxWaitingTasks: 1500 });
  t.teardown(() => pool.close());
  const parts = { k: { subject: '{{ n }}', text: '', html: '' } };
  const tasks = Array.from({ length: 1050 }, (_, n) => taskWith({ template: 'k', data: { n } }));
  const large = pool.prepare(parts, tasks);
  await t.rejects(pool.prepare(parts, tasks), RendererOverloadedError);
  const small = await pool.prepare(parts, tasks.slice(0, 3));
  t.same(
    small.map((result) => result.kind === 'prepared' && result.subject),
    ['0', '1', '2'],
  );
  t.same(
    (await large).map((result) => result.kind === 'prepared' && result.subject),
    tasks.map((_, n) => String(n)),
  );
  await t.rejects(pool.prepare(parts, [taskWith({ template: 'other' })]), /no template/);
  const inHand = pool.prepare(parts, tasks);
  await Promise.all([t.rejects(inHand), pool.close()]);
  await t.rejects(pool.prepare(parts, tasks), /closed/);
});
