import t from 'tap';
import { addTemplate, change, done, mailsTo, opened } from '../../support/broker.ts';
import { type Sending, startSending } from '../../support/sending.ts';
import { must } from '../../support/templates.ts';

const accountant = 'comptable@cabinet.example';

const old = {
  subject: 'Règlement de ${nom_benef}',
  text: 'Bonjour,\n\nLe règlement de ${nom_benef} est de ${montant}.',
  html: '<p>Bonjour,</p><p>Le règlement de <b>${nom_benef}</b> est de ${montant}.</p>',
};

/** Converts the old texts and the old recipient, and keeps them. */
async function startMutual(t: Parameters<typeof startSending>[0]): Promise<Sending> {
  const service = await startSending(t);
  const convert = (body: object) => done(service.inject('POST', '/v1/templates/convert', { body }));
  const { subject, text, html } = await convert(old);
  const { subject: to } = await convert({ subject: '${mail_comptable}' });
  await addTemplate(service, { key: 'reglement', family: 'Prestations' }, { subject, text, html, to });
  return service;
}

const data = (mail: unknown) => ({ nom_benef: 'L’Hostis', montant: '12,50 €', mail_comptable: mail });
const send = (service: Sending, row: object) => service.send([row], { template: 'reglement' });

t.test('M4 · fields stand in the subject, the body and the recipient', async (t) => {
  const service = await startMutual(t);
  const [template] = (await done(service.inject('GET', '/v1/templates?key=reglement'))).items;
  t.equal(template.family, 'Prestations');
  const version = await done(service.inject('GET', `/v1/templates/${template.id}/versions/1`));
  t.equal(version.to, '{{ mail_comptable }}');
  t.ok(version.usedFields.includes('mail_comptable'));
  const preview = await service.post(`/v1/templates/${template.id}/preview`, { data: data(accountant) });
  t.match(preview.body, { to: accountant, subject: 'Règlement de L’Hostis' });

  const { messages } = await send(service, { data: data(` ${accountant} `) });
  await service.work();
  t.match(await service.message(messages[0] ?? ''), { status: 'OK', to: { address: accountant } });
  const seen = await opened(mailsTo(service.sink, accountant)[0]);
  t.match(seen.to, [{ address: accountant }]);
  t.equal(seen.subject, 'Règlement de L’Hostis');
  t.match(seen.text, 'Le règlement de L’Hostis est de 12,50 €.');
  t.match(seen.html, '<b>L’Hostis</b>');
});

t.test('M4 · the address typed for one mail comes before the template’s, and that before the record’s', async (t) => {
  const service = await startMutual(t);
  const record = { displayName: 'Cabinet', addresses: [{ kind: 'mail', value: 'accueil@cabinet.example' }] };
  await done(service.inject('PUT', '/v1/recipients/external:provider:P-1', { body: record }));
  const recipient = 'external:provider:P-1';
  const typed = 'autre@cabinet.example';
  const { messages } = await service.send(
    [
      { recipient, data: data(accountant) },
      { recipient, to: { address: typed }, data: data(accountant) },
      { to: { address: typed }, data: data('pas une adresse') },
    ],
    { template: 'reglement' },
  );
  const found = await Promise.all(messages.map((id) => service.message(id)));
  t.same(
    found.map(({ to }) => to.address),
    [accountant, typed, typed],
  );
  await service.work();
  t.same(await Promise.all(messages.map(async (id) => (await service.message(id)).status)), ['OK', 'OK', 'OK']);
});

t.test('M4 · the recipient may be the one who sends, or a record’s own attribute', async (t) => {
  const service = await startSending(t);
  const texts = { subject: 'Copie', text: 'Bonjour' };
  await addTemplate(service, { key: 'pour-moi' }, { ...texts, to: '{{ sender.address }}' });
  await addTemplate(service, { key: 'cabinet' }, { ...texts, to: '{{ recipient.attributes.comptable }}' });
  const record = { displayName: 'Cabinet', addresses: [], attributes: { comptable: accountant } };
  await done(service.inject('PUT', '/v1/recipients/external:provider:P-1', { body: record }));
  await service.send([{ data: {} }], { template: 'pour-moi' });
  await service.send([{ recipient: 'external:provider:P-1', data: {} }], { template: 'cabinet' });
  await service.work();
  t.equal(mailsTo(service.sink, 'office@broker.test').length, 1);
  t.equal(mailsTo(service.sink, accountant).length, 1);
});

t.test('M4 · texts in the language whose code is `to` are not taken for the recipient', async (t) => {
  const service = await startSending(t);
  const texts = { subject: 'Bonjour', text: 'Bonjour', locales: { to: { subject: 'Mālō e lelei', text: 'Mālō' } } };
  await addTemplate(service, { key: 'accueil' }, { ...texts, to: '{{ mail }}' });
  const data = { mail: accountant };
  await service.send([{ data, locale: 'to' }, { data }], { template: 'accueil' });
  await service.work();
  const seen = await Promise.all(mailsTo(service.sink, accountant).map(opened));
  t.same(seen.map(({ subject }) => subject).sort(), ['Bonjour', 'Mālō e lelei']);
});

t.test('M4 · an address that is empty, missing or none makes KO with the reason, and can be corrected', async (t) => {
  const service = await startMutual(t);
  const { mail_comptable: _, ...without } = data('');
  for (const [given, reason, shown] of [
    [data(''), 'address_missing', null],
    [data('   '), 'address_missing', null],
    [data(null), 'address_missing', null],
    [data('comptable'), 'address_invalid', 'comptable'],
    [data(`${accountant}, autre@cabinet.example`), 'address_invalid', `${accountant}, autre@cabinet.example`],
    [data(`Comptable <${accountant}>`), 'address_invalid', `Comptable <${accountant}>`],
    [without, 'field_missing', null],
  ] as const) {
    const { messages } = await send(service, { data: given });
    const [id = ''] = messages;
    const name = `${reason}: ${JSON.stringify(given)}`;
    const failed = await service.message(id);
    t.match(failed, { status: 'KO', reason }, name);
    t.equal(failed.to?.address ?? null, shown, 'what was given is shown');
    const early = await service.post(`/v1/messages/${id}/resend`, {});
    t.match(early, { status: 409, body: { code: 'cannot_be_sent' } }, 'it does not leave as it is');
    await change(service, `/v1/messages/${id}`, { to: { address: accountant } });
    await done(service.post(`/v1/messages/${id}/resend`, {}));
    await service.work();
    t.match(await service.message(id), { status: 'OK', to: { address: accountant } }, `${name}: corrected`);
  }
  t.equal(service.sink.mails.length, 7);
});

t.test('M4 · the answer tells the row, and what is wrong with its address', async (t) => {
  const service = await startMutual(t);
  const { mail_comptable: _, ...without } = data('');
  const recipients = [{ data: data(accountant) }, { data: data('') }, { data: data('x') }, { data: without }];
  const answer = await service.post(
    '/v1/send-requests',
    { template: 'reglement', recipients, dryRun: true },
    { headers: { 'idempotency-key': 'essai' } },
  );
  t.match(answer.body.errors, [
    { index: 1, pointer: '/recipients/1/to', code: 'address_missing' },
    { index: 2, pointer: '/recipients/2/to', code: 'address_invalid' },
    { index: 3, pointer: '/recipients/3/to', code: 'field_missing', message: /mail_comptable/ },
  ]);
  t.equal(answer.body.errors.length, 3);
});

t.test('M4 · a field that nothing gives is refused in the recipient as anywhere, and told by the check', async (t) => {
  const service = await startSending(t);
  const template = await done(
    service.inject('POST', '/v1/templates', { body: { key: 'reglement', title: 'Règlement', channel: 'mail' } }),
  );
  const path = `/v1/templates/${template.id}`;
  const fields = {
    type: 'object',
    properties: { nom_benef: { type: 'string' }, mail_comptable: { type: 'string', format: 'email' } },
  };
  const version = { subject: 'Règlement', text: 'Bonjour {{ nom_benef }}', fields };
  const refused = await service.post(`${path}/versions`, { ...version, to: '{{ mail_comptble }}' });
  t.match(refused, {
    status: 422,
    body: {
      code: 'template_invalid',
      errors: [
        { pointer: '/to', code: 'field_unknown', message: /mail_comptble is given by nothing; mail_comptable is/ },
      ],
    },
  });
  t.match(await service.post(`${path}/versions`, { ...version, to: '{{ mail_comptable' }), {
    status: 422,
    body: { errors: [{ pointer: '/to', code: 'template_invalid' }] },
  });
  t.match(await service.post(`${path}/versions`, { ...version, to: 'a@b.example\nBcc: c@d.example' }), {
    status: 422,
    body: { errors: [{ pointer: '/to', code: 'control_character' }] },
  });
  must(await service.post(`${path}/versions`, { ...version, to: '{{ mail_comptble }}', allowUnknown: true }), 201);
  const check = async (number: number) =>
    (await done(service.post(`${path}/check`, { version: number, data: data(accountant) }))).problems;
  const wrong = (await check(1)).filter(({ part }: { part: string }) => part === 'to');
  t.match(wrong, [
    { code: 'field_missing', severity: 'error', subject: 'mail_comptble', suggestion: 'mail_comptable' },
    { code: 'field_unknown', severity: 'error', subject: 'mail_comptble', suggestion: 'mail_comptable' },
  ]);

  must(await service.post(`${path}/versions`, { ...version, to: 'service@cabinet.example' }), 201);
  t.match(
    await check(2),
    [{ code: 'typed_in_mail_address', severity: 'warning', part: 'to', subject: 'service@cabinet.example' }],
    'a typed-in address is warned about there, too',
  );
});
