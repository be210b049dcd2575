/** `POST /v1/templates/convert`: thousands of templates of older applications come along by it. */
import fc from 'fast-check';
import t from 'tap';
import { convertOldFields } from '../../src/templates/convert/convert.ts';
import { startService, type TestService } from '../support/service.ts';
import { converted, dates, letters, notUnderstood, renamed, untouched } from './old-syntax-cases.ts';

const convert = async ({ inject }: TestService, body: object) => {
  const answer = await inject('POST', '/v1/templates/convert', { body });
  return answer.status === 200 ? answer.body : answer;
};

/** Saves a text as a template, and renders it. */
async function render({ inject }: TestService, text: string, data: object): Promise<string> {
  const key = `t-${crypto.randomUUID()}`;
  const { id } = (await inject('POST', '/v1/templates', { body: { key, title: 'T', channel: 'mail' } })).body;
  const version = { subject: 'S', text, html: '<p>x</p>' };
  await inject('POST', `/v1/templates/${id}/versions`, { body: version });
  return (await inject('POST', `/v1/templates/${id}/preview`, { body: { data } })).body.text;
}

t.test('J2, M4, W1, A8 · every old field becomes Liquid, with a line for each', async (t) => {
  const service = await startService(t);
  t.ok(converted.length + renamed.length + notUnderstood.length + untouched.length >= 150, 'a table of 150');
  for (const [outcome, cases] of Object.entries({ converted, renamed })) {
    for (const [old, liquid] of cases) {
      const answer = await convert(service, { text: old });
      t.equal(answer.text, liquid, old);
      t.same(new Set(answer.fields.map((field: { outcome: string }) => field.outcome)), new Set([outcome]), old);
    }
  }
  for (const old of notUnderstood) {
    const line = { part: 'text', field: old, liquid: null, outcome: 'not_understood', line: 1, count: 1 };
    t.match(await convert(service, { text: old }), { text: old, fields: [line] }, old);
  }
  for (const old of untouched) t.match(await convert(service, { text: old }), { text: old, fields: [] }, old);
});

t.test('J2 · every letter of a PHP date is written in French, in the tenant’s zone', async (t) => {
  const service = await startService(t);
  const lines = Object.keys(letters).map((letter) => `\${d#${letter}}`);
  const { text, fields, problems } = await convert(service, { text: lines.join('\n') });
  t.equal(fields.length, lines.length);
  t.same(problems, []);
  const written = (await render(service, text, { d: '2022-03-05T08:30:07Z' })).split('\n');
  for (const [index, [letter, expected]] of Object.entries(letters).entries())
    t.equal(written[index], expected, letter);
});

t.test('J2 · leap days, both changes of the clock, weeks and midnights', async (t) => {
  const service = await startService(t);
  const old = dates.map(([, format], index) => `\${d${index}#${format}}`).join('\n');
  const { text } = await convert(service, { text: old });
  const data = Object.fromEntries(dates.map(([value], index) => [`d${index}`, value]));
  const written = (await render(service, text, data)).split('\n');
  for (const [index, [value, format, expected]] of dates.entries())
    t.equal(written[index], expected, `${value} ${format}`);
});

t.test('each text has its lines; entities stand for letters in HTML only', async (t) => {
  const service = await startService(t);
  const answer = await convert(service, {
    subject: 'Le ${d# j F &agrave; H:i}',
    html: '<p>\n${d# j F &agrave; H:i}\n${nom}\n${nom}</p><p>${pr&eacute;nom} ${a&amp;b}</p>',
  });
  t.equal(answer.text, undefined, 'what was not given is not answered');
  t.equal(answer.subject, "Le {{ d | php_date: 'j F &agrave; H:i' }}");
  t.equal(answer.html, "<p>\n{{ d | php_date: 'j F à H:i' }}\n{{ nom }}\n{{ nom }}</p><p>{{ prenom }} ${a&amp;b}</p>");
  t.same(
    answer.fields.map(({ part, outcome, line, count }: Record<string, unknown>) => [part, outcome, line, count]),
    [
      ['subject', 'converted', 1, 1],
      ['html', 'converted', 2, 1],
      ['html', 'converted', 3, 2],
      ['html', 'renamed', 4, 1],
      ['html', 'not_understood', 4, 1],
    ],
  );
});

t.test('a field has one line, however often it is written, where it came first', async (t) => {
  const { fields } = await convert(await startService(t), { text: 'Bonjour {Civ} {Adr_Nom}, {Civ} n°{No1}' });
  t.same(
    fields.map(({ field, count }: { field: string; count: number }) => [field, count]),
    [
      ['{Civ}', 2],
      ['{Adr_Nom}', 1],
      ['{No1}', 1],
    ],
  );
});

t.test('only the syntaxes that are asked for; faults of the result are told, of the body refused', async (t) => {
  const service = await startService(t);
  const text = '${a} {b} [URL_C] {% if %}';
  t.match(await convert(service, { text, syntaxes: ['braces'] }), {
    text: '${{ a }} {{ b }} [URL_C] {% if %}',
    problems: [{ part: 'text', line: 1 }],
  });
  t.match(await convert(service, { text, syntaxes: ['dollar', 'brackets'] }), {
    text: '{{ a }} {b} {{ URL_C }} {% if %}',
  });
  t.match(await convert(service, {}), { status: 400 });
  t.match(await convert(service, { text, syntaxes: ['percent'] }), {
    status: 400,
    body: { errors: [{ pointer: '/syntaxes/0' }] },
  });
});

t.test('a text without fields comes out as it went in', async (t) => {
  const plain = fc.string({ unit: 'binary' }).filter((text) => !/[{$[]/.test(text));
  fc.assert(
    fc.property(plain, fc.boolean(), (text, html) => {
      const { text: out, fields } = convertOldFields(text, { html });
      return out === text && fields.length === 0;
    }),
    { numRuns: 2_000 },
  );
  t.pass('2,000 texts');
});

t.test('what was converted is not converted again, and the cost is linear', async (t) => {
  const pieces = [
    '{',
    '}',
    '%',
    '$',
    '(',
    ')',
    '#',
    'a',
    ' ',
    '{b}',
    '${c}',
    '$(d)',
    '{{ e }}',
    '[URL_F]',
    '<style',
    '\n',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces)), (list) => {
      const once = convertOldFields(list.join(''));
      const again = convertOldFields(once.text);
      return again.fields.every(({ outcome }) => outcome === 'not_understood') || /\{\{|\{%|<style/.test(list.join(''));
    }),
    { numRuns: 2_000 },
  );
  for (const piece of [...pieces, '{{', '{%', '{a', '${', '${a', '$(a', '[URL_']) {
    convertOldFields(piece.repeat(200_000 / piece.length));
  }
  t.pass('ended');
});
