/** Amounts, numbers, plurals, dates in words and civilities, through a preview. */
import t from 'tap';
import { startService } from '../support/service.ts';

const narrow = '\u202f';
const hard = '\u00a0';

/** What a template writes, the value it gets, and what is expected in French. */
const french: readonly (readonly [template: string, value: unknown, expected: string])[] = [
  ['{{ v | amount }}', 1234.56, `1${narrow}234,56${hard}€`],
  ['{{ v | amount }}', '1234.56', `1${narrow}234,56${hard}€`],
  ['{{ v | amount }}', 0, `0,00${hard}€`],
  ['{{ v | amount }}', -12.5, `-12,50${hard}€`],
  ['{{ v | amount }}', 1234567.891, `1${narrow}234${narrow}567,89${hard}€`],
  [
    '{{ v | amount }}',
    '12345678901234567890',
    `12${narrow}345${narrow}678${narrow}901${narrow}234${narrow}567${narrow}890,00${hard}€`,
  ],
  ["{{ v | amount: 'USD' }}", 5, `5,00${hard}$US`],
  ["{{ v | amount: 'JPY' }}", 5, `5${hard}JPY`],
  ["{{ v | amount: 'euros' }}", 5, '5'],
  ['{{ v | amount }}', '1 234,56 €', '1 234,56 €'],
  ['{{ v | amount }}', 'gratuit', 'gratuit'],
  ['{{ v | amount }}', null, ''],
  ['{{ v | number }}', 1234.5, `1${narrow}234,5`],
  ['{{ v | number: 2 }}', 1234.5, `1${narrow}234,50`],
  ['{{ v | number: 0 }}', 1234.5, `1${narrow}235`],
  ['{{ v | number: -1 }}', 1.5, '1,5'],
  ['{{ v | number }}', '007', '7'],
  ['{{ v | number }}', '1e9', '1e9'],
  ["{{ v | plural: 'pièce', 'pièces' }}", 0, `0${hard}pièce`],
  ["{{ v | plural: 'pièce', 'pièces' }}", 1, `1${hard}pièce`],
  ["{{ v | plural: 'pièce', 'pièces' }}", 1.5, `1,5${hard}pièce`],
  ["{{ v | plural: 'pièce', 'pièces' }}", 2, `2${hard}pièces`],
  ["{{ v | plural: 'pièce' }}", 3, `3${hard}pièces`],
  ["{{ v | plural: 'cheval', 'chevaux' }}", 1000, `1${narrow}000${hard}chevaux`],
  ['{{ v | plural }}', 3, '3'],
  ["{{ v | plural: 'jour' }}", 'demain', 'demain'],
  ['{{ v | civility }}', 'MME', 'Madame'],
  ['{{ v | civility }}', 'Mme.', 'Madame'],
  ["{{ v | civility: 'short' }}", 'Madame', 'Mme'],
  ['{{ v | civility }}', 'M.', 'Monsieur'],
  ["{{ v | civility: 'short' }}", 'Monsieur', 'M.'],
  ['{{ v | civility }}', 'Mr', 'Monsieur'],
  ['{{ v | civility }}', 'maître', 'Maître'],
  ['{{ v | civility }}', 'M. et Mme', 'Madame, Monsieur'],
  ['{{ v | civility }}', '', 'Madame, Monsieur'],
  ['{{ v | civility }}', null, 'Madame, Monsieur'],
  ["{{ v | civility: 'short' }}", null, ''],
  ['{{ v | civility }}', 'SARL', 'SARL'],
  ['{{ v | long_date }}', '2022-03-05', '5 mars 2022'],
  ['{{ v | long_date }}', '2026-01-01', '1er janvier 2026'],
  ['{{ v | long_date }}', '2024-02-29', '29 février 2024'],
  ['{{ v | long_date_time }}', '2022-03-05T08:30:00Z', '5 mars 2022 à 09:30'],
  ['{{ v | long_date_time }}', '2026-03-29T01:00:00Z', '29 mars 2026 à 03:00'],
  ['{{ v | long_date_time }}', '2026-10-25T00:30:00Z', '25 octobre 2026 à 02:30'],
  ['{{ v | long_date }}', '05/03/2022', '05/03/2022'],
  ['{{ v | long_date }}', 'bientôt', 'bientôt'],
];

t.test('French is written as the French write it, with its spaces', async (t) => {
  const { inject } = await startService(t);
  const { id } = (await inject('POST', '/v1/templates', { body: { key: 'mots', title: 'Mots', channel: 'mail' } }))
    .body;
  const text = french.map(([template], index) => template.replace('{{ v', `{{ v${index}`)).join('\n');
  const version = await inject('POST', `/v1/templates/${id}/versions`, {
    body: { subject: 'S', text, html: '<p></p>' },
  });
  t.equal(version.status, 201);
  const data = Object.fromEntries(french.map(([, value], index) => [`v${index}`, value]));
  const lines = (await inject('POST', `/v1/templates/${id}/preview`, { body: { data } })).body.text.split('\n');
  for (const [index, [template, value, expected]] of french.entries()) {
    t.equal(lines[index], expected, `${template} of ${JSON.stringify(value)}`);
  }
});

t.test('an organisation that writes English has its own words', async (t) => {
  const { inject } = await startService(t);
  const headers = { 'if-match': '*' };
  const changed = await inject('PATCH', '/v1/tenant', {
    body: { locale: 'en-GB', timezone: 'Europe/London' },
    headers,
  });
  t.equal(changed.status, 200);
  const { id } = (await inject('POST', '/v1/templates', { body: { key: 'words', title: 'Words', channel: 'mail' } }))
    .body;
  const text =
    "{{ a | amount }} {{ n | number: 1 }} {{ n | plural: 'day' }} {{ o | plural: 'day' }} {{ d | long_date }}, {{ d | long_date_time }}";
  await inject('POST', `/v1/templates/${id}/versions`, { body: { subject: 'S', text, html: '<p></p>' } });
  const data = { a: 1234.5, n: 0, o: 1, d: '2026-07-01T08:30:00Z' };
  const preview = await inject('POST', `/v1/templates/${id}/preview`, { body: { data } });
  t.equal(preview.body.text, `€1,234.50 0.0 0${hard}days 1${hard}day 1 July 2026, 1 July 2026 at 09:30`);
});
