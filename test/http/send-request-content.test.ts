import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import PostalMime, { type Email } from 'postal-mime';
import t from 'tap';
import { uploadText } from '../support/documents.ts';
import { startService, type TestService } from '../support/service.ts';
import { makeNotices } from './notices.ts';

const anna = 'anna@courriel.example';

/** What the outbox holds, by address of the envelope. */
async function outbox(service: TestService): Promise<Record<string, Email>> {
  const folder = join(service.directory, 'outbox', 'mail');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.eml'));
  const mails = names.map(async (name): Promise<[string, Email]> => {
    const address = name.slice(0, -'.eml'.length).split('--').at(-1) ?? '';
    return [address, await PostalMime.parse(await readFile(join(folder, name)))];
  });
  return Object.fromEntries(await Promise.all(mails));
}

t.test(
  'texts, sender and reply-to given with the request are literal, and replace those of the template',
  async (t) => {
    const service = await startService(t);
    const notices = await makeNotices(service);
    await service.inject('POST', '/v1/senders', {
      body: { key: 'sinistres', fromAddress: 'sinistres@courtage.example', fromName: 'Service sinistres' },
    });
    const overrides = {
      subject: 'Prix {{ nom }} : 100 %',
      text: '{% if nom %}{{ nom | upcase }}',
      html: '<p>{{ nom }} <b>reste</b></p>',
      sender: 'sinistres',
      replyTo: 'reponse@courtage.example',
    };
    const [id = ''] = await notices.send([anna], { overrides, highPriority: true, validation: 'automatic' });
    t.match((await notices.message(id)).body, {
      subject: overrides.subject,
      overrides: { subject: overrides.subject, text: overrides.text, html: overrides.html },
      replyTo: 'reponse@courtage.example',
      highPriority: true,
    });
    await service.work();
    const mail = (await outbox(service))[anna];
    t.match(mail, {
      subject: overrides.subject,
      from: { address: 'sinistres@courtage.example', name: 'Service sinistres' },
      replyTo: [{ address: 'reponse@courtage.example' }],
      to: [{ address: anna, name: 'Client 0' }],
    });
    t.equal(mail?.text?.trim(), overrides.text);
    t.equal(mail?.html?.trim(), overrides.html);
    const headers = new Map(mail?.headers.map(({ key, value }) => [key, value]));
    t.match(headers.get('x-priority'), /^1/);
    t.match(headers.get('importance'), /high/i);
  },
);

t.test('each copy gets the mail; the hidden ones are in no header, and each tells its own outcome', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const row = (copies: object) => ({ to: { address: anna }, data: { nom: 'Anna', contrat: 'C-1' }, ...copies });
  const recipients = [
    row({
      cc: [{ address: 'conjoint@courriel.example', name: 'Conjoint' }],
      bcc: [{ address: 'agence@courtage.example' }],
    }),
  ];
  const [id = ''] = await notices.send([], { recipients, validation: 'automatic' });
  await service.work();
  const mails = await outbox(service);
  t.same(Object.keys(mails).sort(), ['agence@courtage.example', anna, 'conjoint@courriel.example']);
  for (const mail of Object.values(mails)) {
    t.match(mail.cc, [{ address: 'conjoint@courriel.example', name: 'Conjoint' }]);
    t.equal(mail.bcc, undefined);
    t.equal(mail.messageId, mails[anna]?.messageId, 'copies of one mail');
  }
  t.match((await notices.message(id)).body, {
    status: 'OK',
    copies: [
      { kind: 'cc', address: 'conjoint@courriel.example', outcome: 'accepted' },
      { kind: 'bcc', address: 'agence@courtage.example', outcome: 'accepted' },
    ],
  });
  const bad = row({ cc: [{ address: 'conjoint@courriel.example, x@y.example' }] });
  const answer = await service.inject('POST', '/v1/send-requests', {
    body: { template: 'avis', recipients: [bad] },
    headers: { 'idempotency-key': 'bad-copy' },
  });
  t.match(answer.body, {
    counts: { created: 1, KO: 1 },
    errors: [{ index: 0, pointer: '/recipients/0/cc/0/address', code: 'address_invalid' }],
  });
});

t.test('everyone gets the documents of the request and their own, once each', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [terms, first, second] = [
    await uploadText(service, 'conditions générales.txt', 'conditions'),
    await uploadText(service, 'avis-1.txt', 'avis de la première'),
    await uploadText(service, 'avis-2.txt', 'avis du second'),
  ];
  const row = (address: string, documents: string[]) => ({
    to: { address },
    data: { nom: 'N', contrat: 'C' },
    documents,
  });
  const recipients = [row('un@courriel.example', [first]), row('deux@courriel.example', [second, terms])];
  await notices.send([], { recipients, documents: [terms], validation: 'automatic' });
  await service.work();
  const mails = await outbox(service);
  const attached = (address: string) =>
    mails[address]?.attachments.map(({ filename, content }) => [
      filename,
      Buffer.from(content as ArrayBuffer).toString(),
    ]);
  t.same(attached('un@courriel.example'), [
    ['conditions générales.txt', 'conditions'],
    ['avis-1.txt', 'avis de la première'],
  ]);
  t.same(attached('deux@courriel.example'), [
    ['conditions générales.txt', 'conditions'],
    ['avis-2.txt', 'avis du second'],
  ]);
});

t.test('data of the request is for all rows, that of a row comes first, and the record is at hand', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeNotices(service);
  await inject('PUT', '/v1/recipients/external:client:C-1', {
    body: {
      displayName: 'Anna Lefèvre',
      attributes: { agence: 'Nantes' },
      addresses: [{ kind: 'mail', value: anna }],
    },
  });
  const path = `/v1/templates/${notices.template.id}/versions`;
  const text = '{{ recipient.displayName }}, {{ recipient.attributes.agence }}, {{ echeance }}, {{ contrat }}';
  await inject('POST', path, { body: { subject: 'Avis', text, html: '<p>x</p>' } });
  await inject('POST', `${path}/2/publish`);
  const recipients = [
    { recipient: 'external:client:C-1', data: { contrat: 'C-9' } },
    { recipient: 'external:client:C-1', to: { address: 'autre@courriel.example' } },
    { to: { address: anna } },
  ];
  const ids = await notices.send([], { recipients, data: { contrat: 'tous', echeance: 'janvier' } });
  const preview = async (id = '') => (await inject('GET', `/v1/messages/${id}/preview`)).body.text;
  t.equal(await preview(ids[0]), 'Anna Lefèvre, Nantes, janvier, C-9');
  t.equal(await preview(ids[1]), 'Anna Lefèvre, Nantes, janvier, tous');
  t.match((await notices.message(ids[1] ?? '')).body, {
    to: { address: 'autre@courriel.example', name: 'Anna Lefèvre' },
  });
  t.match((await notices.message(ids[2] ?? '')).body, { status: 'KO', reason: 'field_missing' });
  const pinned = await notices.send([anna], { templateVersion: 1 });
  t.match((await notices.message(pinned[0] ?? '')).body, { template: { version: 1 }, subject: 'Échéance C-0' });
});

t.test('a publication changes no message that exists (what was approved is what is sent)', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send([anna]);
  const approved = (await notices.message(id)).body;
  const path = `/v1/templates/${notices.template.id}/versions`;
  await inject('POST', path, { body: { subject: 'Nouveau', text: 'Nouveau', html: '<p>Nouveau</p>' } });
  await inject('POST', `${path}/2/publish`);
  const sender = (await inject('GET', '/v1/senders')).body.items[0];
  await inject('PATCH', `/v1/senders/${sender.id}`, { body: { fromName: 'Renommé' }, headers: { 'if-match': '*' } });
  t.equal((await notices.act(id, 'validate', { contentHash: approved.contentHash })).status, 200);
  await service.work();
  t.match((await outbox(service))[anna], { subject: 'Échéance C-0', from: { name: 'Gestion' } });
  t.match((await notices.message(id)).body, { status: 'OK', contentHash: approved.contentHash });
});
