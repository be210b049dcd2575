import t from 'tap';
import { uploadText } from '../support/documents.ts';
import { mail, startPeople } from '../support/people.ts';
import { startService } from '../support/service.ts';
import { must } from '../support/templates.ts';
import { makeNotices } from './notices.ts';

const anna = 'anna@courriel.example';
const bruno = 'bruno@courriel.example';

t.test('documents, copies and texts are corrected, and what leaves is the corrected mail', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const first = await uploadText(service, 'ancien.txt', 'ancien avis');
  const second = await uploadText(service, 'nouveau.txt', 'nouvel avis');
  const [id = ''] = await notices.send([anna], { documents: [first] });
  const before = (await notices.message(id)).body;
  t.match(before.documents, [{ filename: 'ancien.txt' }]);
  const corrected = await notices.correct(id, {
    documents: [second],
    cc: [{ address: 'conjoint@courriel.example', name: 'Conjoint' }],
    bcc: [{ address: 'agence@courtage.example' }],
    text: 'Texte {{ nom }} littéral',
  });
  t.match(corrected, {
    status: 200,
    body: {
      status: 'E',
      documents: [{ id: second, filename: 'nouveau.txt', size: 11, sha256: /^[0-9a-f]{64}$/ }],
      copies: [
        { kind: 'cc', address: 'conjoint@courriel.example', outcome: 'pending' },
        { kind: 'bcc', address: 'agence@courtage.example', outcome: 'pending' },
      ],
      overrides: { text: 'Texte {{ nom }} littéral' },
    },
  });
  t.not(corrected.body.contentHash, before.contentHash);
  t.match((await service.inject('GET', `/v1/messages/${id}/preview`)).body, {
    text: 'Texte {{ nom }} littéral',
    contentHash: corrected.body.contentHash,
  });
  const mail = (await service.inject('GET', `/v1/messages/${id}/preview.eml`)).raw.toString('latin1');
  t.match(mail, /^Cc: Conjoint <conjoint@courriel\.example>\r$/m);
  t.notMatch(mail, /agence@courtage/, 'a hidden copy is in no header');
  t.match(mail, /nouveau\.txt/);
  const back = await notices.correct(id, { text: null, documents: [] });
  t.match(back.body, { overrides: {}, documents: [] });
  t.match((await service.inject('GET', `/v1/messages/${id}/preview`)).body, { text: /^Bonjour Client 0/ });
  await notices.act(id, 'validate');
  await service.work();
  t.match((await notices.message(id)).body, {
    status: 'OK',
    copies: [{ outcome: 'accepted' }, { outcome: 'accepted' }],
  });
});

t.test('a correction that cannot be is refused by name, and nothing of it is kept', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send([anna]);
  const before = (await notices.message(id)).body;
  const nowhere = '019c0000-0000-7000-8000-000000000000';
  const faults: [object, string, string][] = [
    [{ documents: [nowhere] }, '/documents/0', 'document_invalid'],
    [{ cc: [{ address: bruno }, { address: 'x, y@z.example' }] }, '/cc/1/address', 'address_invalid'],
    [{ bcc: [{ address: '' }] }, '/bcc/0/address', 'too_short'],
    [{ to: { address: 'Anna <anna@courriel.example>' } }, '/to/address', 'address_invalid'],
  ];
  for (const [change, pointer, code] of faults) {
    t.match(
      await notices.correct(id, { remark: 'non', ...change }),
      { body: { errors: [{ pointer, code }] } },
      pointer,
    );
  }
  const object = await notices.correct(id, { data: { nom: { first: 'A' } }, remark: 'non' });
  t.match(object, { status: 409, body: { code: 'cannot_be_sent', reason: 'template_error' } });
  t.same((await notices.message(id)).body, before);
  const other = await service.addTenant('Autre');
  const headers = { 'if-match': '*' };
  const stranger = await service.inject('PATCH', `/v1/messages/${id}`, {
    key: other.key,
    body: { remark: 'x' },
    headers,
  });
  t.equal(stranger.status, 404);
});

t.test('missing fields are given by a correction; then it is sent again (W11)', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const recipients = [{ to: { address: anna }, data: { nom: 'Anna' } }];
  const [id = ''] = await notices.send([], { recipients });
  t.match((await notices.message(id)).body, {
    status: 'KO',
    reason: 'field_missing',
    reasonDetail: { fields: ['contrat'] },
  });
  t.match(await notices.act(id, 'resend'), { status: 409, body: { code: 'cannot_be_sent', reason: 'field_missing' } });
  const still = await notices.correct(id, { data: { autre: 1 } });
  t.match(still, {
    status: 409,
    body: { code: 'cannot_be_sent', errors: [{ pointer: '/data/contrat', code: 'field_missing' }] },
  });
  const corrected = await notices.correct(id, { data: { contrat: 'C-7' } });
  t.match(corrected, {
    status: 200,
    body: { status: 'KO', subject: 'Échéance C-7', data: { nom: 'Anna', contrat: 'C-7' } },
  });
  t.equal((await notices.act(id, 'resend')).status, 200);
  await service.work();
  t.match((await notices.message(id)).body, { status: 'OK', reason: null });
});

t.test('a contact that does not exist is told, and mended by an address, given before or not', async (t) => {
  const service = await startPeople(t);
  const { put, send, work, message, post, inject, arrived } = service;
  await put('company:1', { addresses: [mail('siege@company.test')] });
  const contact = 'external:contact:none';
  const rows = [
    { recipient: 'external:company:1', contact },
    { recipient: 'external:company:1', contact, to: { address: 'given@company.test' } },
    { recipient: 'external:company:1', contact, to: { address: 'not an address' } },
    { recipient: 'external:company:none', contact },
  ].map((row) => ({ ...row, data: { name: 'N' } }));
  const { messages } = await send(rows);
  const born = await Promise.all(messages.map(message));
  const partsOf = ({ reasonDetail }: { reasonDetail: { faults: { part: string }[] } }) =>
    reasonDetail.faults.map(({ part }) => part).join(' ');
  t.same(
    born.map((one) => [one.status, one.reason, one.to?.address ?? null, partsOf(one)]),
    [
      ['KO', 'recipient_unknown', null, 'contact'],
      ['KO', 'recipient_unknown', 'given@company.test', 'contact'],
      ['KO', 'address_invalid', 'not an address', 'to contact'],
      ['KO', 'recipient_unknown', null, 'recipient contact'],
    ],
  );
  for (const id of messages) {
    t.match(await post(`/v1/messages/${id}/resend`, {}), { status: 409, body: { code: 'cannot_be_sent' } });
    const body = { to: { address: 'contact@company.test' } };
    const mended = await inject('PATCH', `/v1/messages/${id}`, { body, headers: { 'if-match': '*' } });
    t.match(mended, { status: 200, body: { reasonDetail: null } });
    must(await post(`/v1/messages/${id}/resend`, {}), 200);
  }
  await work();
  t.same(
    arrived(),
    messages.map(() => 'contact@company.test'),
  );
});

t.test('rules follow the corrected address: an E that they refuse becomes B', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  await inject('POST', '/v1/notification-types', {
    body: { key: 'ae', title: 'Avis', channels: ['mail'], defaultChoice: 'on' },
  });
  const person = '/v1/recipients/external:client:C-2';
  await inject('PUT', person, { body: { addresses: [{ kind: 'mail', value: bruno }] } });
  const choices = [{ notificationType: 'ae', channel: 'mail', accepted: false }];
  await inject('PUT', `${person}/choices`, { body: { choices } });
  const notices = await makeNotices(service, { template: { notificationType: 'ae' } });
  const [id = '', copied = ''] = await notices.send([anna, anna]);
  t.match(await notices.correct(id, { to: { address: bruno } }), {
    status: 200,
    body: { status: 'B', reason: 'choice_off' },
  });
  const moves = (await inject('GET', `/v1/messages/${id}/transitions`)).body.items;
  t.match(moves[1], { from: 'E', to: 'B', reason: 'choice_off', actor: { kind: 'key' } });
  t.match(await notices.act(id, 'validate'), { status: 409, body: { code: 'blocked_by_rule' } });
  const copy = await notices.correct(copied, { cc: [{ address: bruno }] });
  t.match(copy.body, { status: 'E', copies: [{ address: bruno, outcome: 'blocked', reason: 'choice_off' }] });
});

t.test('a remark alone changes no content; a correction asks for a new approval', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send([anna], { sendAt: '2026-12-24T08:00:00Z' });
  await notices.act(id, 'validate');
  t.match(await notices.correct(id, { remark: 'Vu' }), {
    status: 409,
    body: { code: 'illegal_move', currentStatus: 'V' },
  });
  await notices.act(id, 'block');
  const blocked = (await notices.message(id)).body;
  t.equal(blocked.validatedByPerson, true);
  const remarked = await notices.correct(id, { remark: 'Vu' });
  t.match(remarked.body, {
    remark: 'Vu',
    contentHash: blocked.contentHash,
    messageIdentifier: blocked.messageIdentifier,
    validatedByPerson: true,
  });
  t.match((await notices.correct(id, { subject: 'Autre' })).body, { validatedByPerson: false, subject: 'Autre' });
  const entries = (await service.inject('GET', `/v1/audit-entries?resourceType=message&resourceId=${id}`)).body.items;
  t.same(
    entries.map(({ fields }: { fields: string[] }) => fields),
    [['subject'], ['remark']],
  );
});

t.test('more corrections at once than there are connections all end', async (t) => {
  const service = await startService(t, { config: { databaseConnections: 2 } });
  const notices = await makeNotices(service);
  const ids = await notices.send(Array.from({ length: 12 }, (_, index) => `client-${index}@courriel.example`));
  const corrected = await Promise.all(ids.map((id) => notices.correct(id, { data: { nom: 'Corrigé' } })));
  t.same(
    corrected.map(({ status }) => status),
    ids.map(() => 200),
  );
  const [id = ''] = ids;
  const etag = String((await notices.message(id)).headers.etag);
  const rivals = await Promise.all(
    ['A', 'B', 'C', 'D'].map((subject) =>
      service.inject('PATCH', `/v1/messages/${id}`, { body: { subject }, headers: { 'if-match': etag } }),
    ),
  );
  t.same(rivals.map(({ status }) => status).sort(), [200, 412, 412, 412], 'one of four that read the same wins');
});
