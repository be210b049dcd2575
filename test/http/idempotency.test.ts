import { sql } from 'drizzle-orm';
import t, { type Test } from 'tap';
import { type Answer, type Ask, startService, type TestService } from '../support/service.ts';

interface Sender extends TestService {
  /** Posts `body` under the idempotency key `name`; null: without one. */
  post(name: string | null, body: object, ask?: Ask): Promise<Answer>;
  requestCount(): Promise<number>;
}

const to = (number: number) => ({
  address: `jeanne.${number}@courriel.example`,
  name: `Jeanne D’Hérouville ${number}`,
});
const bodyOf = (...numbers: number[]) => ({
  template: 'avis',
  recipients: numbers.map((number) => ({ to: to(number), data: { nom: `Secret-${number}` } })),
});

async function startSender(t: Test): Promise<Sender> {
  const service = await startService(t);
  const { inject, runtime } = service;
  await inject('POST', '/v1/senders', { body: { key: 'gestion', fromAddress: 'gestion@courtage.example' } });
  const template = await inject('POST', '/v1/templates', { body: { key: 'avis', title: 'Avis', channel: 'mail' } });
  const path = `/v1/templates/${template.body.id}/versions`;
  await inject('POST', path, {
    body: { subject: 'Avis', text: 'Bonjour {{ nom }}', html: '<p>Bonjour {{ nom }}</p>' },
  });
  t.equal((await inject('POST', `${path}/1/publish`)).status, 200);
  return {
    ...service,
    post: (name, body, { headers = {}, ...ask } = {}) =>
      inject('POST', '/v1/send-requests', {
        body,
        headers: { ...(name === null ? {} : { 'idempotency-key': name }), ...headers },
        ...ask,
      }),
    async requestCount() {
      const [row] = await runtime.db.execute<{ count: number }>(sql`select count(*)::int as count from send_requests`);
      return row?.count ?? 0;
    },
  };
}

t.test('a repeat gets the first answer again, and nothing is done twice', async (t) => {
  const { post, requestCount, clock } = await startSender(t);
  const first = await post('one', bodyOf(1, 2));
  t.equal(first.status, 201);
  t.equal(first.headers['idempotency-replayed'], undefined);
  clock.advance(7 * 24 * 3_600_000 - 1_000);
  const second = await post('one', bodyOf(1, 2));
  t.equal(second.status, 201);
  t.equal(second.headers['idempotency-replayed'], 'true');
  t.equal(second.headers.location, first.headers.location);
  t.same(second.body, first.body);
  t.equal(await requestCount(), 1);
});

t.test('the same key with another body, or for another action, is refused', async (t) => {
  const { post, inject, requestCount } = await startSender(t);
  const first = await post('one', bodyOf(1));
  t.match(await post('one', bodyOf(2)), { status: 422, body: { code: 'idempotency_key_reused' } });
  const headers = { 'idempotency-key': 'one' };
  t.match(await inject('POST', `/v1/send-requests/${first.body.id}/cancel`, { headers }), {
    status: 422,
    body: { code: 'idempotency_key_reused' },
  });
  t.equal(await requestCount(), 1);
});

t.test('twenty at once make one request, and all get its answer', async (t) => {
  const { post, requestCount } = await startSender(t);
  const answers = await Promise.all(Array.from({ length: 20 }, () => post('one', bodyOf(1, 2, 3))));
  t.same(new Set(answers.map(({ status }) => status)), new Set([201]));
  t.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
  t.equal(answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true').length, 19);
  t.equal(await requestCount(), 1);
});

t.test('what the first has done does not stand in the way of twenty at once', async (t) => {
  const { post, inject } = await startSender(t);
  const twenty = (path: string, name: string, body: object) =>
    Promise.all(Array.from({ length: 20 }, () => inject('POST', path, { body, headers: { 'idempotency-key': name } })));
  const theSame = (answers: readonly Answer[], status: number) => {
    t.same(new Set(answers.map((answer) => answer.status)), new Set([status]));
    t.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
    t.equal(answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true').length, 19);
  };
  // The name of a sender is taken once.
  theSame(await twenty('/v1/senders', 'sender', { key: 'second', fromAddress: 'deux@courtage.example' }), 201);
  // A message in V cannot be validated.
  const request = await post('one', { ...bodyOf(1), validation: 'manual' });
  const [message] = (await inject('GET', `/v1/messages?sendRequest=${request.body.id}`)).body.items;
  theSame(await twenty(`/v1/messages/${message.id}/validate`, 'validate', {}), 200);
  const { items } = (await inject('GET', `/v1/messages/${message.id}/transitions`)).body;
  t.same(
    items.map(({ to }: { to: string }) => to),
    ['E', 'V'],
  );
});

t.test('of two at once with one key and different bodies, one is done and the other refused', async (t) => {
  const { post, requestCount } = await startSender(t);
  for (let turn = 0; turn < 10; turn += 1) {
    const answers = await Promise.all([post(`turn-${turn}`, bodyOf(1)), post(`turn-${turn}`, bodyOf(2))]);
    t.same(answers.map(({ status }) => status).sort(), [201, 422]);
    t.ok(answers.some(({ body }) => body.code === 'idempotency_key_reused'));
  }
  t.equal(await requestCount(), 10);
});

t.test('a repeat waits for the first, and is told when that takes more than five seconds', async (t) => {
  const { post, runtime, tenant, requestCount } = await startSender(t);
  let entered = () => {};
  let release = () => {};
  const holding = new Promise<void>((resolve) => {
    entered = resolve;
  });
  const freed = new Promise<void>((resolve) => {
    release = resolve;
  });
  // What a first request that hangs at its commit looks like to the second one.
  const first = runtime.db.transaction(async (tx) => {
    await tx.execute(sql`
      insert into idempotency_keys (tenant_id, key, test, fingerprint, created_at)
      values (${tenant.id}, ${runtime.secrets.sign(`idempotency:${tenant.id}:one`)}, false, 'x', now())`);
    entered();
    await freed;
    throw new Error('the first one fails');
  });
  first.catch(() => {});
  await holding;
  t.match(await post('one', bodyOf(1)), { status: 409, body: { code: 'idempotency_in_progress' } });
  const waiting = post('one', bodyOf(1));
  release();
  t.match(await waiting, { status: 201 }, 'the key is free again when the first one failed');
  t.equal(await requestCount(), 1);
});

t.test('the key is required, and is 1 to 255 visible ASCII characters', async (t) => {
  const { post, requestCount } = await startSender(t);
  t.match(await post(null, bodyOf(1)), {
    status: 400,
    body: { code: 'idempotency_key_missing', errors: [{ pointer: '/Idempotency-Key', code: 'required' }] },
  });
  for (const name of ['', 'x'.repeat(256), 'a b', 'é', 'a\tb']) {
    t.match(await post(name, bodyOf(1)), { status: 400, body: { code: 'invalid_header' } }, JSON.stringify(name));
  }
  t.equal(await requestCount(), 0);
  t.equal((await post('x'.repeat(255), bodyOf(1))).status, 201);
});

t.test('what is kept of an answer holds no personal data', async (t) => {
  const { post, inject, runtime } = await startSender(t);
  const bad = { to: { address: 'jeanne.bad courriel', name: 'Jeanne Bad' }, data: { nom: 'Secret-9' } };
  const body = { ...bodyOf(1), requestedBy: { user: 'mmartin' } };
  await post('accepted', {
    ...body,
    recipients: [...body.recipients, bad, { to: to(3), data: { autre: 'Secret-3' } }],
  });
  await post('refused', { ...body, mode: 'all-or-nothing', recipients: [...body.recipients, bad] });
  await post('tried', { ...body, dryRun: true });
  const draft = await post('draft', { ...body, confirm: false });
  const headers = { 'idempotency-key': 'confirmed' };
  await inject('POST', `/v1/send-requests/${draft.body.id}/confirm`, { body: {}, headers });
  const kept = await runtime.db.execute<{ key: string; kept: string }>(sql`
    select key, idempotency_keys::text as kept from idempotency_keys order by key`);
  t.equal(kept.length, 5);
  for (const one of kept) t.notMatch(one.kept, /jeanne|courriel|hérouville|secret|mmartin/i, one.key);
});

t.test('faults of the whole request are not kept: the same key serves the corrected one', async (t) => {
  const { post, requestCount } = await startSender(t);
  t.match(await post('one', { ...bodyOf(1), template: 'none' }), { status: 422 });
  t.match(await post('one', { ...bodyOf(1), surprise: true }), { status: 400 });
  t.match(await post('one', bodyOf(1)), { status: 201 });
  t.equal(await requestCount(), 1);
});

t.test('keys of organisations, and of live and test keys, do not meet', async (t) => {
  const { post, tenant, addTenant, requestCount } = await startSender(t);
  const other = await addTenant('Autre courtage');
  const first = await post('one', bodyOf(1));
  const test = await post('one', bodyOf(2), { key: tenant.testKey });
  t.equal(test.status, 201);
  t.not(test.body.id, first.body.id);
  t.match(await post('one', bodyOf(1), { key: other.key }), { status: 422, body: { code: 'unprocessable' } });
  t.equal(await requestCount(), 2);
});

t.test('actions take a key too: a repeated cancel and confirm answer as the first time', async (t) => {
  const { post, inject } = await startSender(t);
  const draft = await post('draft', { ...bodyOf(1), confirm: false });
  for (const action of ['confirm', 'cancel']) {
    const ask = { headers: { 'idempotency-key': action }, ...(action === 'confirm' ? { body: {} } : {}) };
    const first = await inject('POST', `/v1/send-requests/${draft.body.id}/${action}`, ask);
    t.equal(first.status, 200, action);
    const second = await inject('POST', `/v1/send-requests/${draft.body.id}/${action}`, ask);
    t.equal(second.headers['idempotency-replayed'], 'true');
    t.same(second.body, first.body);
  }
});

t.test(
  'twenty confirmations at once confirm once: all get that answer under one key, the others are told',
  async (t) => {
    const { post, inject } = await startSender(t);
    const confirm = (id: string, key: string) =>
      inject('POST', `/v1/send-requests/${id}/confirm`, { body: {}, headers: { 'idempotency-key': key } });
    for (let round = 0; round < 5; round += 1) {
      const { body } = await post(`shared-${round}`, { ...bodyOf(1, 2), confirm: false });
      const shared = await Promise.all(Array.from({ length: 20 }, () => confirm(body.id, `confirm-${round}`)));
      t.same(new Set(shared.map(({ status }) => status)), new Set([200]), 'one key');
      t.equal(new Set(shared.map((answer) => answer.body.messages[0].id)).size, 1);
      const rival = (await post(`rival-${round}`, { ...bodyOf(1, 2), confirm: false })).body;
      const rivals = await Promise.all(
        Array.from({ length: 20 }, (_, index) => confirm(rival.id, `${round}-${index}`)),
      );
      const told = rivals
        .map(({ status, body: { code } }) => (status === 200 ? 'confirmed' : `${status} ${code}`))
        .sort();
      t.same(told, [...Array.from({ length: 19 }, () => '409 not_a_draft'), 'confirmed'], 'a key each');
    }
  },
);
