import t from 'tap';
import {
  act,
  change,
  client,
  done,
  edit,
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

const refusing: Parameters<typeof startBroker>[1] = {
  archiveBcc: [],
  respond: (step, { command }) =>
    step === 'rcpt' && command.includes('client.1@')
      ? { code: 550, text: '5.1.1 User unknown in virtual mailbox table' }
      : undefined,
};

t.test('W11 · a failed row shows why; corrected, it is sent again', async (t) => {
  const { service, sink } = await startBroker(t, refusing);
  const [id = '', other = ''] = await edit(service, [client(1), client(2)]);
  await act(service, 'validate', [id, other]);
  await service.work();
  const path = `/v1/messages/${id}`;
  const failed = await service.inject('GET', path, { headers: { 'accept-language': 'fr' } });
  t.match(failed.body, {
    status: 'KO',
    reason: 'mailbox_unknown',
    reasonDetail: { code: 550, enhancedCode: '5.1.1', answer: /User unknown/ },
    sentAt: null,
    attemptCount: 1,
  });
  t.match(failed.body.reasonText, /[a-zà-ü]{3,} .*\.$/i, 'why, as a sentence');
  t.not(failed.body.reasonText, (await read(service, id)).reasonText, 'in the language of the person');
  const { items: tries } = await done(service.inject('GET', `${path}/attempts`));
  t.match(tries, [{ number: 1, outcome: 'permanent', step: 'recipient', code: 550, answer: /User unknown/ }]);

  const corrected = await change(service, path, {
    to: { address: 'helene.corrigee@courriel.example' },
    remark: 'Adresse corrigée par téléphone',
  });
  t.match(corrected, { status: 'KO', remark: 'Adresse corrigée par téléphone' }, 'correcting sends nothing by itself');
  await service.work();
  t.equal(sink.mails.length, 1, 'only the other client’s has left');
  await act(service, 'resend', [id]);
  await service.work();
  t.match(await read(service, id), {
    status: 'OK',
    reason: null,
    to: { address: 'helene.corrigee@courriel.example' },
    remark: 'Adresse corrigée par téléphone',
    sentAt: service.clock.now().toISOString(),
  });
  t.equal(mailsTo(sink, 'helene.corrigee@courriel.example').length, 1);
  t.equal(
    (await opened(mailsTo(sink, 'helene.corrigee@courriel.example')[0])).to?.[0]?.address,
    'helene.corrigee@courriel.example',
  );
  t.equal(mailsTo(sink, 'client.2@courriel.example').length, 1, 'nobody else gets a second copy');
  const { items } = await done(service.inject('GET', `${path}/transitions`));
  t.match(
    items.map(({ from, to }: { from: string; to: string }) => `${from}>${to}`),
    ['null>E', 'E>V', 'V>KO', 'KO>V', 'V>OK'],
  );
});

t.test('W11 · not corrected, it can be sent again too, under a new Message-ID', async (t) => {
  let down = true;
  const { service, sink } = await startBroker(t, {
    archiveBcc: [],
    respond: (step) => (step === 'body' && down ? { code: 554, text: '5.7.1 Rejected' } : undefined),
  });
  const [id = ''] = await edit(service, [client(1)]);
  await act(service, 'validate', [id]);
  await service.work();
  const { messageIdentifier } = await read(service, id);
  down = false;
  await act(service, 'resend', [id]);
  await service.work();
  const sent = await read(service, id);
  t.equal(sent.status, 'OK');
  t.not(sent.messageIdentifier, messageIdentifier);
  t.match((await opened(sink.mails[0])).messageId, sent.messageIdentifier);
});

t.test('W11 · rows that failed before leaving say why, and leave once corrected', async (t) => {
  const { service, sink } = await startBroker(t, { archiveBcc: [] });
  const clients = [client(1), client(2, { mail: null }), client(3)];
  for (const one of clients) await keepClient(service, one);
  const bad = { ...noticeFor(client(1)), to: { address: 'jean.dupont@' } };
  const { Adr_Nom: _, ...data } = noticeFor(client(3)).data;
  const ghost = '0198c0de-0000-7000-8000-000000000001';
  const rows = [
    bad,
    noticeFor(client(2)),
    { ...noticeFor(client(3)), data },
    noticeFor(client(1), { documents: [ghost] }),
  ];
  const { messages } = await done(post(service, rows));
  const ids: string[] = messages.map(({ id }: { id: string }) => id);
  const reasons = ['address_invalid', 'address_missing', 'field_missing', 'document_invalid'];
  t.match(
    messages,
    reasons.map((reason) => ({ status: 'KO', reason })),
  );
  for (const id of ids) t.match(await read(service, id), { reasonText: String, reasonDetail: Object });
  t.match((await read(service, String(ids[0]))).to, { address: 'jean.dupont@' }, 'the bad address is shown as it came');

  t.match(await act(service, 'resend', ids.slice(0, 3)), { done: 0, refused: [{ code: 'cannot_be_sent' }, {}, {}] });
  const again = await service.inject('GET', `/v1/messages/${ids[0]}`);
  const still = { body: { to: { address: 'jean.dupont@@x' } }, headers: { 'if-match': String(again.headers.etag) } };
  t.equal(
    (await service.inject('PATCH', `/v1/messages/${ids[0]}`, still)).status,
    422,
    'a correction is checked as well',
  );

  const document = await upload(service, 'AE.pdf', pdf('avis'));
  await change(service, `/v1/messages/${ids[0]}`, { to: { address: String(client(1).mail) } });
  await change(service, `/v1/messages/${ids[1]}`, { to: { address: 'client.2@courriel.example' } });
  await change(service, `/v1/messages/${ids[2]}`, { data: { Adr_Nom: 'L’Hôte' } });
  await change(service, `/v1/messages/${ids[3]}`, { documents: [document] });
  t.match(await act(service, 'resend', ids), { matched: 4, done: 4, refused: [] });
  await service.work();
  t.equal(sink.mails.length, 4);
  const attached = await Promise.all(sink.mails.map(async (mail) => (await opened(mail)).attachments.length));
  t.same(attached.sort(), [0, 0, 0, 1]);
  t.match((await opened(mailsTo(sink, 'client.3@courriel.example')[0])).text, 'L’Hôte');
});

t.test('W11 · a corrected address falls under the box of whom it belongs to', async (t) => {
  const { service, sink } = await startBroker(t, refusing);
  await keepClient(service, client(2, { box: false }));
  const [id = ''] = await edit(service, [client(1)]);
  await act(service, 'validate', [id]);
  await service.work();
  await change(service, `/v1/messages/${id}`, { to: { address: 'client.2@courriel.example' } });
  t.match(await act(service, 'resend', [id]), {
    done: 0,
    refused: [{ code: 'blocked_by_rule', reason: 'choice_off' }],
  });
  await service.work();
  t.same(sink.mails, []);
  t.equal((await read(service, id)).status, 'KO');
});

t.test('W11 · what was sent is not corrected', async (t) => {
  const { service } = await startBroker(t);
  const [id = ''] = await edit(service, [client(1)]);
  await act(service, 'validate', [id]);
  await service.work();
  const { headers } = await service.inject('GET', `/v1/messages/${id}`);
  const body = { to: { address: 'autre@courriel.example' } };
  const refused = await service.inject('PATCH', `/v1/messages/${id}`, {
    body,
    headers: { 'if-match': String(headers.etag) },
  });
  t.equal(refused.status, 409);
  t.match(refused.body, { code: 'illegal_move', currentStatus: 'OK' });
});
