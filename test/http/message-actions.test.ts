import t from 'tap';
import { isLegalMove, type Status, statuses } from '../../src/messages/status.ts';
import { startService, type TestService } from '../support/service.ts';
import { makeNotices, type Notices } from './notices.ts';

t.setTimeout(600_000);

const anna = 'anna@courriel.example';
const nowhere = '019c0000-0000-7000-8000-000000000000';

/** One message in each status, of a test key, so that the simulator decides how it ends. */
async function oneOfEach(service: TestService, notices: Notices): Promise<Record<Status | 'unknown', string>> {
  const accounts = (await service.inject('GET', '/v1/channel-accounts')).body.items;
  const simulator = accounts.find(({ driver }: { driver: string }) => driver === 'simulator');
  const held = await service.inject('PATCH', `/v1/channel-accounts/${simulator.id}`, {
    body: { onUncertain: 'hold' },
    headers: { 'if-match': '*' },
  });
  if (held.status !== 200) throw new Error(JSON.stringify(held.body));
  const [E = '', V = '', B = ''] = await notices.send(['e@x.example', 'v@x.example', 'b@x.example'], {
    sendAt: '2026-12-24T08:00:00Z',
  });
  await notices.act(V, 'validate');
  await notices.act(B, 'block');
  const [OK = '', KO = '', unknown = ''] = await notices.send(
    ['ok@x.example', 'simulate-permanent@x.example', 'simulate-uncertain@x.example'],
    { validation: 'automatic' },
  );
  await service.work();
  return { E, V, B, OK, KO, unknown };
}

const expected: Record<Status, Status> = { E: 'E', V: 'V', B: 'B', OK: 'OK', KO: 'KO' };

/** What each action makes of each status; what is not here is refused. */
const legal: Record<string, Partial<Record<Status, Status>>> = {
  validate: { E: 'V', B: 'V' },
  block: { E: 'B', V: 'B' },
  resend: { KO: 'V' },
  resolve: {},
  correct: { E: 'E', B: 'B', KO: 'KO' },
};

for (const [action, moves] of Object.entries(legal)) {
  t.test(`${action}: every status is tried as legal or refused`, async (t) => {
    const service = await startService(t);
    const key = service.tenant.testKey;
    const notices = await makeNotices(service, { key, outbox: false });
    const ids = await oneOfEach(service, notices);
    for (const status of statuses) {
      const id = ids[status];
      t.match((await notices.message(id)).body, { status: expected[status] }, `born to be ${status}`);
      const answer =
        action === 'correct'
          ? await notices.correct(id, { remark: 'Vu' })
          : await notices.act(id, action, action === 'resolve' ? { outcome: 'sent' } : {});
      const to = moves[status];
      if (to === undefined) {
        t.match(answer, { status: 409, body: { code: 'illegal_move', currentStatus: status } }, `${action} ${status}`);
      } else {
        t.match(answer, { status: 200, body: { status: to } }, `${action} ${status}`);
        if (to !== status) t.ok(isLegalMove(status, to));
      }
      t.match((await notices.message(id)).body, { status: to ?? status });
    }
    if (action === 'correct' || action === 'resolve') return;
    const fresh = await oneOfEach(service, notices);
    const body = { ids: [...statuses.map((status) => fresh[status]), nowhere] };
    const bulk = await service.inject('POST', `/v1/messages/${action}`, { key, body });
    const refused = statuses.filter((status) => moves[status] === undefined);
    t.match(bulk, { status: 200, body: { matched: 6, done: 5 - refused.length } });
    t.same(
      new Map(bulk.body.refused.map(({ id, code, status }: Record<string, string>) => [id, `${code} ${status}`])),
      new Map([
        [nowhere, 'not_found undefined'],
        ...refused.map((one) => [fresh[one], `illegal_move ${one}`] as const),
      ]),
    );
  });
}

t.test('an unknown outcome is resolved by a person, once', async (t) => {
  for (const [outcome, after] of [
    ['sent', { status: 'OK', delivery: 'sent', reason: null }],
    ['notSent', { status: 'KO', delivery: 'none', reason: 'not_sent' }],
  ] as const) {
    const service = await startService(t);
    const notices = await makeNotices(service, { key: service.tenant.testKey, outbox: false });
    const { unknown } = await oneOfEach(service, notices);
    t.match((await notices.message(unknown)).body, { status: 'KO', reason: 'outcome_unknown', delivery: 'uncertain' });
    t.match(await notices.act(unknown, 'resolve', { outcome, reason: 'Journal du serveur' }), {
      status: 200,
      body: after,
    });
    t.match(await notices.act(unknown, 'resolve', { outcome }), { status: 409, body: { code: 'illegal_move' } });
    const resent = await notices.act(unknown, 'resend');
    t.equal(resent.status, outcome === 'sent' ? 409 : 200);
  }
});

t.test('ids may come in capitals; a message is done or refused, never both', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [first = '', second = ''] = await notices.send([anna, 'b@x.example']);
  const ids = [first.toUpperCase(), first];
  t.match(await service.inject('POST', '/v1/messages/validate', { body: { ids } }), {
    status: 200,
    body: { matched: 1, done: 1, refused: [] },
  });
  t.match(await notices.act(second.toUpperCase(), 'validate'), { status: 200, body: { status: 'V' } });
});

t.test('what a rule would stop stays as it is where its key is of another request (W5)', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const refusing = '/v1/recipients/external:client:C-1';
  const put = (acceptsContact: boolean) =>
    inject('PUT', refusing, { body: { addresses: [{ kind: 'mail', value: anna, acceptsContact }] } });
  await put(true);
  const notices = await makeNotices(service);
  for (let turn = 0; turn < 5; turn += 1) {
    await put(true);
    const [fine = '', stopped = ''] = await notices.send(['paul@courriel.example', anna]);
    await put(false);
    const headers = { 'idempotency-key': `turn-${turn}` };
    const [validated, other] = await Promise.all([
      notices.act(fine, 'validate', {}, headers),
      notices.act(stopped, 'validate', {}, headers),
    ]);
    t.equal(validated.status, 200);
    // Whichever came first: what was answered is what was done.
    const { status } = (await notices.message(stopped)).body;
    t.match([other.status, status], other.body.code === 'idempotency_key_reused' ? [422, 'E'] : [409, 'B']);
  }
});

t.test('an E that a rule stops is refused with 409, and stays the B it has become (W5)', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  await inject('POST', '/v1/notification-types', {
    body: { key: 'ae', title: 'Avis', channels: ['mail'], defaultChoice: 'off' },
  });
  const person = '/v1/recipients/external:client:C-1';
  await inject('PUT', person, { body: { addresses: [{ kind: 'mail', value: anna }] } });
  const choose = async (accepted: boolean) => {
    const choices = [{ notificationType: 'ae', channel: 'mail', accepted }];
    t.equal((await inject('PUT', `${person}/choices`, { body: { choices } })).status, 200);
  };
  await choose(true);
  const notices = await makeNotices(service, { template: { notificationType: 'ae' } });
  const [alone = '', keyed = '', bulk = ''] = await notices.send([anna, anna, anna]);
  await choose(false);

  const refusal = { status: 409, body: { code: 'blocked_by_rule', currentStatus: 'B', reason: 'choice_off' } };
  t.match(await notices.act(alone, 'validate'), refusal);
  t.match((await notices.message(alone)).body, { status: 'B', reason: 'choice_off' });

  const headers = { 'idempotency-key': 'validate-1' };
  t.match(await notices.act(keyed, 'validate', {}, headers), refusal);
  t.match((await notices.message(keyed)).body, { status: 'B', reason: 'choice_off' });
  t.match(await notices.act(keyed, 'validate', {}, headers), refusal, 'asked again, it is refused again');

  t.match(await inject('POST', '/v1/messages/validate', { body: { ids: [bulk] } }), {
    status: 200,
    body: { matched: 1, done: 0, refused: [{ id: bulk, code: 'blocked_by_rule', status: 'B', reason: 'choice_off' }] },
  });

  await choose(true);
  const done = await notices.act(keyed, 'validate', {}, headers);
  t.match(done, { status: 200, body: { status: 'V' } }, 'a refusal is not kept: the same key may succeed later');
  const again = await notices.act(keyed, 'validate', {}, headers);
  t.match(again, { status: 200, headers: { 'idempotency-replayed': 'true' } });
  const moves = (await inject('GET', `/v1/messages/${keyed}/transitions`)).body.items;
  t.same(
    moves.map(({ to }: { to: string }) => to),
    ['E', 'B', 'V'],
    'and acts once',
  );
});

t.test('an action by filter takes only messages in its statuses, and answers counts', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const context = { type: 'dossier', ref: 'D-1' };
  const ids = await notices.send([anna, 'b@x.example', 'pas une adresse'], { context });
  await notices.send(['c@x.example']);
  const act = (action: string, body: object) => service.inject('POST', `/v1/messages/${action}`, { body });
  t.match(await act('validate', { filter: { context: 'D-1' }, reason: 'Édition' }), {
    status: 200,
    body: { matched: 2, done: 2, refused: [] },
  });
  t.match(await act('validate', { filter: { status: ['OK'] } }), { status: 200, body: { matched: 0, done: 0 } });
  t.match(await act('resend', { filter: { context: 'D-1' } }), {
    status: 200,
    body: { matched: 1, refused: [{ id: ids[2], code: 'cannot_be_sent', status: 'KO', reason: 'address_invalid' }] },
  });
  t.match((await service.inject('GET', '/v1/messages?status=E')).body.items, { length: 1 });
  for (const body of [{}, { ids: [nowhere], filter: { context: 'D-1' } }]) {
    t.match(await act('block', body), { status: 422, body: { errors: [{ code: 'selection_choice' }] } });
  }
  for (const body of [{ ids: [] }, { ids: [nowhere, nowhere] }, { filter: {} }, { ids: ['1'] }, { filter: { x: 1 } }]) {
    t.match(await act('block', body), { status: 400, body: { code: 'invalid_body' } }, JSON.stringify(body));
  }
});

t.test('only a key that may validate validates, blocks, resends or resolves', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send([anna]);
  const body = { name: 'Lecture', kind: 'live', scopes: ['messages:read', 'messages:update'] };
  const { secret: key } = (await service.inject('POST', '/v1/api-keys', { body })).body;
  for (const action of ['validate', 'block', 'resend', 'resolve']) {
    const answer = await service.inject('POST', `/v1/messages/${id}/${action}`, { key, body: { outcome: 'sent' } });
    t.match(answer, { status: 403, body: { code: 'forbidden', scope: 'messages:validate' } });
  }
  t.equal((await service.inject('GET', `/v1/messages/${id}`, { key })).status, 200);
});
