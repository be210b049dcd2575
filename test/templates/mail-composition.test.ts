import fc from 'fast-check';
import PostalMime from 'postal-mime';
import t, { type Test } from 'tap';
import { assembleMail, encodeAttachment } from '../../src/channels/mail/assembly.ts';
import { composeMail, type MailComposition } from '../../src/channels/mail/composition.ts';
import type { MailContent } from '../../src/channels/mail/content.ts';
import { compositionDefaults, contentWith } from './render-fixtures.ts';

interface Attachment {
  name: string;
  mediaType: string;
  content: Uint8Array;
}
type Change = Omit<Partial<MailComposition>, 'attachments'> & { attachments?: Attachment[] };

/** The whole mail: composed, then its attachments put in. */
async function compose(content: Partial<MailContent> = {}, { attachments = [], ...change }: Change = {}) {
  const named = attachments.map(({ name, mediaType }, index) => ({ name, mediaType, sha256: `hash-${index}` }));
  const composed = composeMail(contentWith(content), { ...compositionDefaults, ...change, attachments: named });
  const encoded = new Map(attachments.map(({ content }, index) => [`hash-${index}`, encodeAttachment(content)]));
  return Buffer.concat(assembleMail(composed, encoded) ?? []);
}
const parse = (raw: Buffer) => PostalMime.parse(raw, { attachmentEncoding: 'arraybuffer' });
const headBlock = (raw: Buffer) => raw.toString('latin1').split('\r\n\r\n')[0] ?? '';
const bytes = (content: unknown) => Buffer.from(content as ArrayBuffer);

function assertWire(t: Pick<Test, 'ok' | 'notMatch'>, raw: Buffer) {
  const text = raw.toString('latin1');
  t.notMatch(text, /[^\r]\n|\r[^\n]/, 'CRLF only');
  t.ok(
    text.split('\r\n').every((line) => line.length <= 998),
    'no line over 998 octets',
  );
  t.notMatch(text, /[^\t\r\n\x20-\x7e]/, 'ASCII only');
  t.ok(text.endsWith('\r\n'));
}

t.test('everything arrives', async (t) => {
  const attachments = [
    {
      name: 'Convocation été – n°1.pdf',
      mediaType: 'application/pdf',
      content: new Uint8Array([0, 1, 2, 13, 10, 255]),
    },
    { name: 'note.txt', mediaType: 'text/plain; charset=utf-8', content: Buffer.from('é\n'.repeat(2000)) },
    { name: 'joint.eml', mediaType: 'message/rfc822', content: Buffer.from('Subject: x\n\nbody\n') },
    { name: 'vide.bin', mediaType: 'application/octet-stream', content: new Uint8Array() },
  ];
  const raw = await compose(
    {
      replyTo: { name: null, address: 'reply@example.org' },
      cc: [
        { name: 'A, "B" <c>', address: 'cc@example.org' },
        { name: '=?utf-8?Q?x?=', address: 'cc2@exämple.org' },
      ],
      bcc: [{ name: 'Secret', address: 'secret@example.org' }],
      subject: 'Été à Paris — convocation',
      text: 'Bonjour É\nligne\n\n.',
      html: '<p>É</p>',
    },
    { attachments, highPriority: true, headers: { 'List-Unsubscribe': '<https://example.org/u?t=abc>' } },
  );
  assertWire(t, raw);
  const mail = await parse(raw);
  t.match(mail, {
    from: { name: 'Préfecture', address: 'no-reply@example.org' },
    to: [{ name: 'Élodie', address: 'elodie@example.org' }],
    cc: [
      { name: 'A, "B" <c>', address: 'cc@example.org' },
      { name: '=?utf-8?Q?x?=', address: 'cc2@xn--exmple-cua.org' },
    ],
    replyTo: [{ address: 'reply@example.org' }],
    subject: 'Été à Paris — convocation',
    messageId: '<0190.1@example.org>',
    date: '2022-03-05T08:30:00.000Z',
  });
  t.equal(mail.text?.trimEnd(), 'Bonjour É\nligne\n\n.');
  t.equal(mail.html?.trimEnd(), '<p>É</p>');
  t.same(
    mail.attachments.map((a) => a.filename),
    attachments.map((a) => a.name),
  );
  t.ok(mail.attachments.every((a, n) => bytes(a.content).equals(Buffer.from(attachments[n]?.content ?? []))));
  const header = (key: string) => mail.headers.filter((h) => h.key === key).map((h) => h.value);
  t.same(
    [
      'auto-submitted',
      'x-priority',
      'importance',
      'priority',
      'list-unsubscribe',
      'bcc',
      'x-original-to',
      'mime-version',
    ].map(header),
    [['auto-generated'], ['1'], ['high'], ['urgent'], ['<https://example.org/u?t=abc>'], [], [], ['1.0']],
  );
  t.notMatch(raw.toString(), /secret/i);
  t.match(headBlock(raw), /multipart\/mixed/);
  t.match(raw.toString(), /multipart\/alternative/);
});

t.test('the same input gives the same bytes, attachments included, and depends on the message id', async (t) => {
  const change = {
    attachments: [{ name: 'é.pdf', mediaType: 'application/pdf', content: new Uint8Array(5000).fill(7) }],
  };
  t.ok((await compose({}, change)).equals(await compose({}, change)));
  t.notOk((await compose({}, change)).equals(await compose({}, { ...change, messageId: '0190.2@example.org' })));
});

t.test('long lines, dots, trailing spaces and a false boundary survive', async (t) => {
  const boundary = /boundary="([^"]+)"/.exec(headBlock(await compose()))?.[1] ?? '';
  t.not(boundary, '');
  for (const text of [
    'x'.repeat(5000),
    'é'.repeat(5000),
    `${'mot '.repeat(3000)}fin`,
    '.\n..\n',
    'a  \n\tb \nc',
    `--${boundary}--\n--${boundary}\n\nx`,
    'From x\n=3D\0end',
  ]) {
    const raw = await compose({ text: `${text}|`, html: `${text}|` });
    assertWire(t, raw);
    const mail = await parse(raw);
    t.equal(mail.text?.trimEnd().replaceAll('\r\n', '\n'), `${text}|`);
    t.equal(mail.html?.trimEnd().replaceAll('\r\n', '\n'), `${text}|`);
  }
});

t.test('a mail of one part, or none, is still a mail', async (t) => {
  t.match(await parse(await compose({ html: '' })), { text: /Bonjour/, html: undefined });
  t.match(await parse(await compose({ text: '' })), { html: /Bonjour/ });
  assertWire(t, await compose({ text: '', html: '' }));
});

t.test('a redirected mail goes to one place and says where it would have gone', async (t) => {
  const raw = await compose(
    {
      cc: [{ name: 'C', address: 'cc@example.org' }],
      bcc: [{ name: null, address: 'bcc@example.org' }],
      html: '<!DOCTYPE html><html><body class="a">x</body></html>',
    },
    { redirect: { to: 'test@example.org', banner: 'Essai <b> & "co"' } },
  );
  const mail = await parse(raw);
  t.same(
    mail.to?.map((to) => to.address),
    ['test@example.org'],
  );
  t.equal(mail.cc, undefined);
  t.same(
    mail.headers.filter((h) => h.key === 'x-original-to').map((h) => h.value),
    ['elodie@example.org, cc@example.org, bcc@example.org'],
  );
  t.match(mail.text, /^Essai <b> & "co"\nelodie@example.org\ncc@example.org\nbcc@example.org\n\nBonjour/);
  t.match(
    mail.html,
    /<body class="a"><div [^>]+>Essai &#60;b&#62; &#38; &#34;co&#34;<br>elodie@example.org<br>cc@example.org<br>bcc@example.org<\/div>x/,
  );
});

t.test('nothing can begin another header', async (t) => {
  const evil = ['a\r\nBcc: evil@example.org', 'a\nb', 'a\rb', 'a\0b', 'a\u2028b'];
  for (const value of evil) {
    for (const content of [
      { subject: value },
      { from: { name: value, address: 'a@b.fr' } },
      { to: { name: null, address: value } },
      { cc: [{ name: value, address: 'a@b.fr' }] },
      { replyTo: { name: null, address: value } },
    ]) {
      await t.rejects(compose(content), /control character/);
    }
    for (const change of [
      { headers: { 'X-A': value } },
      { attachments: [{ name: value, mediaType: 'a/b', content: new Uint8Array() }] },
    ]) {
      await t.rejects(compose({}, change), /control character/);
    }
    await t.rejects(compose({}, { headers: { [value]: 'x' } }), /header name/);
    await t.rejects(compose({}, { messageId: `${value}@example.org` }), /message id/);
    await t.rejects(
      compose({}, { attachments: [{ name: 'a', mediaType: value, content: new Uint8Array() }] }),
      /media type/,
    );
    await t.rejects(compose({}, { redirect: { to: value, banner: '' } }), /control character/);
  }
  for (const name of ['Bcc', 'to', 'Subject', 'Content-Type', 'X-Original-To', 'Auto-Submitted'])
    await t.rejects(compose({}, { headers: { [name]: 'x' } }), /may not be set/);
  for (const address of [
    'a@b.fr, evil@example.org',
    'a',
    'a@b.fr>',
    '<a@b.fr>',
    'a b@c.fr',
    'a@b@c.fr',
    '',
    'a@b.fr;c@d.fr',
  ])
    await t.rejects(compose({ to: { name: null, address } }), /addr-spec/, address);
  await t.rejects(compose({}, { headers: { 'X-A': 'x'.repeat(2000) } }), /998/);
  await t.rejects(compose({}, { date: 'soon' }), /date/);
});

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

t.test('any name, subject and file name arrives as it was', async (t) => {
  const line = fc
    .oneof(
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({ maxLength: 1500 }),
      fc
        .array(
          fc.constantFrom(
            'é',
            ' ',
            '=?utf-8?B?w4k=?=',
            '"',
            '\\',
            ',',
            'a',
            '_',
            '?',
            '=',
            "'",
            '%',
            ';',
            '🎉',
            '<x@y>',
          ),
          { maxLength: 150 },
        )
        .map((x) => x.join('')),
    )
    .map((x) => x.replace(CONTROL, '').trim())
    .filter((x) => x !== '');
  await fc.assert(
    fc.asyncProperty(line, line, line, async (name, subject, file) => {
      // The parser decodes an encoded word even inside RFC 2231, where it is plain text.
      const filename = file.replaceAll('=?', '= ?').toWellFormed().slice(0, 200).toWellFormed();
      const raw = await compose(
        { subject, from: { name, address: 'a@example.org' } },
        { attachments: [{ name: filename, mediaType: 'application/pdf', content: new Uint8Array([1]) }] },
      );
      assertWire(t, raw);
      const mail = await parse(raw);
      t.same(
        [mail.from?.name, mail.from?.address, mail.subject, mail.attachments[0]?.filename],
        [name, 'a@example.org', subject, filename],
      );
      t.equal(mail.to?.length, 1);
      if (!t.passing()) throw new Error('see above');
    }),
    { numRuns: 300 },
  );
});
