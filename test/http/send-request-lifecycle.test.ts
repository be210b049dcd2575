import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import t from 'tap';
import { badAddress, empty, messageCount, row, rows, startBroker } from '../support/requests.ts';

t.test('W6 a draft makes no message until it is confirmed, which archives the edition date', async (t) => {
  const service = await startBroker(t);
  const { inject, post, act, clock, counts } = service;
  const draft = await post({
    confirm: false,
    recipients: [row(0), row(1), badAddress(2)],
    requestedBy: { user: 'mmartin' },
  });
  t.match(draft, { status: 201, body: { status: 'draft', counts: empty, errors: [{ index: 2 }] } });
  const { id } = draft.body;
  const before = await inject('GET', `/v1/send-requests/${id}`);
  t.match(before.body, { status: 'draft', counts: empty, confirmedAt: null, editedAt: null, recipientCount: 3 });
  t.equal(await messageCount(service), 0);
  clock.advance(3_600_000);
  const confirmed = await act(id, 'confirm', {}, { headers: { 'on-behalf-of': 'chef' } });
  t.match(confirmed, { status: 200, body: { id, status: 'accepted', counts: { created: 3, E: 2, KO: 1 } } });
  const after = await inject('GET', `/v1/send-requests/${id}`);
  t.match(after.body, {
    status: 'accepted',
    editedAt: '2026-11-22T10:00:00.000Z',
    confirmedAt: '2026-11-22T10:00:00.000Z',
    createdAt: before.body.createdAt,
    requestedBy: { user: 'mmartin' },
  });
  t.not(after.headers.etag, before.headers.etag);
  const message = confirmed.body.messages[0].id;
  t.match((await inject('GET', `/v1/messages/${message}`)).body, {
    editedAt: '2026-11-22T10:00:00.000Z',
    requestedBy: { user: 'mmartin' },
  });
  t.match((await inject('GET', `/v1/messages/${message}/transitions`)).body.items, [
    { from: null, to: 'E', actor: { kind: 'key', user: 'chef' } },
  ]);
  t.match(await act(id, 'confirm', {}), {
    status: 409,
    body: { code: 'not_a_draft', currentStatus: 'accepted' },
  });
  t.same(await counts(id), confirmed.body.counts);

  const dated = await post({ confirm: false, editedAt: '2026-11-20T08:00:00Z', recipients: [row(0)] });
  const given = { editedAt: '2026-11-21T08:00:00+01:00' };
  t.equal((await act(dated.body.id, 'confirm', given)).status, 200);
  t.equal((await inject('GET', `/v1/send-requests/${dated.body.id}`)).body.editedAt, '2026-11-21T07:00:00.000Z');
  const kept = await service.runtime.db.execute(sql`select 1 from send_request_drafts`);
  t.equal(kept.length, 0, 'bodies of drafts are gone');
});

t.test('a window is not before its start and never after its end', async (t) => {
  const service = await startBroker(t);
  const { inject, post, act, clock } = service;
  const window = { from: '2026-11-22T18:00:00+01:00', to: '2026-11-22T20:00:00+01:00' };
  const read = async (id: string) => (await inject('GET', `/v1/send-requests/${id}`)).body;
  const made = await post({ window, recipients: [row(0)] });
  t.match(await read(made.body.id), { sendAt: '2026-11-22T17:00:00.000Z', notAfter: '2026-11-22T19:00:00.000Z' });
  const draft = await post({ window, confirm: false, recipients: [row(0)] });
  clock.set('2026-11-22T17:30:00Z');
  t.match(await post({ window, recipients: [row(0)] }), { status: 201 }, 'one that is open lets it leave at once');
  t.match(await act(draft.body.id, 'confirm', {}), { status: 200, body: { counts: { E: 1 } } });
  t.match(await read(draft.body.id), { sendAt: null, notAfter: '2026-11-22T19:00:00.000Z' });
  for (const [wrong, pointer] of [
    [{ window: { from: window.to, to: window.from } }, '/window/from'],
    [{ window: { from: '2026-11-20T10:00:00Z', to: '2026-11-20T11:00:00Z' } }, '/window/to'],
    [{ window, sendAt: window.from }, '/window'],
    [{ window, notAfter: window.to }, '/window'],
  ] as const) {
    const answer = await post({ ...wrong, recipients: [row(0)] });
    t.match(answer, { status: 422, body: { errors: [{ pointer }] } }, pointer);
  }
  const half = await post({ window: { from: window.from }, recipients: [row(0)] });
  t.match(half, { status: 400, body: { errors: [{ pointer: '/window/to', code: 'required' }] } });
  clock.set('2026-11-22T19:00:01Z');
  await service.work();
  t.match((await read(made.body.id)).counts, { KO: 1 }, 'expired while it waited for a person');
});

t.test('two confirmations at once make one set of messages', async (t) => {
  const service = await startBroker(t);
  const { post, act, counts } = service;
  const { id } = (await post({ confirm: false, recipients: rows(50) })).body;
  const answers = await Promise.all(Array.from({ length: 8 }, () => act(id, 'confirm', {})));
  t.same(answers.map(({ status }) => status).sort(), [200, 409, 409, 409, 409, 409, 409, 409]);
  t.match(await counts(id), { created: 50, E: 50 });
  t.equal(await messageCount(service), 50);
});

t.test('an all-or-nothing draft is checked again when it is confirmed', async (t) => {
  const service = await startBroker(t);
  const { inject, post, act, clock } = service;
  const person = { type: 'client', externalId: 'C-1', addresses: [{ kind: 'mail', value: 'a@courriel.example' }] };
  await inject('POST', '/v1/recipients', { body: person });
  const recipient = { recipient: 'external:client:C-1', data: { nom: 'A', contrat: 'C' } };
  const body = { confirm: false, mode: 'all-or-nothing', recipients: [recipient] };
  const { id } = (await post(body)).body;
  const path = '/v1/recipients/external:client:C-1';
  await inject('PATCH', path, { body: { addresses: [] }, headers: { 'if-match': '*' } });
  t.match(await act(id, 'confirm', {}), {
    status: 422,
    body: { code: 'rows_refused', errors: [{ code: 'address_missing' }] },
  });
  t.match((await inject('GET', `/v1/send-requests/${id}`)).body, { status: 'draft' });
  await inject('PATCH', path, { body: { addresses: person.addresses }, headers: { 'if-match': '*' } });
  t.equal((await act(id, 'confirm', {})).status, 200);
  const late = await post({ confirm: false, sendAt: '2026-11-22T12:00:00Z', recipients: [row(0)] });
  clock.set('2026-11-22T13:00:00Z');
  t.match(await act(late.body.id, 'confirm', {}), {
    status: 422,
    body: { errors: [{ pointer: '/sendAt', code: 'in_past' }] },
  });
});

t.test('cancel: E and V become B cancelled, what is being sent is refused; twice is not an error', async (t) => {
  const service = await startBroker(t);
  const { inject, post, act, counts, runtime } = service;
  const answer = await post({ validation: 'automatic', priority: 'urgent', recipients: [...rows(3), badAddress(3)] });
  t.match(answer.body.counts, { created: 4, V: 3, KO: 1 });
  const { id } = answer.body;
  const sending = answer.body.messages[0].id;
  t.match((await inject('GET', `/v1/messages/${sending}`)).body, { delivery: 'queued' }, 'urgent ones have their job');
  await runtime.db.execute(sql`update messages set dispatch_state = 'sending' where id = ${sending}`);
  t.match(await act(id, 'cancel'), {
    status: 200,
    body: { id, blocked: 2, refused: [{ id: sending, code: 'being_sent' }] },
  });
  t.match(await counts(id), { created: 4, V: 1, B: 2, KO: 1 });
  t.match((await inject('GET', `/v1/send-requests/${id}`)).body, {
    status: 'cancelled',
    cancelledAt: '2026-11-22T09:00:00.000Z',
  });
  const blocked = answer.body.messages[1].id;
  t.match((await inject('GET', `/v1/messages/${blocked}`)).body, { status: 'B', reason: 'cancelled' });
  t.match((await inject('GET', `/v1/messages/${blocked}/transitions`)).body.items.length, 2);
  t.match(await act(id, 'cancel'), { status: 200, body: { blocked: 0, refused: [{ id: sending }] } });
  const events = await runtime.db.execute<{ count: number }>(sql`
    select count(*)::int as count from events where type = 'send-request.cancelled' and resource_id = ${id}`);
  t.match([...events], [{ count: 1 }]);
  t.match(await act(randomUUID(), 'cancel'), { status: 404, body: { code: 'not_found' } });
});

t.test('a cancelled draft is forgotten', async (t) => {
  const { inject, post, act, runtime } = await startBroker(t);
  const { id } = (await post({ confirm: false, recipients: rows(2) })).body;
  t.match(await act(id, 'cancel'), { status: 200, body: { blocked: 0, refused: [] } });
  t.equal((await act(id, 'cancel')).status, 200);
  t.match(await act(id, 'confirm', {}), { status: 409, body: { code: 'not_a_draft', currentStatus: 'cancelled' } });
  t.match((await inject('GET', `/v1/send-requests/${id}`)).body, { status: 'cancelled', counts: empty });
  t.equal((await runtime.db.execute(sql`select 1 from send_request_drafts`)).length, 0);
});

t.test('a cancel and a confirmation at once leave no message that could be sent', async (t) => {
  const { post, act, counts } = await startBroker(t);
  for (let round = 0; round < 5; round += 1) {
    const { id } = (await post({ confirm: false, recipients: rows(5) })).body;
    const [confirmed, cancelled] = await Promise.all([act(id, 'confirm', {}), act(id, 'cancel')]);
    t.ok([200, 409].includes(confirmed.status), `confirm: ${confirmed.status}`);
    t.equal(cancelled.status, 200);
    t.match(await counts(id), { E: 0, V: 0 });
  }
});

t.test('PATCH moves the time of a request and of its messages, with If-Match', async (t) => {
  const service = await startBroker(t);
  const { inject, post, act, clock } = service;
  const answer = await post({ sendAt: '2026-11-23T08:00:00Z', validation: 'automatic', recipients: rows(2) });
  t.match(answer.body.counts, { V: 2 });
  const path = `/v1/send-requests/${answer.body.id}`;
  const move = (body: object, match = '*') => inject('PATCH', path, { body, headers: { 'if-match': match } });
  t.match(await inject('PATCH', path, { body: { sendAt: null } }), { status: 428 });
  t.match(await move({ sendAt: null }, '"7"'), { status: 412 });
  t.match(await move({}), { status: 400 });
  t.match(await move({ sendAt: '2026-11-22T08:00:00Z' }), { status: 422, body: { errors: [{ code: 'in_past' }] } });
  t.match(await move({ notAfter: '2026-11-22T08:00:00Z' }), { status: 422, body: { errors: [{ code: 'in_past' }] } });
  t.match(await move({ notAfter: '2026-11-23T07:00:00Z' }), {
    status: 422,
    body: { errors: [{ pointer: '/sendAt', code: 'after_not_after' }] },
  });
  const etag = String((await inject('GET', path)).headers.etag);
  const moved = await move({ sendAt: '2026-11-24T08:00:00Z', notAfter: '2026-11-25T08:00:00Z' }, etag);
  t.match(moved, { status: 200, body: { sendAt: '2026-11-24T08:00:00.000Z', notAfter: '2026-11-25T08:00:00.000Z' } });
  t.not(moved.headers.etag, etag);
  t.match(await move({ sendAt: null }, etag), { status: 412 });
  const message = async () => (await inject('GET', `/v1/messages/${answer.body.messages[0].id}`)).body;
  t.match(await message(), {
    delivery: 'waiting',
    nextTryAt: '2026-11-24T08:00:00.000Z',
    notAfter: '2026-11-25T08:00:00.000Z',
  });
  clock.set('2026-11-23T09:00:00Z');
  await service.work();
  t.match(await message(), { status: 'V' }, 'not sent at the first time');
  clock.set('2026-11-24T08:00:01Z');
  await service.work();
  t.match(await message(), { status: 'OK' }, 'sent at the new time');
  await act(answer.body.id, 'cancel');
  t.match(await move({ notAfter: null }), { status: 409, body: { code: 'conflict', currentStatus: 'cancelled' } });
});

t.test('PATCH takes messages back from the queue; sendAt null lets them go at once', async (t) => {
  const service = await startBroker(t);
  const { inject, post, work } = service;
  const answer = await post({ priority: 'urgent', validation: 'automatic', recipients: rows(2) });
  const path = `/v1/send-requests/${answer.body.id}`;
  const message = async () => (await inject('GET', `/v1/messages/${answer.body.messages[1].id}`)).body;
  t.match(await message(), { delivery: 'queued' });
  const move = (body: object) => inject('PATCH', path, { body, headers: { 'if-match': '*' } });
  await move({ notAfter: '2026-12-25T08:00:00Z' });
  t.match(
    await message(),
    { delivery: 'queued', notAfter: '2026-12-25T08:00:00.000Z' },
    'the end alone takes none back',
  );
  await move({ sendAt: '2026-12-24T08:00:00Z' });
  t.match(await message(), { delivery: 'waiting', nextTryAt: '2026-12-24T08:00:00.000Z' });
  await work();
  t.match(await message(), { status: 'V', delivery: 'waiting' }, 'its old job finds nothing to send');
  await move({ sendAt: null });
  await work();
  t.match(await message(), { status: 'OK', sendAt: null });
});

t.test('PATCH of a draft moves what its confirmation will read', async (t) => {
  const { inject, post, act } = await startBroker(t);
  const { id } = (await post({ confirm: false, sendAt: '2026-11-23T08:00:00Z', recipients: rows(1) })).body;
  const body = { sendAt: '2026-11-24T08:00:00Z', notAfter: '2026-11-25T08:00:00Z' };
  t.match(await inject('PATCH', `/v1/send-requests/${id}`, { body, headers: { 'if-match': '*' } }), {
    status: 200,
    body: { status: 'draft', sendAt: '2026-11-24T08:00:00.000Z' },
  });
  const confirmed = await act(id, 'confirm', {});
  t.match((await inject('GET', `/v1/messages/${confirmed.body.messages[0].id}`)).body, {
    sendAt: '2026-11-24T08:00:00.000Z',
    notAfter: '2026-11-25T08:00:00.000Z',
  });
});
