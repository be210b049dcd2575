import t from 'tap';
import { startService } from '../support/service.ts';
import { makeNotices } from './notices.ts';

t.test('events come in order and without gaps, and only once they are numbered', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeNotices(service);
  await service.work();
  const start = (await inject('GET', '/v1/events')).body.last;
  const [id = ''] = await notices.send(['anna@courriel.example', 'bruno@courriel.example'], {
    context: { type: 'dossier', ref: 'D-1' },
  });
  t.same((await inject('GET', `/v1/events?after=${start}`)).body.items, []);
  await notices.act(id, 'validate');
  await service.work();

  const seen = [];
  let after = start;
  for (;;) {
    const page = (await inject('GET', `/v1/events?after=${after}&limit=2`)).body;
    if (page.items.length === 0) break;
    t.ok(page.items.length <= 2);
    seen.push(...page.items);
    after = page.items.at(-1).sequence;
    t.ok(page.last >= after);
  }
  t.same(
    seen.map(({ sequence }) => sequence),
    seen.map((_, index) => start + 1 + index),
  );
  const types = seen.map(({ type }) => type);
  t.same(new Set(types), new Set(['send-request.accepted', 'message.created', 'message.validated', 'message.sent']));
  const own = seen.filter(({ resourceId }) => resourceId === id);
  t.match(own, [
    { type: 'message.created', test: false, data: { status: 'E' } },
    { type: 'message.validated', data: { from: 'E', status: 'V' } },
    { type: 'message.sent', data: { from: 'V', status: 'OK' } },
  ]);
  t.notOk(JSON.stringify(seen).includes('courriel.example'), 'no personal data');
  t.same((await inject('GET', `/v1/events?after=${after}`)).body, { items: [], last: after });
});

t.test('a tenant has its own numbers; a test key sees test events only', async (t) => {
  const service = await startService(t);
  const { inject, tenant } = service;
  const notices = await makeNotices(service);
  await notices.send(['anna@courriel.example']);
  const body = {
    template: 'avis',
    recipients: [{ to: { address: 'test@x.example' }, data: { nom: 'N', contrat: 'C' } }],
  };
  await inject('POST', '/v1/send-requests', { key: tenant.testKey, body, headers: { 'idempotency-key': 'test-1' } });
  await service.work();
  const live = (await inject('GET', '/v1/events')).body.items;
  t.same(
    live.map(({ sequence }: { sequence: number }) => sequence),
    live.map((_: unknown, index: number) => index + 1),
  );
  t.same(new Set(live.map(({ test }: { test: boolean }) => test)), new Set([true, false]), 'a live key sees all');
  const tested = (await inject('GET', '/v1/events', { key: tenant.testKey })).body.items;
  t.same(
    tested,
    live.filter(({ test }: { test: boolean }) => test),
  );
  const other = await service.addTenant('Autre');
  t.same((await inject('GET', '/v1/events', { key: other.key })).body, { items: [], last: 0 });
  for (const query of ['after=-1', 'after=x', 'limit=251', 'limit=0', 'after=9007199254740993', 'type=x']) {
    t.match(await inject('GET', `/v1/events?${query}`), { status: 400, body: { code: 'invalid_query' } }, query);
  }
  t.same((await inject('GET', '/v1/events?after=9007199254740991')).body.items, []);
});
