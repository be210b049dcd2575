import t from 'tap';
import {
  act,
  addTemplate,
  client,
  done,
  edit,
  keepClient,
  mailsTo,
  noticeFor,
  opened,
  post,
  read,
  startBroker,
  statusesOf,
  tick,
} from '../../support/broker.ts';

t.test('W5 · a client is sent notices by mail only with an address and the box ticked', async (t) => {
  const { service, sink } = await startBroker(t);
  const clients = [
    client(1),
    client(2, { box: false }),
    client(3, { box: null }),
    client(4, { mail: null }),
    client(5, { mail: null, box: false }),
  ];
  for (const one of clients) await keepClient(service, one);
  const rows = clients.map((one) => noticeFor(one));
  const { messages, counts, errors } = await done(post(service, rows, { validation: 'automatic' }));
  t.match(messages, [
    { status: 'V', reason: null },
    { status: 'B', reason: 'choice_off' },
    { status: 'B', reason: 'choice_off' },
    { status: 'KO', reason: 'address_missing' },
    { status: 'KO', reason: 'address_missing' },
  ]);
  t.same(counts, { created: 5, E: 0, V: 1, OK: 0, KO: 2, B: 2 }, 'nobody is dropped without a row');
  t.match(errors, [{ index: 3, pointer: '/recipients/3/to', code: 'address_missing' }, { index: 4 }]);
  await service.work();
  t.same(
    sink.mails.map(({ envelope }) => envelope.to[0]).sort(),
    ['archives@courtage-dupont.example', 'client.1@courriel.example'],
    'the one client, and the archive of that one notice',
  );
  const blocked = await read(service, messages[1].id);
  t.match(blocked, { reasonText: String, to: { address: 'client.2@courriel.example' } }, 'with why, in words');
});

t.test('W5 · a person cannot validate over a box that is not ticked; once ticked they can', async (t) => {
  const { service, sink } = await startBroker(t);
  const one = client(1, { box: false });
  const [id = ''] = await edit(service, [one]);
  const refused = await service.inject('POST', `/v1/messages/${id}/validate`, { body: {} });
  t.equal(refused.status, 409);
  t.match(refused.body, { code: 'blocked_by_rule', currentStatus: 'B', reason: 'choice_off' });
  await tick(service, one, true);
  await act(service, 'validate', [id]);
  await service.work();
  t.same(await statusesOf(service, [id]), ['OK']);
  t.equal(mailsTo(sink, String(one.mail)).length, 1);
});

t.test('W5 · a box that is cleared after the notice was validated stops it on leaving', async (t) => {
  const { service, sink } = await startBroker(t);
  const clients = [client(1), client(2), client(3)];
  const [waiting = '', validated = '', kept = ''] = await edit(service, clients);
  await act(service, 'validate', [validated, kept]);
  await tick(service, client(1), false);
  await tick(service, client(2), false);
  await service.work();
  t.match(await read(service, validated), { status: 'B', reason: 'choice_off' });
  t.match(await act(service, 'validate', [waiting]), { done: 0, refused: [{ code: 'blocked_by_rule', status: 'B' }] });
  t.same(await statusesOf(service, [waiting, validated, kept]), ['B', 'B', 'OK']);
  t.same(mailsTo(sink, 'client.1@courriel.example'), []);
  t.same(mailsTo(sink, 'client.2@courriel.example'), []);
});

t.test('W5 · the box follows the address, however the notice is addressed, and in copies', async (t) => {
  const { service, sink } = await startBroker(t);
  const [yes, no] = [client(1), client(2, { box: false })];
  for (const one of [yes, no]) await keepClient(service, one);
  const { recipient: _, ...inline } = noticeFor(no);
  const rows = [
    { ...inline, to: { address: 'CLIENT.2@Courriel.example' } },
    { ...inline, to: { address: 'personne.connue@courriel.example' } },
    { ...noticeFor(yes), to: { address: String(no.mail) } },
    { ...noticeFor(yes), cc: [{ address: String(no.mail) }], bcc: [{ address: String(no.mail) }] },
  ];
  const { messages } = await done(post(service, rows, { validation: 'automatic' }));
  const block = { status: 'B', reason: 'choice_off' };
  t.match(messages, [block, block, block, { status: 'V' }], 'without a record there is no box that is ticked');
  await service.work();
  t.same(mailsTo(sink, String(no.mail)), [], 'not even as a copy');
  const [mail] = mailsTo(sink, String(yes.mail));
  t.same((await opened(mail)).cc ?? [], [], 'a copy that does not leave is not shown as if it had');
  t.match((await read(service, messages[3].id)).copies, [
    { kind: 'cc', outcome: 'blocked', reason: 'choice_off' },
    { kind: 'bcc', outcome: 'blocked', reason: 'choice_off' },
    { kind: 'archive', outcome: 'accepted' },
  ]);
});

t.test('W5 · the box is of this notice: another notice without a box goes out', async (t) => {
  const { service, sink } = await startBroker(t);
  const one = await keepClient(service, client(1, { box: false }));
  const texts = { subject: 'Information', text: 'Bonjour', html: '<p>Bonjour</p>' };
  await addTemplate(service, { key: 'information' }, texts);
  await done(post(service, [noticeFor(one)], { template: 'information', validation: 'automatic' }));
  await service.work();
  t.equal(mailsTo(sink, String(one.mail)).length, 1);
});
