import t from 'tap';
import { act, type Broker, client, done, edit, editor, startBroker } from '../../support/broker.ts';

/** Makes a journal and reads it. */
async function journal({ service }: Broker, body: object) {
  const started = await service.inject('POST', '/v1/exports', { body: { kind: 'messages', ...body } });
  if (started.status !== 202) throw new Error(`${started.status} ${started.raw}`);
  const path = String(started.headers.location);
  const early = await service.inject('GET', `${path}/content`);
  await service.work();
  const finished = await done(service.inject('GET', path));
  // Lines of JSON are no JSON document: the file is read as it is.
  const authorization = `Bearer ${service.tenant.key}`;
  const content = await service.app.inject({ url: `${path}/content`, headers: { authorization } });
  return { path, early, finished, content, text: content.body };
}

async function sentAndFailed(t: Parameters<typeof startBroker>[0]) {
  const broker = await startBroker(t, {
    archiveBcc: [],
    respond: (step, { command }) =>
      step === 'rcpt' && /client\.[34]@/.test(command) ? { code: 550, text: '5.1.1 User unknown' } : undefined,
  });
  const { service } = broker;
  const clients = [0, 1, 2, 3, 4, 5, 6].map((n) => client(n));
  const ids = await edit(service, clients, { editedAt: '2026-11-22T08:00:00.000Z' });
  await act(service, 'validate', ids.slice(0, 5));
  await service.work();
  await act(service, 'block', ids.slice(5, 6));
  return { ...broker, ids };
}

t.test('W12 · what was sent and what failed are two journals, kept apart', async (t) => {
  const broker = await sentAndFailed(t);
  const { ids, service } = broker;
  const sent = await journal(broker, { format: 'ndjson', filter: { status: ['OK'] } });
  const failed = await journal(broker, { format: 'ndjson', filter: { status: ['KO'] } });
  const rows = ({ text }: { text: string }) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  t.same(
    rows(sent).map(({ id }) => id),
    ids.slice(0, 3),
    'sent: those, in order, and no other',
  );
  t.same(
    rows(failed).map(({ id }) => id),
    ids.slice(3, 5),
    'failed: those, in order, and no other',
  );
  t.equal(sent.early.status, 409, 'not before it is finished');
  t.match(sent.finished, { kind: 'export', status: 'done', total: 3, done: 3 });
  t.match(rows(sent)[0], {
    status: 'OK',
    toAddress: 'client.0@courriel.example',
    contextRef: client(0).number,
    requestedByUser: editor.user,
    requestedByOsUser: editor.osUser,
    requestedByWorkstation: editor.workstation,
    template: 'avis-echeance',
    editedAt: '2026-11-22T08:00:00.000Z',
    sentAt: service.clock.now().toISOString(),
    answerCode: 250,
  });
  t.match(rows(failed)[0], {
    status: 'KO',
    reason: 'mailbox_unknown',
    sentAt: null,
    answerCode: 550,
    answer: /unknown/,
  });
});

t.test('W12 · as a spreadsheet: one line each, accents whole, nothing a spreadsheet would run', async (t) => {
  const broker = await sentAndFailed(t);
  const { ids, service } = broker;
  const { headers } = await service.inject('GET', `/v1/messages/${ids[3]}`);
  const ask = { body: { remark: '=HYPERLINK("x");à "revoir"' }, headers: { 'if-match': String(headers.etag) } };
  await done(service.inject('PATCH', `/v1/messages/${ids[3]}`, ask));
  const sent = await journal(broker, { format: 'csv', filter: { status: ['OK'] } });
  const failed = await journal(broker, { format: 'csv', filter: { status: ['KO'] } });
  for (const { content, text } of [sent, failed]) {
    t.match(String(content.headers['content-type']), /^text\/csv; charset=utf-8/);
    t.match(String(content.headers['content-disposition']), /^attachment; filename="[\w.-]+\.csv"$/);
    t.ok(text.startsWith('\uFEFFid;status;'), 'marked as UTF-8, with the names of its columns');
  }
  const lines = (text: string) => text.trimEnd().split('\r\n');
  t.equal(lines(sent.text).length, 1 + 3);
  t.equal(lines(failed.text).length, 1 + 2);
  t.ok(
    lines(sent.text)
      .slice(1)
      .every((line, index) => line.startsWith(`${ids[index]};OK;`)),
  );
  t.match(sent.text, 'Hélène D’Hérouville');
  t.match(failed.text, '"\'=HYPERLINK(""x"");à ""revoir"""', 'what looks like a formula is text');
});

t.test('W12 · a journal can be narrowed by the filters of W7, and is of one organisation only', async (t) => {
  const broker = await sentAndFailed(t);
  const { service, ids } = broker;
  const one = await journal(broker, { format: 'ndjson', filter: { status: ['OK'], context: client(1).number } });
  t.equal(JSON.parse(one.text).id, ids[1]);
  const none = await journal(broker, {
    format: 'ndjson',
    filter: { status: ['OK'], sentFrom: '2030-01-01T00:00:00Z' },
  });
  t.equal(none.text, '');
  t.equal(none.content.statusCode, 200);
  const stranger = await service.addTenant('Autre cabinet');
  for (const path of [one.path, `${one.path}/content`]) {
    t.equal((await service.inject('GET', path, { key: stranger.key })).status, 404);
  }
});
