import t from 'tap';
import {
  act,
  client,
  done,
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

async function draftOf(broker: Awaited<ReturnType<typeof startBroker>>) {
  const { service } = broker;
  const clients = [client(1), client(2), client(3)];
  const rows = [];
  for (const one of clients) {
    await keepClient(service, one);
    const document = await upload(service, `AE-${one.number}.pdf`, pdf(`avis de ${one.lastName}`));
    rows.push(noticeFor(one, { documents: [document], dedupeKey: `${one.number}/2027` }));
  }
  const context = { type: 'edition', ref: 'E-2026-11' };
  const draft = await done(
    post(service, rows, { confirm: false, documentType: undefined, template: 'avis-echeance', context }),
  );
  return { clients, rows, draft };
}

t.test(
  'W6 · an edition run is a draft with one PDF per client: no message, nothing edited, nothing sent',
  async (t) => {
    const broker = await startBroker(t);
    const { service, sink } = broker;
    const { draft } = await draftOf(broker);
    t.match(draft, { status: 'draft', counts: { created: 0 }, errors: [] });
    t.match(draft.messages, [{ status: 'E' }, { status: 'E' }, { status: 'E' }], 'what a "yes" would make is told');
    const request = await done(service.inject('GET', `/v1/send-requests/${draft.id}`));
    t.match(request, { status: 'draft', editedAt: null, recipientCount: 3, counts: { created: 0 } });
    t.same((await done(service.inject('GET', '/v1/messages'))).items, []);
    const validated = await done(
      service.inject('POST', '/v1/messages/validate', { body: { filter: { sendRequest: draft.id } } }),
    );
    t.match(validated, { matched: 0 }, 'there is nothing to validate yet');
    await service.work();
    t.same(sink.mails, []);
  },
);

t.test(
  'W6 · "yes" archives the edition date and makes each notice a message in E; none leaves before validation',
  async (t) => {
    const broker = await startBroker(t);
    const { service, sink } = broker;
    const { draft, clients, rows } = await draftOf(broker);
    service.clock.advance(600_000);
    const editedAt = service.clock.now().toISOString();
    const confirmed = await done(
      service.inject('POST', `/v1/send-requests/${draft.id}/confirm`, { body: { editedAt } }),
    );
    t.match(confirmed, { id: draft.id, status: 'accepted', counts: { created: 3, E: 3, V: 0 } });
    const request = await done(service.inject('GET', `/v1/send-requests/${draft.id}`));
    t.match(request, { status: 'accepted', editedAt, confirmedAt: editedAt, counts: { created: 3, E: 3 } });
    const ids: string[] = confirmed.messages.map(({ id }: { id: string }) => id);
    for (const [index, id] of ids.entries()) {
      const message = await read(service, id);
      t.match(message, { status: 'E', editedAt, sentAt: null, context: { ref: clients[index]?.number } });
      t.equal(message.documents.length, 1, 'one document per client');
      t.equal(message.documents[0].id, (rows[index] as unknown as { documents: string[] }).documents[0]);
    }
    await service.work();
    service.clock.advance(7 * 86_400_000);
    await service.work();
    t.same(sink.mails, [], 'edited is not sent, however long it waits');

    await act(service, 'validate', ids);
    await service.work();
    for (const one of clients) {
      const [mail, ...more] = mailsTo(sink, String(one.mail));
      t.same(more, []);
      const { attachments } = await opened(mail);
      t.equal(attachments.length, 1);
      t.match(attachments[0], {
        filename: `AE-${one.number}.pdf`,
        mimeType: 'application/pdf',
        disposition: 'attachment',
      });
      const content = attachments[0]?.content;
      t.ok(
        content instanceof ArrayBuffer && pdf(`avis de ${one.lastName}`).equals(Buffer.from(content)),
        'their own PDF',
      );
    }
    for (const id of ids)
      t.match(await read(service, id), { status: 'OK', editedAt }, 'the edition date stays archived');

    const twice = await service.inject('POST', `/v1/send-requests/${draft.id}/confirm`, { body: {} });
    t.equal(twice.status, 409);
    t.equal(twice.body.code, 'not_a_draft');
    const again = await done(post(service, rows, { editedAt }));
    t.same(again.counts.created, 0, 'the same run posted again edits nobody twice');
    t.same(
      again.repeated.map(({ messageId }: { messageId: string }) => messageId),
      ids,
    );
  },
);

t.test('W6 · without a date given, "yes" archives the moment it was said', async (t) => {
  const broker = await startBroker(t);
  const { draft } = await draftOf(broker);
  broker.service.clock.advance(60_000);
  const now = broker.service.clock.now().toISOString();
  await done(broker.service.inject('POST', `/v1/send-requests/${draft.id}/confirm`, { body: {} }));
  const { items } = await done(broker.service.inject('GET', '/v1/messages'));
  t.match(items, [{ editedAt: now }, { editedAt: now }, { editedAt: now }]);
});

t.test('W6 · "no" makes no message and archives no date, and the run can be edited anew', async (t) => {
  const broker = await startBroker(t);
  const { service, sink } = broker;
  const { draft, rows } = await draftOf(broker);
  await done(service.inject('POST', `/v1/send-requests/${draft.id}/cancel`, { body: {} }));
  const request = await done(service.inject('GET', `/v1/send-requests/${draft.id}`));
  t.match(request, { status: 'cancelled', editedAt: null, counts: { created: 0 } });
  const late = await service.inject('POST', `/v1/send-requests/${draft.id}/confirm`, { body: {} });
  t.equal(late.status, 409);
  await service.work();
  t.same((await done(service.inject('GET', '/v1/messages'))).items, []);
  t.same(sink.mails, []);
  const anew = await done(post(service, rows));
  t.match(anew, { counts: { created: 3, E: 3 }, repeated: [] });
});

t.test('W6 · a run edited with its date at once is in E as well', async (t) => {
  const { service } = await startBroker(t);
  const one = await keepClient(service, client(1));
  const editedAt = '2026-11-20T15:30:00.000Z';
  const { messages } = await done(post(service, [noticeFor(one)], { editedAt }));
  t.match(await read(service, messages[0].id), { status: 'E', editedAt });
});
