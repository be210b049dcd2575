import fc from 'fast-check';
import t from 'tap';
import { convertBraceFields } from '../../src/templates/legacy-syntax.ts';

t.test('fields between single braces become Liquid', async (t) => {
  t.same(convertBraceFields('Bonjour {Civ} {Adr_Nom}, {Civ} n°{No1}'), {
    text: 'Bonjour {{ Civ }} {{ Adr_Nom }}, {{ Civ }} n°{{ No1 }}',
    fields: ['Civ', 'Adr_Nom', 'No1'],
  });
  t.same(convertBraceFields('{a}{b}').text, '{{ a }}{{ b }}');
  t.same(
    convertBraceFields('<p style="x">{a}</p><style>p{color:red}</style>').text,
    '<p style="x">{{ a }}</p><style>p{color:red}</style>',
  );
});

t.test('everything else stays', async (t) => {
  for (const text of [
    'p { color: red }',
    'p{color:red}',
    '@media print{p{color:red}}',
    'function f() { return 1 }',
    '{{ x }}',
    '{{x}}',
    '{{ x | default: "{y}" }}',
    '{% if x %}{% endif %}',
    '{% assign a = "{b}" %}',
    '{}',
    '{ a }',
    '{1a}',
    '{a-b}',
    '{é}',
    '{a',
    'a}',
    '{{a}',
    '{a}}',
    '',
    '{{{a}}}',
  ])
    t.same(convertBraceFields(text), { text, fields: [] }, text);
});

t.test('what was converted is not converted again, and the cost is linear', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('{', '}', '%', 'a', ' ', '{b}', '{{ c }}', '\n')).map((x) => x.join('')),
      (text) => {
        const once = convertBraceFields(text);
        return convertBraceFields(once.text).fields.length === 0 || text.includes('{%') || text.includes('{{');
      },
    ),
  );
  for (const piece of ['{', '{{', '{%', '{a', '{{a}', '{a}']) convertBraceFields(piece.repeat(300_000));
  t.pass('ended');
});
