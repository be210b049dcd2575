import t from 'tap';
import { uploadText } from '../support/documents.ts';
import { receiverOf, type Sending, startSending } from '../support/sending.ts';

const archive = 'archive@broker.test';
const nowhere = '019c0000-0000-7000-8000-000000000000';
const twoMailboxes = 'a@people.test, b@people.test';
const named = 'Ann <ann@people.test>';

/** A row with three faults: whom it writes to, a copy, and what is attached. */
const faulty = {
  to: { address: named },
  cc: [{ address: 'partner@people.test' }, { address: twoMailboxes }],
  documents: [nowhere],
  data: { name: 'Ann' },
};

const corrections = {
  to: { address: 'ann@people.test' },
  cc: [{ address: 'partner@people.test' }, { address: 'notary@people.test', name: 'Notary' }],
};

/** What a person does with one message. */
const actionsOn = ({ inject, post }: Sending, id: string) => ({
  correct: (change: object) => inject('PATCH', `/v1/messages/${id}`, { body: change, headers: { 'if-match': '*' } }),
  resend: () => post(`/v1/messages/${id}/resend`, {}),
});

/** The parts of the row that are still at fault. */
const partsOf = (message: { reasonDetail: { faults?: { part: string }[] } | null }) =>
  message.reasonDetail?.faults?.map(({ part }) => part).sort() ?? [];

const outcomes = (message: { copies: { kind: string; address: string; outcome: string }[] }) =>
  message.copies.map(({ kind, address, outcome }) => `${kind} ${address} ${outcome}`).sort();

t.test('a row with several faults is one KO message that names each of them', async (t) => {
  const service = await startSending(t);
  const good = { to: { address: 'good@people.test' }, data: { name: 'Good' } };
  const answer = await service.post(
    '/v1/send-requests',
    { template: 'notice', mode: 'partial', validation: 'automatic', recipients: [good, faulty] },
    { headers: { 'idempotency-key': 'faults' } },
  );
  t.match(answer, {
    status: 201,
    body: {
      counts: { created: 2, V: 1, KO: 1 },
      messages: [
        { index: 0, status: 'V', reason: null },
        { index: 1, status: 'KO', reason: 'address_invalid' },
      ],
    },
  });
  const errors = answer.body.errors.map(({ index, pointer, code }: Record<string, unknown>) => [index, pointer, code]);
  t.same(errors.sort(), [
    [1, '/recipients/1/cc/1/address', 'address_invalid'],
    [1, '/recipients/1/documents', 'document_invalid'],
    [1, '/recipients/1/to/address', 'address_invalid'],
  ]);
  const message = await service.message(answer.body.messages[1].id);
  t.same(partsOf(message), ['cc', 'documents', 'to']);
  t.match(message, { status: 'KO', to: { address: named }, subject: null, contentHash: null });
  await service.work();
  t.same(service.sink.mails.map(receiverOf), ['good@people.test'], 'the good row does not wait for the bad one');
  t.equal((await service.message(message.id)).status, 'KO');
});

t.test('a bad cc and a bad bcc are both named, and both must be corrected', async (t) => {
  const service = await startSending(t);
  const { messages } = await service.send([
    {
      to: { address: 'ann@people.test' },
      cc: [{ address: twoMailboxes }],
      bcc: [{ address: 'nobody' }],
      data: { name: 'Ann' },
    },
  ]);
  const [id = ''] = messages;
  const { correct, resend } = actionsOn(service, id);
  t.same(partsOf(await service.message(id)), ['bcc', 'cc']);
  const half = await correct({ cc: [{ address: 'notary@people.test' }] });
  t.same(partsOf(half.body), ['bcc'], 'the hidden copy is still to be corrected');
  t.match(
    await resend(),
    { status: 409, body: { code: 'cannot_be_sent' } },
    'it does not leave without its hidden copy',
  );
  await correct({ bcc: [{ address: 'agency@people.test' }] });
  await resend();
  await service.work();
  t.same(service.sink.mails.map(receiverOf).sort(), ['agency@people.test', 'ann@people.test', 'notary@people.test']);
});

t.test('each correction mends its own fault only; with the last one it can be sent again', async (t) => {
  const service = await startSending(t, { archiveBcc: [archive] });
  const document = await uploadText(service, 'notice.txt', 'the notice');
  const { messages } = await service.send([faulty]);
  const [id = ''] = messages;
  const { correct, resend } = actionsOn(service, id);
  const steps: [object, string[], string][] = [
    [{ remark: 'Called her' }, ['cc', 'documents', 'to'], 'address_invalid'],
    [{ data: { name: 'Anna' } }, ['cc', 'documents', 'to'], 'address_invalid'],
    [{ bcc: [{ address: 'agency@people.test' }] }, ['cc', 'documents', 'to'], 'address_invalid'],
    [{ to: corrections.to }, ['cc', 'documents'], 'address_invalid'],
    [{ cc: corrections.cc }, ['documents'], 'document_invalid'],
  ];
  for (const [change, remaining, reason] of steps) {
    const what = `after ${Object.keys(change)}`;
    const corrected = await correct(change);
    t.match(corrected, { status: 200, body: { status: 'KO', reason, contentHash: null } }, what);
    t.same(partsOf(corrected.body), remaining, what);
    const refused = await resend();
    t.match(refused, { status: 409, body: { code: 'cannot_be_sent', currentStatus: 'KO', reason } }, what);
  }
  const many = await service.post('/v1/messages/resend', { ids: [id] });
  t.match(many.body, { matched: 1, done: 0, refused: [{ id, code: 'cannot_be_sent' }] }, 'many at once: the same');
  await service.work();
  t.same(service.sink.mails, [], 'nothing left while a fault remained');

  const whole = await correct({ documents: [document] });
  t.match(whole, {
    status: 200,
    body: { status: 'KO', reasonDetail: null, subject: 'For Anna', contentHash: /^[0-9a-f]{64}$/ },
  });
  t.equal((await resend()).status, 200);
  await service.work();
  const sent = await service.message(id);
  t.match(sent, { status: 'OK', reason: null, to: corrections.to, documents: [{ id: document }] });
  t.same(outcomes(sent), [
    `archive ${archive} accepted`,
    'bcc agency@people.test accepted',
    'cc notary@people.test accepted',
    'cc partner@people.test accepted',
  ]);
  const receivers = ['agency@people.test', 'ann@people.test', archive, 'notary@people.test', 'partner@people.test'];
  t.same(service.sink.mails.map(receiverOf).sort(), receivers);
  t.ok(
    service.sink.mails.every(({ raw }) => raw.includes('notice.txt')),
    'with the document that was corrected last',
  );
  t.same(await service.moves(id), ['·→KO address_invalid', 'KO→V', 'V→OK']);
});

t.test('all faults may be mended at once; what is still wrong is refused and changes nothing', async (t) => {
  const service = await startSending(t);
  const { messages } = await service.send([{ ...faulty, data: {} }]);
  const [id = ''] = messages;
  const { correct, resend } = actionsOn(service, id);
  const before = await service.message(id);
  const all = { ...corrections, documents: [] };
  const wrong: [object, number, object][] = [
    [{ ...all, cc: faulty.cc }, 422, { errors: [{ pointer: '/cc/1/address', code: 'address_invalid' }] }],
    [{ ...all, documents: [nowhere] }, 422, { errors: [{ pointer: '/documents/0', code: 'document_invalid' }] }],
    [all, 409, { code: 'cannot_be_sent', errors: [{ pointer: '/data/name', code: 'field_missing' }] }],
  ];
  for (const [change, status, body] of wrong) t.match(await correct(change), { status, body });
  t.same(await service.message(id), before);
  t.match(await correct({ ...all, data: { name: 'Ann' } }), { status: 200, body: { reasonDetail: null } });
  t.equal((await resend()).status, 200);
  await service.work();
  t.equal((await service.message(id)).status, 'OK');
});

t.test('a bad copy does not cost the archive its copy: it is kept, and sent once with the others', async (t) => {
  const service = await startSending(t, { archiveBcc: [archive, 'audit@broker.test'] });
  const row = { to: { address: 'ann@people.test' }, data: { name: 'Ann' } };
  const { messages } = await service.send([
    { ...row, cc: [{ address: twoMailboxes }] },
    { ...row, bcc: [{ address: twoMailboxes }], cc: [{ address: 'partner@people.test' }] },
  ]);
  const [badCc = '', badBcc = ''] = messages;
  const archives = [`archive ${archive} pending`, 'archive audit@broker.test pending'];
  t.same(
    outcomes(await service.message(badCc)),
    [...archives, `cc ${twoMailboxes} blocked`],
    'the bad one can be seen',
  );
  const corrected = await actionsOn(service, badCc).correct({ cc: [{ address: 'notary@people.test' }] });
  t.same(outcomes(corrected.body), [...archives, 'cc notary@people.test pending']);
  const emptied = await actionsOn(service, badBcc).correct({ bcc: [] });
  t.same(outcomes(emptied.body), [...archives, 'cc partner@people.test pending'], 'the good cc stays too');
  for (const id of messages) t.equal((await actionsOn(service, id).resend()).status, 200);
  await service.work();
  const each = ['ann@people.test', archive, 'audit@broker.test'];
  const receivers = [...each, ...each, 'notary@people.test', 'partner@people.test'].sort();
  t.same(service.sink.mails.map(receiverOf).sort(), receivers);
  t.notOk(
    service.sink.mails.some(({ raw }) => raw.includes(archive)),
    'the archive is named in no mail',
  );
});
