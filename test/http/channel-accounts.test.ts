import t from 'tap';
import { startService } from '../support/service.ts';

const smtp = {
  name: 'SMTP',
  channel: 'mail',
  driver: 'smtp',
  settings: { host: '127.0.0.1', port: 1, security: 'none', user: 'robot' },
  secrets: { password: 'hidden-word' },
  rhythm: { waitAfterSendMs: 800 },
};

t.test('secrets are written and never read; the rhythm is shown (W4)', async (t) => {
  const { inject } = await startService(t);
  const created = await inject('POST', '/v1/channel-accounts', { body: smtp });
  t.equal(created.status, 201);
  t.match(created.body, {
    secretNames: ['password'],
    rhythm: { waitAfterSendMs: 800, concurrency: 1 },
    isDefault: true,
  });
  const path = `/v1/channel-accounts/${created.body.id}`;
  const read = await inject('GET', path);
  const changed = await inject('PATCH', path, {
    body: { rhythm: { waitAfterSendMs: 0, concurrency: 4 } },
    headers: { 'if-match': String(read.headers.etag) },
  });
  t.match(changed, {
    status: 200,
    body: { rhythm: { waitAfterSendMs: 0, concurrency: 4 }, secretNames: ['password'] },
  });
  const list = await inject('GET', '/v1/channel-accounts');
  t.notMatch(JSON.stringify([created, read, changed, list]), /hidden-word|sealedSecrets|tenantId/);
  t.equal((await inject('DELETE', path)).status, 204);
});

t.test('an account is paused with a reason and resumed; doing it twice changes nothing', async (t) => {
  const { inject } = await startService(t);
  const { body } = await inject('POST', '/v1/channel-accounts', {
    body: { name: 'Files', channel: 'mail', driver: 'outbox' },
  });
  const path = `/v1/channel-accounts/${body.id}`;
  const paused = await inject('POST', `${path}/pause`, { body: { reason: 'Mise à jour' } });
  t.match(paused, { status: 200, body: { pauseReason: 'Mise à jour', pausedAt: String } });
  t.match(await inject('POST', `${path}/pause`), { status: 200, body: { pauseReason: 'Mise à jour' } });
  t.match(await inject('POST', `${path}/resume`), { status: 200, body: { pausedAt: null, pauseReason: null } });
  t.match(await inject('POST', `${path}/resume`), { status: 200, body: { pausedAt: null } });
  t.match(await inject('POST', `${path}/pause`), { status: 200, body: { pauseReason: 'paused_by_user' } });
});

t.test('trying an account says what the provider answered', async (t) => {
  const { inject } = await startService(t);
  const files = await inject('POST', '/v1/channel-accounts', {
    body: { name: 'Files', channel: 'mail', driver: 'outbox' },
  });
  t.match(await inject('POST', `/v1/channel-accounts/${files.body.id}/test`), {
    status: 200,
    body: { ok: true, outcome: 'accepted', reason: null, step: 'accepted' },
  });
  // Port 1 of the own machine: nobody listens there.
  const dead = await inject('POST', '/v1/channel-accounts', { body: smtp });
  const tried = await inject('POST', `/v1/channel-accounts/${dead.body.id}/test`);
  t.match(tried, { status: 200, body: { ok: false, reason: String, step: 'connect' } });
  t.notMatch(JSON.stringify(tried.body), /hidden-word/);
});

t.test('an unknown driver and settings it does not know are refused by name', async (t) => {
  const { inject } = await startService(t);
  t.match(await inject('POST', '/v1/channel-accounts', { body: { ...smtp, driver: 'pigeon' } }), {
    status: 422,
    body: { errors: [{ pointer: '/driver', code: 'driver_unknown' }] },
  });
  const wrong = await inject('POST', '/v1/channel-accounts', { body: { ...smtp, settings: { host: 'x', port: 'y' } } });
  t.equal(wrong.status, 422);
  t.match(wrong.body.errors[0].pointer, /^\/settings/);
  t.equal((await inject('POST', '/v1/channel-accounts/019c0000-0000-7000-8000-000000000000/test')).status, 404);
});
