import t from 'tap';
import {
  act,
  addTemplate,
  change,
  client,
  done,
  edit,
  keepClient,
  mailsTo,
  noticeFor,
  opened,
  post,
  startBroker,
} from '../../support/broker.ts';

t.test(
  'W1 · a template has subject, text and HTML, its fields in braces, and a mail carries both bodies',
  async (t) => {
    const { service, sink, templateId } = await startBroker(t);
    const one = client(2);
    const kept = await done(service.inject('GET', `/v1/templates/${templateId}/versions/1`));
    t.match(kept, { subject: /\{\{ contrat \}\}/, text: /\{\{ Adr_Nom \}\}/, html: /\{\{ Adr_Prenom \}\}/ });
    for (const name of ['Adr_Titre', 'Adr_Nom', 'Adr_Prenom', 'contrat', 'montant', 'echeance']) {
      t.ok(kept.usedFields.includes(name), `${name} is a merge field`);
    }

    const ids = await edit(service, [one]);
    await act(service, 'validate', ids);
    await service.work();
    const [mail] = mailsTo(sink, String(one.mail));
    const seen = await opened(mail);
    t.equal(seen.subject, `Avis d’échéance C-${one.number} : L’Hôte & Fils`);
    t.equal(
      seen.text?.replaceAll('\r\n', '\n').trimEnd(),
      'Madame Lœtitia L’Hôte & Fils,\n\nVotre échéance de 1 234,56 € est due le 1er janvier 2027.',
    );
    t.match(
      seen.html,
      '<p style="color: #333;">Madame Lœtitia L’Hôte &amp; Fils,</p>',
      'values are text in the HTML body, never markup',
    );
    t.match(seen.html, '<p style="color: #333;">', 'braces of a style sheet are no field: its rule is on the element');
    t.notMatch(`${seen.subject}${seen.text}${seen.html}`, /\{Adr_|\{\{/, 'no field is left unfilled');

    const raw = String(mail?.raw);
    const boundary = /^Content-Type: multipart\/alternative;\s+boundary="([^"]+)"/im.exec(raw)?.[1];
    t.ok(boundary, 'the mail is multipart/alternative');
    const parts = raw.split(`--${boundary}`).slice(1, -1);
    const types = parts.map((part) => /^Content-Type: ([a-z/]+)/im.exec(part)?.[1]);
    t.same(types, ['text/plain', 'text/html'], 'the text first, the HTML as the better alternative');
  },
);

t.test('W1 · a merge field without a value is told by name, and the notice is not sent', async (t) => {
  const { service, sink } = await startBroker(t);
  const one = await keepClient(service, client(1));
  const row = noticeFor(one);
  const { Adr_Nom: _, ...data } = row.data;
  const answer = await done(post(service, [{ ...row, data }], { validation: 'automatic' }));
  t.match(answer.messages, [{ status: 'KO', reason: 'field_missing' }]);
  t.match(answer.errors, [{ pointer: '/recipients/0/data/Adr_Nom', code: 'field_missing' }]);
  await service.work();
  t.equal(sink.mails.length, 0);
});

t.test('W2 · default subject, text and HTML serve document types without a template of their own', async (t) => {
  const { service, sink } = await startBroker(t);
  const one = await keepClient(service, client(1));
  const two = await keepClient(service, client(2));
  const unknown = await post(service, [noticeFor(one)], { documentType: 'quittance' });
  t.equal(unknown.status, 422, 'without default content there is nothing to send');
  t.match(unknown.body, { errors: [{ pointer: '/documentType', code: 'template_unknown' }] });

  const defaults = {
    subject: 'Document {contrat}',
    text: 'Bonjour {Adr_Nom}, voici un document.',
    html: '<p>Bonjour {Adr_Nom}, voici un <i>document</i>.</p>',
    syntax: 'braces',
  };
  await addTemplate(service, { key: 'contenu-par-defaut' }, defaults);
  const own = { ...defaults, subject: 'Relance {contrat}' };
  await addTemplate(service, { key: 'relance', documentTypes: ['relance-echeance'] }, own);
  await change(service, '/v1/tenant', { defaultTemplate: 'contenu-par-defaut' });

  const byDefault = await done(post(service, [noticeFor(one)], { documentType: 'quittance' }));
  const byOwn = await done(post(service, [noticeFor(two)], { documentType: 'relance-echeance' }));
  t.match([byDefault.messages, byOwn.messages], [[{ template: 'contenu-par-defaut' }], [{ template: 'relance' }]]);
  const request = await done(service.inject('GET', `/v1/send-requests/${byDefault.id}`));
  t.equal(request.documentType, 'quittance', 'the request keeps which document it was for');

  await act(service, 'validate', [byDefault.messages[0].id, byOwn.messages[0].id]);
  await service.work();
  const seen = await opened(mailsTo(sink, String(one.mail))[0]);
  t.equal(seen.subject, `Document C-${one.number}`);
  t.match(seen.text, 'Bonjour Müller-Brézé, voici un document.');
  t.match(seen.html, '<p>Bonjour Müller-Brézé, voici un <i>document</i>.</p>');
  const other = await opened(mailsTo(sink, String(two.mail))[0]);
  t.equal(other.subject, `Relance C-${two.number}`, 'a document type with a template of its own keeps it');
});

t.test('W2 · a template that was made inactive is no template of its own any more', async (t) => {
  const { service } = await startBroker(t);
  const one = await keepClient(service, client(1));
  const texts = { subject: 'S', text: 'T', html: '<p>H</p>' };
  await addTemplate(service, { key: 'defaut' }, texts);
  await change(service, '/v1/tenant', { defaultTemplate: 'defaut' });
  const id = await addTemplate(service, { key: 'relance', documentTypes: ['relance'] }, texts);
  const send = async () => (await done(post(service, [noticeFor(one)], { documentType: 'relance' }))).messages;
  t.match(await send(), [{ template: 'relance' }]);
  await change(service, `/v1/templates/${id}`, { active: false });
  t.match(await send(), [{ template: 'defaut' }]);
});
