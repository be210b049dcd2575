import fc from 'fast-check';
import t from 'tap';
import { parseAddrSpec } from '../../src/channels/mail/addr-spec.ts';

const VALID: [text: string, address: string, normalized: string][] = [
  ['a@b.fr', 'a@b.fr', 'a@b.fr'],
  ['Marie.Curie@Exemple.FR', 'Marie.Curie@exemple.fr', 'marie.curie@exemple.fr'],
  ["o'neil+tag=1@sub.exemple.fr", "o'neil+tag=1@sub.exemple.fr", "o'neil+tag=1@sub.exemple.fr"],
  ['x@exämple.fr', 'x@xn--exmple-cua.fr', 'x@xn--exmple-cua.fr'],
  ['x@例え。jp', 'x@xn--r8jz45g.jp', 'x@xn--r8jz45g.jp'],
  ['x@xn--exmple-cua.fr', 'x@xn--exmple-cua.fr', 'x@xn--exmple-cua.fr'],
  ['!#$%&*/?^_`{|}~-@b.fr', '!#$%&*/?^_`{|}~-@b.fr', '!#$%&*/?^_`{|}~-@b.fr'],
  ['a@123.fr', 'a@123.fr', 'a@123.fr'],
  [`${'l'.repeat(64)}@b.fr`, `${'l'.repeat(64)}@b.fr`, `${'l'.repeat(64)}@b.fr`],
];

const INVALID = [
  '',
  '@',
  'a',
  'a@',
  '@b.fr',
  'a@b',
  'a@localhost',
  'a b@c.fr',
  ' a@b.fr',
  'a@b.fr ',
  'a@b.fr\n',
  'a@b.fr\r\nRCPT TO:<e@f.fr>',
  'a@b.fr, c@d.fr',
  'a@b.fr,c@d.fr',
  'a@b.fr;c@d.fr',
  'Nom <a@b.fr>',
  '<a@b.fr>',
  'group: a@b.fr;',
  '"a b"@c.fr',
  '"a"@c.fr',
  'a(comment)@b.fr',
  'a@b.fr(comment)',
  'a@[127.0.0.1]',
  'a@[IPv6:::1]',
  'a@127.0.0.1',
  'a@127.1',
  'a@b.1',
  '.a@b.fr',
  'a.@b.fr',
  'a..b@c.fr',
  'a@.b.fr',
  'a@b..fr',
  'a@b.fr.',
  'a@-b.fr',
  'a@b-.fr',
  'a@b_c.fr',
  'a@b/c.fr',
  'a@b\uff0fc.fr',
  'a@b%2ec.fr',
  'a@b.fr:25',
  'é@b.fr',
  'a@b@c.fr',
  'a\u0000@b.fr',
  'a@b\u0000.fr',
  'a@b\u200b c.fr',
  'a\\@b.fr',
  `${'l'.repeat(65)}@b.fr`,
  `a@${'d'.repeat(64)}.fr`,
  `a@${'d'.repeat(60)}.${'e'.repeat(60)}.${'f'.repeat(60)}.${'g'.repeat(60)}.${'h'.repeat(12)}.fr`,
];

t.test('one address is kept, with its domain in A-labels', async (t) => {
  for (const [text, address, normalized] of VALID)
    t.strictSame(parseAddrSpec(text), { kind: 'address', address, normalized }, text);
});

t.test('everything else is refused, without repeating it', async (t) => {
  for (const text of INVALID)
    t.match(parseAddrSpec(text), { kind: 'invalid', code: 'address_invalid' }, JSON.stringify(text));
});

const atom = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,12}$/);
const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?$/);
const generated = fc
  .tuple(fc.array(atom, { minLength: 1, maxLength: 4 }), fc.array(label, { minLength: 1, maxLength: 4 }))
  .map(([locals, labels]) => `${locals.join('.')}@${labels.join('.')}.fr`);

t.test('any dot-atom at any letter-digit-hyphen domain is an address', async (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(generated, (text) => parseAddrSpec(text).kind === 'address')));
});

t.test('a result reads as itself again, and normalizing twice changes nothing', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(
        fc.oneof(
          generated,
          fc.string().map((domain) => `a@${domain}.fr`),
          fc.string({ unit: 'binary' }),
        ),
        (text) => {
          const first = parseAddrSpec(text);
          if (first.kind === 'invalid') return true;
          const again = parseAddrSpec(first.address);
          const lower = parseAddrSpec(first.normalized);
          return (
            again.kind === 'address' &&
            again.address === first.address &&
            lower.kind === 'address' &&
            lower.normalized === first.normalized
          );
        },
      ),
      { numRuns: 2000 },
    ),
  );
});

t.test('no result holds anything that ends a command or starts a second address', async (t) => {
  const hostile = fc
    .array(
      fc.oneof(
        fc.constantFrom(
          'a',
          '.',
          '@',
          'fr',
          ',',
          ';',
          '<',
          '>',
          '"',
          ' ',
          '\r\n',
          '\u0000',
          'é',
          '\uff0f',
          '(',
          '\\',
          '\u3002',
          '%',
        ),
        fc.string(),
      ),
    )
    .map((parts) => parts.join(''));
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(hostile, fc.boolean(), (text, complete) => {
        const result = parseAddrSpec(complete ? `a@${text}.fr` : text);
        return (
          result.kind === 'invalid' ||
          (/^[\x21-\x7e]+$/.test(result.address) &&
            !/[\s,;<>"()\\[\]:]/.test(result.address) &&
            result.address.split('@').length === 2)
        );
      }),
      { numRuns: 5000 },
    ),
  );
});
