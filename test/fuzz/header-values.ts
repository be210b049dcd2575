/** Subjects, names, addresses and file names as honest people, careless programs and attackers give them. */
import fc, { type Arbitrary } from 'fast-check';

/** A value, what must become of it, and how it arrives when it is taken. */
export interface Value {
  text: string;
  /** `good`: it is taken. `bad`: it is refused. `either`: both are right, as long as it arrives as it was asked for. */
  hope: 'good' | 'bad' | 'either';
  arrives: string;
}

const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const marks = ['\u061c', '\u200e', '\u200f', '\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2069'];
const breaks = ['\r\n', '\r\n ', '\n', '\r', '\t', '\u0000', '\u001b', '\u007f', '\u0085', '\u2028', '\u2029', '\b'];
const halves = ['\ud800', '\udbff', '\udc00', '\udfff'];
const injections = ['Bcc: vol@attaque.example', 'To: vol@attaque.example', 'Subject: volé', '\r\nfin', '.\r\n', ''];

const pieces = [
  'D’Hérouville',
  'L’Hôte & Fils',
  'Müller',
  'Avis n° 7 : 12,50 €',
  'Bcc: vol@attaque.example',
  '<vol@attaque.example>',
  ', vol@attaque.example',
  'groupe: vol@attaque.example;',
  '(commentaire)',
  '"',
  '\\',
  '\\"',
  "'",
  ';',
  ':',
  ',',
  '@',
  '=?utf-8?B?w4k=?=',
  '=?utf-8?Q?=0D=0ABcc:_vol@attaque.example?=',
  '=?iso-8859-1?Q?=E9?=',
  '=?',
  '?=',
  '=',
  '_',
  '?',
  '%0d%0a',
  '%22',
  ' ',
  '   ',
  '\u00a0',
  '\u200b',
  '\ufeff',
  '\u{10ffff}',
  'e\u0301',
  '例え',
  '🎉',
  '👨‍👩‍👧‍👦',
  'x'.repeat(70),
  'Ω'.repeat(40),
  ...marks,
];

const honest = fc.constantFrom('Avis d’échéance C-88', 'Jeanne D’Hérouville', 'Conseil & Fils', 'Relevé (2026)', 'A.');
const assembled = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 8 }).map((all) => all.join(''));
const long = fc.tuple(fc.constantFrom(...pieces), fc.integer({ min: 1, max: 1_200 }));

/** One line of any text that is no more than one line. */
const line: Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: honest },
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }) },
  { weight: 6, arbitrary: assembled },
  { weight: 1, arbitrary: long.map(([piece, length]) => piece.repeat(Math.ceil(length / piece.length))) },
);

/** A line with something in it that must not get into a header. */
const broken = fc
  .tuple(line, fc.constantFrom(...breaks, ...breaks, ...halves), fc.constantFrom(...injections), fc.nat())
  .map(([text, mark, injected, position]) => {
    const at = position % (text.length + 1);
    return `${text.slice(0, at)}${mark}${injected}${text.slice(at)}`;
  });

const anyLine = fc.oneof(
  { weight: 140, arbitrary: line },
  { weight: 10, arbitrary: broken },
  { weight: 1, arbitrary: fc.constantFrom('', ' ', '\u00a0 ') },
);

const judged = (text: string, good: boolean): Value => ({ text, hope: good ? 'good' : 'bad', arrives: text.trim() });

const isLine = (text: string, longest: number) =>
  text !== '' && [...text].length <= longest && !control.test(text) && text.isWellFormed();

/** A display name: one line of 1 to 200 characters. */
export const names: Arbitrary<Value> = anyLine.map((text) => judged(text, isLine(text, 200)));

/** A subject in the place of the template's: one line of 1 to 998 characters. */
export const literalSubjects: Arbitrary<Value> = anyLine
  .filter((text) => text.trim() !== '')
  .map((text) => judged(text, isLine(text, 998)));

/** A subject that comes with the data of a row: one line that is not empty once rendered and trimmed. */
export const mergedSubjects: Arbitrary<Value> = anyLine.map((text) => {
  const plain = text.isWellFormed() && !text.includes('\0');
  return judged(text, plain && text.trim() !== '' && !control.test(text.trim()));
});

function isFileName(text: string): boolean {
  if (text.trim() === '' || text.length > 200 || text === '.' || text === '..') return false;
  if (/[/\\]/.test(text) || control.test(text) || /%0[0ad]/i.test(text)) return false;
  return !marks.concat('\u2067', '\u2068').some((mark) => text.includes(mark)) && !text.includes('\ufffd');
}

const ending = fc.constantFrom('.txt', '.pdf', '', '.TXT', '..', ' .txt', '.tar.gz', '\u202etxt.exe');

/**
 * The name of a file: one path segment, nothing invisible. Lone surrogates become U+FFFD on their way, and are refused.
 * A name that is mostly spaces may be refused, but no line of a header may be spaces alone.
 */
export const fileNames: Arbitrary<Value> = fc.tuple(anyLine, ending).map(([text, end]) => {
  const name = `${text.slice(0, 190)}${end}`.toWellFormed();
  const value = { ...judged(name, isFileName(name)), arrives: name };
  return value.hope === 'good' && / {40}/.test(name) ? { ...value, hope: 'either' } : value;
});

// As UTS 46 has them, written down here so that nothing is compared with itself.
const internationalDomains = [
  ['exämple.fr', 'xn--exmple-cua.fr'],
  ['例え。jp', 'xn--r8jz45g.jp'],
  ['BÜCHER.Example', 'xn--bcher-kva.example'],
  ['mañana.example', 'xn--maana-pta.example'],
  ['straße.example', 'xn--strae-oqa.example'],
  ['ｅｘａｍｐｌｅ.fr', 'example.fr'],
] as const;

const atom = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,14}$/);
// One that begins like an A-label would have to be one.
const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?$/).filter((text) => !/^xn--/i.test(text));
const locals = fc.oneof(
  { weight: 4, arbitrary: fc.array(atom, { minLength: 1, maxLength: 4 }).map((atoms) => atoms.join('.')) },
  { weight: 1, arbitrary: fc.constantFrom("o'neil+tag=1", '=?utf-8?q?a?=', '!#$%&*/?^_`{|}~-', 'l'.repeat(64), '-') },
);
const asciiDomains = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 5 }), fc.constantFrom('fr', 'Example', 'co.uk', 'xn--p1ai'))
  .map(([labels, top]) => [...labels, top].join('.'));
const domains = fc.oneof(
  { weight: 10, arbitrary: asciiDomains.map((domain) => [domain, domain.toLowerCase()] as const) },
  { weight: 2, arbitrary: fc.constantFrom(...internationalDomains) },
  {
    weight: 1,
    arbitrary: fc.constant([
      `${'d'.repeat(63)}.${'e'.repeat(63)}.fr`,
      `${'d'.repeat(63)}.${'e'.repeat(63)}.fr`,
    ] as const),
  },
);

/** An address that is one by its making. */
export const goodAddresses: Arbitrary<Value> = fc.tuple(locals, domains).map(([local, [written, ascii]]) => ({
  text: `${local}@${written}`,
  hope: 'good',
  arrives: `${local}@${ascii}`,
}));

const other = 'vol@attaque.example';

/** Text that is anything but one address, by its making. */
const badAddresses = fc.tuple(goodAddresses, fc.nat()).map(([{ text }, pick]): Value => {
  const [local, domain] = [text.slice(0, text.lastIndexOf('@')), text.slice(text.lastIndexOf('@') + 1)];
  const ways = [
    ...[`${text}, ${other}`, `${text},${other}`, `${text};${other}`, `${text} ${other}`, `${other}\u3000${text}`],
    ...[`Nom <${text}>`, `<${text}>`, `"Nom" <${other}> ${text}`, `groupe: ${text}, ${other};`, `groupe:;`],
    ...[`"${local}"@${domain}`, `"a b"@${domain}`, `"${other}"@${domain}`, `${local}(c)@${domain}`, `${text}(c)`],
    ...[`(c)${text}`, ` ${text}`, `${text} `, `${text}\n`, `${text}\r\nRCPT TO:<${other}>`, `${text}\r\nBcc: ${other}`],
    ...[`${text}> SIZE=1`, `${text}>\r\nDATA`, `@relais.example:${text}`, `${local}@${domain}@${domain}`, local, ''],
    ...[`${local}@[127.0.0.1]`, `${local}@[IPv6:::1]`, `${local}@127.0.0.1`, `${local}@127.1`, `${local}@local`],
    ...[`é${text}`, `\u202e${text}`, `${text}\u200f`, `\u200b${text}`, `${local}\u0000@${domain}`, `${text}\udc00`],
    ...[`.${text}`, `${local}.@${domain}`, `a..b@${domain}`, `${local}@.${domain}`, `${local}@a..${domain}`],
    ...[`${'l'.repeat(65)}@${domain}`, `${local}@${'d'.repeat(64)}.fr`, `${local}@${'d.'.repeat(128)}fr`],
    ...[`${local}@${domain}/x`, `${local}@${domain}:25`, `${local}@${domain}%0d%0a`, `${local}@a_b.${domain}`],
    ...[
      `${text}${'é'.repeat(400)}`,
      `mailto:${text}`,
      `${text}?bcc=${other}`,
      `${local}%${domain}@`,
      `=?utf-8?q?${text}?=`,
    ],
  ];
  const bad = ways[pick % ways.length] ?? '';
  return { text: bad, hope: 'bad', arrives: bad };
});

/** A domain as a browser would call it: another reading of UTS 46 than the service's own. Empty: none would. */
function hostOf(domain: string): string {
  if (/^[\0-\x7f]*$/.test(domain)) return /^[a-z0-9.-]+$/i.test(domain) ? domain.toLowerCase() : '';
  return URL.parse(`http://${domain}`)?.hostname ?? '';
}

/**
 * An address with one character taken out, put in or changed: whatever is taken must arrive as it was written. Not of a
 * label that only looks like an A-label: the service takes it, and servers refuse it.
 */
const mutatedAddresses = fc
  .tuple(
    goodAddresses,
    fc.nat(),
    fc.constantFrom(0, 1),
    fc.constantFrom('', ...'.@,;:<>()[]"\\ é\u00ad\u3002\uff0e-_=', ...marks),
  )
  .map(([{ text }, position, cut, put]): Value => {
    const at = position % text.length;
    const changed = `${text.slice(0, at)}${put}${text.slice(at + cut)}`.toWellFormed();
    const split = changed.lastIndexOf('@');
    const arrives = `${changed.slice(0, split)}@${hostOf(changed.slice(split + 1))}`;
    return { text: changed, hope: 'either', arrives };
  })
  .filter(({ text }) => !/xn--/i.test(text));

/** Addresses of all kinds, most of them good. */
export const addresses: Arbitrary<Value> = fc.oneof(
  { weight: 17, arbitrary: goodAddresses },
  { weight: 2, arbitrary: badAddresses },
  { weight: 1, arbitrary: mutatedAddresses },
);
