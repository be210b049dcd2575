import t from 'tap';
import { startService } from '../support/service.ts';

const gestion = { key: 'gestion', fromAddress: 'gestion@Courtage.example', archiveBcc: ['archives@courtage.example'] };

t.test('a sender is created, read, changed with its ETag, and deleted (W3)', async (t) => {
  const { inject } = await startService(t);
  const created = await inject('POST', '/v1/senders', { body: gestion });
  t.equal(created.status, 201);
  t.match(created.body, {
    key: 'gestion',
    fromAddress: 'gestion@courtage.example',
    fromName: null,
    isDefault: true,
    version: 1,
  });
  t.equal(created.headers.location, `/v1/senders/${created.body.id}`);
  const path = `/v1/senders/${created.body.id}`;

  const read = await inject('GET', path);
  t.same(read.body, created.body);
  t.equal(created.headers.etag, read.headers.etag, 'who creates it can change it without reading it first');
  t.equal((await inject('PATCH', path, { body: { fromName: 'Courtage' } })).status, 428);
  const changed = await inject('PATCH', path, {
    body: { fromName: 'Courtage' },
    headers: { 'if-match': String(read.headers.etag) },
  });
  t.match(changed, { status: 200, body: { fromName: 'Courtage', version: 2, replyTo: null } });
  const stale = await inject('PATCH', path, {
    body: { fromName: 'X' },
    headers: { 'if-match': String(read.headers.etag) },
  });
  t.match(stale, { status: 412, body: { code: 'precondition_failed' } });

  t.match((await inject('GET', '/v1/senders')).body, { items: [{ id: created.body.id }], nextCursor: null });
  t.equal((await inject('DELETE', path)).status, 204);
  t.equal((await inject('GET', path)).status, 404);
});

t.test('what is not one address, or a key that is taken, is refused', async (t) => {
  const { inject } = await startService(t);
  const wrong = await inject('POST', '/v1/senders', { body: { ...gestion, replyTo: 'a@b.example, c@d.example' } });
  t.match(wrong, { status: 422, body: { errors: [{ pointer: '/replyTo', code: 'address_invalid' }] } });
  t.match(await inject('POST', '/v1/senders', { body: { ...gestion, fromName: 'A\r\nBcc: x@y.example' } }), {
    status: 400,
    body: { errors: [{ pointer: '/fromName', code: 'wrong_format' }] },
  });
  t.equal((await inject('POST', '/v1/senders', { body: gestion })).status, 201);
  t.match(await inject('POST', '/v1/senders', { body: gestion }), { status: 409, body: { code: 'conflict' } });
});

t.test('a repeat with the same Idempotency-Key gets the first answer again', async (t) => {
  const { inject } = await startService(t);
  const headers = { 'idempotency-key': 'sender-1' };
  const first = await inject('POST', '/v1/senders', { body: gestion, headers });
  const again = await inject('POST', '/v1/senders', { body: gestion, headers });
  t.equal(first.status, 201);
  t.same(again.body, first.body);
  t.equal(again.headers['idempotency-replayed'], 'true');
  t.match(await inject('POST', '/v1/senders', { body: { ...gestion, key: 'other' }, headers }), { status: 422 });
});
