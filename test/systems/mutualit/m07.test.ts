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

t.test(
  'M7 · the preview shows every address of the policy, through whom, in the language of who reads it',
  async (t) => {
    const service = await startPeople(t);
    const { put, inject, write, post, message, arrived } = service;
    const french = { subject: 'Avis', text: 'Bonjour', html: '<p>Bonjour</p>' };
    const english = { subject: 'Notice', text: 'Hello', html: '<p>Hello</p>' };
    const path = await addTemplate(
      service,
      { key: 'avis', addressPolicy: 'both' },
      { ...french, locales: { en: english } },
    );
    const look = async (body: object) =>
      must(await inject('POST', `${path}/preview`, { body: { data: {}, ...body } }), 200);
    const [personal, institutional] = [{ role: 'personal' }, { role: 'institutional' }];
    await put('student:1', { addresses: [mail('p@u.example', personal), mail('i@u.example', institutional)] });
    must(await post('/v1/suppressions', { address: 'i@u.example', cause: 'manual' }), 201);
    t.match((await look({ recipient: 'external:student:1' })).defaults, {
      to: { address: 'p@u.example' },
      reason: null,
      also: [{ to: { address: 'i@u.example' }, reason: 'suppressed' }],
    });
    await put('company:1', { locale: 'fr', addresses: [mail('siege@e.example')] });
    await put('contact:1', { locale: 'en', displayName: 'Ann', addresses: [mail('ann@e.example')] });
    const named = { recipient: 'external:company:1', contact: 'external:contact:1' };
    const shown = await look(named);
    t.match(shown, { subject: 'Notice', defaults: { to: { name: 'Ann', address: 'ann@e.example' }, also: [] } });
    t.match(await look({ recipient: 'external:company:1' }), { subject: 'Avis' });
    const wrong = await inject('POST', `${path}/preview`, {
      body: { data: {}, ...named, contact: 'external:contact:2' },
    });
    t.match(wrong, { status: 422, body: { errors: [{ pointer: '/contact', code: 'recipient_unknown' }] } });
    const { messages } = await write([named, 'company:1'], { template: 'avis' });
    const [toContact, toCompany] = await Promise.all(messages.map(message));
    t.match([toContact, toCompany], [{ subject: 'Notice' }, { subject: 'Avis' }]);
    t.same(arrived().sort(), ['ann@e.example', 'siege@e.example']);
  },
);

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
