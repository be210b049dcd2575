/** M7 · From a record, the templates of its page are offered; everything can be changed before sending. */
import PostalMime from 'postal-mime';
import t from 'tap';
import { pdf } from '../../support/broker.ts';
import { uploadFile } from '../../support/documents.ts';
import { mail, startPeople } from '../../support/people.ts';
import { addTemplate, must, templatesFound } from '../../support/templates.ts';

const texts = {
  subject: 'Pour {{ recipient.displayName }}',
  text: 'Bonjour {{ recipient.attributes.civilite }}',
  html: '',
};

t.test('M7 · the templates of the page, then the defaults: recipient, sender, subject, text', async (t) => {
  const service = await startPeople(t);
  const { put, consent, inject } = service;
  const own = { key: 'mmartin', fromAddress: 'm.martin@mutuelle.example', fromName: 'M. Martin', user: 'mmartin' };
  must(await inject('POST', '/v1/senders', { body: own }), 201);
  await addTemplate(service, { key: 'ailleurs', pages: ['contrat'] });
  const path = await addTemplate(
    service,
    { key: 'relance-piece', pages: ['beneficiaire'], recipientTypes: ['member', 'dependant'] },
    { ...texts, html: '<p>Bonjour {{ recipient.attributes.civilite }}</p>' },
  );
  t.same(await templatesFound(service, 'page=beneficiaire'), ['notice', 'relance-piece']);
  await put('member:1', {
    displayName: 'Paule Roy',
    attributes: { civilite: 'Madame' },
    addresses: [mail('paule@foyer.example')],
  });
  await put('dependant:1', {
    householdOf: 'external:member:1',
    displayName: 'Léo Roy',
    attributes: { civilite: 'M.' },
  });
  const look = async (recipient: string) =>
    inject('POST', `${path}/preview`, { body: { recipient, data: {} }, headers: { 'on-behalf-of': 'mmartin' } });
  t.match(await look('external:dependant:1'), {
    status: 200,
    body: {
      subject: 'Pour Léo Roy',
      text: /Bonjour M\./,
      defaults: {
        to: { name: 'Paule Roy', address: 'paule@foyer.example' },
        sender: { key: 'mmartin', fromAddress: 'm.martin@mutuelle.example' },
        reason: null,
      },
    },
  });
  await consent('member:1', 0);
  t.match((await look('external:dependant:1')).body.defaults, { reason: 'consent_refused' }, 'M8: it is not offered');
  t.match(await look('external:member:none'), {
    status: 422,
    body: { errors: [{ pointer: '/recipient', code: 'recipient_unknown' }] },
  });
  const { secret: key } = must(
    await inject('POST', '/v1/api-keys', { body: { name: 'K', kind: 'live', scopes: ['templates:read'] } }),
    201,
  );
  const unread = await inject('POST', `${path}/preview`, { key, body: { recipient: 'external:member:1', data: {} } });
  t.match(unread, { status: 403, body: { scope: 'recipients:read' } });
});

t.test('M7 · everything is changed before it is sent', async (t) => {
  const service = await startPeople(t);
  const { put, send, work, sink, inject, message, events } = service;
  must(await inject('POST', '/v1/senders', { body: { key: 'medecin', fromAddress: 'conseil@mutuelle.example' } }), 201);
  await put('member:1', { addresses: [mail('paule@foyer.example')] });
  const document = await uploadFile(service, {
    filename: 'devis.pdf',
    mediaType: 'application/pdf',
    content: pdf('devis'),
  });
  const row = {
    recipient: 'external:member:1',
    to: { address: 'autre@foyer.example', name: 'Paule' },
    cc: [{ address: 'copie@foyer.example' }],
    bcc: [{ address: 'cachee@foyer.example' }],
    documents: [document],
    data: { name: 'N' },
  };
  const { messages } = await send([row], {
    overrides: { subject: 'Votre devis', text: 'Voici', html: '<p>Voici</p>', sender: 'medecin' },
    highPriority: true,
    recordEvent: true,
  });
  await work();
  t.match(await message(messages[0] ?? ''), { status: 'OK', highPriority: true });
  const arrived = sink.mails.map(({ envelope }) => envelope.to[0]).sort();
  t.same(arrived, ['autre@foyer.example', 'cachee@foyer.example', 'copie@foyer.example']);
  const raw = sink.mails[0]?.raw ?? Buffer.alloc(0);
  t.match(await PostalMime.parse(raw), {
    from: { address: 'conseil@mutuelle.example' },
    subject: 'Votre devis',
    text: /Voici/,
    cc: [{ address: 'copie@foyer.example' }],
    attachments: [{ filename: 'devis.pdf' }],
  });
  t.match(raw.toString(), /^Importance: high$/im);
  t.notMatch(raw.toString(), /cachee@/);
  t.match(await events('send-request.accepted'), [{ data: { recordEvent: true } }]);
});
