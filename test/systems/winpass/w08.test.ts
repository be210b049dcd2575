import t from 'tap';
import {
  act,
  type Broker,
  change,
  client,
  done,
  editor,
  keepClient,
  mailsTo,
  noticeFor,
  opened,
  pdf,
  post,
  read,
  startBroker,
  upload,
} from '../../support/broker.ts';

/** One notice in `E` with its PDF, a copy and a remark. */
async function notice({ service }: Broker, n = 1) {
  const one = await keepClient(service, client(n));
  const document = await upload(service, `AE-${one.number}.pdf`, pdf('avis'));
  const row = noticeFor(one, {
    documents: [document],
    cc: [{ address: 'conjoint@courriel.example' }],
    remark: 'À vérifier',
  });
  const { messages } = await done(post(service, [row], { editedAt: '2026-11-22T08:00:00Z', highPriority: true }));
  return { one, document, id: String(messages[0].id) };
}

/** Takes the Date header out, and only that. */
function withoutDate(raw: Buffer): string {
  const text = raw.toString('latin1');
  const [found, ...more] = text.match(/^Date: [^\r\n]*\r\n/gm) ?? [];
  if (found === undefined || more.length > 0) throw new Error('there must be one Date header');
  return text.replace(found, '');
}

const preview = async ({ service }: Broker, id: string, kind: string) => {
  const answer = await service.inject('GET', `/v1/messages/${id}/preview${kind}`);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.raw}`);
  return answer;
};

t.test('W8 · before validating, a person sees the details of a notice and its PDF', async (t) => {
  const broker = await startBroker(t);
  const { service } = broker;
  const createdAt = service.clock.now().toISOString();
  const { one, document, id } = await notice(broker);
  t.match(await read(service, id), {
    createdAt,
    requestedBy: editor,
    context: { type: 'dossier', ref: one.number },
    to: { name: 'Noël Müller-Brézé', address: one.mail },
    status: 'E',
    sentAt: null,
    remark: 'À vérifier',
    subject: `Avis d’échéance C-${one.number} : Müller-Brézé`,
    documents: [{ id: document, filename: `AE-${one.number}.pdf`, mediaType: 'application/pdf' }],
    copies: [{ kind: 'cc', address: 'conjoint@courriel.example' }, { kind: 'archive' }],
    contentHash: /^[0-9a-f]{64}$/,
  });
  const content = await service.inject('GET', `/v1/documents/${document}/content`);
  t.ok(content.raw.equals(pdf('avis')), 'the PDF itself can be opened');
  t.equal(content.headers['content-type'], 'application/pdf');
  const moves = await done(service.inject('GET', `/v1/messages/${id}/transitions`));
  t.match(moves.items, [{ from: null, to: 'E', at: createdAt, actor: { kind: 'key' } }]);
});

t.test('W8 · the preview is what leaves: text, HTML, and the mail byte for byte, the Date header aside', async (t) => {
  const broker = await startBroker(t);
  const { service, sink } = broker;
  const { one, id } = await notice(broker);
  const parts = (await preview(broker, id, '')).body;
  const text = await preview(broker, id, '.txt');
  const html = await preview(broker, id, '.html');
  const eml = await preview(broker, id, '.eml');
  t.match(String(text.headers['content-type']), /^text\/plain; charset=utf-8/);
  t.match(String(html.headers['content-type']), /^text\/html; charset=utf-8/);
  t.match(String(html.headers['content-security-policy']), /sandbox/, 'a browser runs nothing of it');
  t.match(String(eml.headers['content-type']), /^message\/rfc822/);
  t.equal(String(text.raw), parts.text);
  t.equal(String(html.raw), parts.html);
  t.equal(parts.contentHash, (await read(service, id)).contentHash);
  await service.work();
  t.same(sink.mails, [], 'looking sends nothing');

  service.clock.advance(3 * 86_400_000);
  await act(service, 'validate', [id]);
  await service.work();
  const [mail] = mailsTo(sink, String(one.mail));
  const [copy] = mailsTo(sink, 'conjoint@courriel.example');
  const [archive] = mailsTo(sink, 'archives@courtage-dupont.example');
  for (const arrived of [mail, copy, archive]) {
    t.equal(
      withoutDate(arrived?.raw ?? Buffer.alloc(0)),
      withoutDate(eml.raw),
      'to, copy and archive got what was seen',
    );
  }
  const seen = await opened(mail);
  t.equal(seen.subject, parts.subject);
  t.equal(seen.text?.replaceAll('\r\n', '\n').trimEnd(), parts.text.trimEnd());
  t.equal(seen.html?.replaceAll('\r\n', '\n').trimEnd(), parts.html.trimEnd());
  t.match(await read(service, id), { status: 'OK', sentAt: service.clock.now().toISOString() });
});

t.test('W8 · a corrected notice is previewed as corrected, also after a failure, and leaves so', async (t) => {
  let refuse = true;
  const broker = await startBroker(t, {
    archiveBcc: [],
    respond: (step) => (step === 'body' && refuse ? { code: 554, text: '5.6.0 Content refused' } : undefined),
  });
  const { service, sink } = broker;
  const { one, id } = await notice(broker);
  await change(service, `/v1/messages/${id}`, { subject: 'Votre échéance {{ contrat }}', data: { montant: '9,99 €' } });
  const corrected = await preview(broker, id, '.eml');
  await act(service, 'validate', [id]);
  await service.work();
  t.match(await read(service, id), { status: 'KO', reason: String });

  refuse = false;
  const failed = await preview(broker, id, '.eml');
  t.not(withoutDate(failed.raw), withoutDate(corrected.raw), 'sent again it has a Message-ID of its own');
  await act(service, 'resend', [id]);
  await service.work();
  const [mail] = mailsTo(sink, String(one.mail));
  t.equal(withoutDate(mail?.raw ?? Buffer.alloc(0)), withoutDate(failed.raw));
  const seen = await opened(mail);
  t.equal(seen.subject, 'Votre échéance {{ contrat }}', 'a correction is literal, never read as a template');
  t.match(seen.text, '9,99 €');
});

t.test('W8 · what was seen is what is validated: a notice that changed meanwhile is refused', async (t) => {
  const broker = await startBroker(t);
  const { service } = broker;
  const { id } = await notice(broker);
  const { contentHash } = await read(service, id);
  await change(service, `/v1/messages/${id}`, { data: { montant: '5 000,00 €' } });
  const stale = await service.inject('POST', `/v1/messages/${id}/validate`, { body: { contentHash } });
  t.equal(stale.status, 409);
  t.match(stale.body, { code: 'content_changed', currentStatus: 'E' });
  const fresh = { contentHash: (await read(service, id)).contentHash };
  t.equal((await service.inject('POST', `/v1/messages/${id}/validate`, { body: fresh })).status, 200);
});

t.test('W8 · in a test deployment the preview shows the redirected mail, as it leaves', async (t) => {
  const broker = await startBroker(t, { config: { safeRecipientEmail: 'essais@courtage-dupont.example' } });
  const { service, sink } = broker;
  const { id } = await notice(broker);
  const eml = await preview(broker, id, '.eml');
  t.match(await read(service, id), { redirectedTo: 'essais@courtage-dupont.example' });
  await act(service, 'validate', [id]);
  await service.work();
  t.equal(sink.mails.length, 3, 'the notice, its copy, its archive');
  for (const mail of sink.mails) t.equal(withoutDate(mail.raw), withoutDate(eml.raw));
});
