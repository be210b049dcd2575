import fc from 'fast-check';
import t from 'tap';
import type { MailContent } from '../../src/channels/mail/content.ts';
import { contentHash } from '../../src/templates/rendering/content-hash.ts';
import { contentWith } from './render-fixtures.ts';

const text = fc.string({ unit: 'grapheme' });
const mailbox = fc.record({ name: fc.option(text), address: text });
const content: fc.Arbitrary<MailContent> = fc.record({
  from: mailbox,
  replyTo: fc.option(mailbox),
  to: mailbox,
  cc: fc.array(mailbox, { maxLength: 2 }),
  bcc: fc.array(mailbox, { maxLength: 2 }),
  subject: text,
  text,
  html: text,
  documents: fc.array(fc.record({ name: text, mediaType: fc.constant('application/pdf'), sha256: text }), {
    maxLength: 2,
  }),
});

function reversedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversedKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversedKeys(inner)]),
  );
}

t.test('the hash is pinned: another value means that stored approvals no longer match', async (t) => {
  t.equal(contentHash(contentWith()), '4e11a3065d6b1b649fed89d6afcee9b13964ca3abe4500bf2bf8e63e696631cb');
});

t.test('any changed field changes it', async (t) => {
  fc.assert(
    fc.property(
      content,
      content,
      fc.constantFrom(...(Object.keys(contentWith()) as (keyof MailContent)[])),
      (a, b, key) => {
        const changed = { ...a, [key]: b[key] };
        return (
          (contentHash(changed) === contentHash(a)) ===
          (JSON.stringify(reversedKeys(changed)) === JSON.stringify(reversedKeys(a)))
        );
      },
    ),
  );
  const base = contentWith({
    cc: [
      { name: null, address: 'a@b' },
      { name: null, address: 'c@d' },
    ],
    documents: [{ name: 'a', mediaType: 'x/y', sha256: '1' }],
  });
  const hashes = new Set(
    [
      base,
      { ...base, cc: base.cc.toReversed() },
      { ...base, cc: [], bcc: base.cc },
      { ...base, documents: [{ name: 'a', mediaType: 'x/y', sha256: '2' }] },
    ].map(contentHash),
  );
  t.equal(hashes.size, 4);
});

t.test('key order, media type and foreign keys do not', async (t) => {
  fc.assert(fc.property(content, (a) => contentHash(reversedKeys(a) as MailContent) === contentHash(a)));
  const document = { name: 'a', mediaType: 'x/y', sha256: '1' };
  const more = { ...contentWith({ documents: [{ ...document, mediaType: 'z/z' }] }), raw: 'x' };
  t.equal(contentHash(more), contentHash(contentWith({ documents: [document] })));
});
