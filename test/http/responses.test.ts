import t from 'tap';
import { respondedTo } from '../../src/recipients/responses/store.ts';
import { done } from '../support/broker.ts';
import { people, setUpContent, waysOf } from '../support/sending.ts';
import { startService } from '../support/service.ts';

t.setTimeout(600_000);

t.test('a person has answered once, however often it is told', async (t) => {
  const { inject, clock, runtime, tenant, addTenant } = await startService(t);
  const make = async (id: string) =>
    (await done(inject('PUT', `/v1/recipients/external:client:${id}`, { body: {} }))).id;
  const [ann, bob] = [await make('ANN'), await make('BOB')];
  const path = '/v1/recipients/external:client:ANN/responses';
  const context = { type: 'questionnaire', ref: 'Q-1' };
  const tell = (body: object, headers: Record<string, string> = {}) => inject('POST', path, { body, headers });
  const first = await tell({ context, source: 'Formulaire' }, { 'idempotency-key': 'first' });
  t.match(first, {
    status: 201,
    body: { recipient: ann, context, source: 'Formulaire', answeredAt: clock.now().toISOString() },
  });
  clock.advance(60_000);
  t.match(await tell({ context }), { status: 200, body: first.body });
  t.match(await tell({ context, source: 'Formulaire' }, { 'idempotency-key': 'first' }), {
    status: 201,
    body: first.body,
  });
  const together = await Promise.all(Array.from({ length: 4 }, () => tell({ context: { ...context, ref: 'Q-2' } })));
  t.same(together.map(({ status }) => status).sort(), [200, 200, 200, 201]);
  t.equal(new Set(together.map(({ body }) => body.id)).size, 1);
  const earlier = { context: { type: 'dossier', ref: 'Q-1' }, answeredAt: '2026-11-20T18:30:00+01:00' };
  t.match(await tell(earlier), { status: 201, body: { answeredAt: '2026-11-20T17:30:00.000Z', source: null } });

  t.match((await inject('GET', path)).body.items, [
    { context: earlier.context },
    { context: { ref: 'Q-2' } },
    { context },
  ]);
  t.match((await inject('GET', `${path}?contextType=questionnaire&context=Q-1`)).body.items, [{ id: first.body.id }]);
  const page = (await inject('GET', `${path}?limit=2`)).body;
  t.equal((await inject('GET', `${path}?limit=2&cursor=${encodeURIComponent(page.nextCursor)}`)).body.items.length, 1);
  const answered = (ref: string) => respondedTo(runtime.db, tenant.id, { ...context, ref }, [ann, bob]);
  t.same([...(await answered('Q-1'))], [ann]);
  t.same([...(await answered('Q-3'))], []);

  const other = await addTenant('Autre');
  t.same([...(await respondedTo(runtime.db, other.id, context, [ann, bob]))], []);
  t.equal((await inject('DELETE', `/v1/recipients/external:client:BOB/responses/${first.body.id}`)).status, 404);
  t.equal((await inject('DELETE', `${path}/${first.body.id}`)).status, 204);
  t.equal((await inject('DELETE', `${path}/${first.body.id}`)).status, 404);
  t.same([...(await answered('Q-1'))], []);
  t.match(await tell({ context }), { status: 201 });
  t.equal((await inject('DELETE', '/v1/recipients/external:client:ANN')).status, 204);
  t.same([...(await answered('Q-1'))], [], 'nothing is left of who is gone');
});

t.test('a response that cannot be is refused with its field', async (t) => {
  const { inject, tenant } = await startService(t);
  await done(inject('PUT', '/v1/recipients/external:client:ANN', { body: {} }));
  const path = '/v1/recipients/external:client:ANN/responses';
  const context = { type: 'q', ref: 'Q-1' };
  for (const [body, status, pointer] of [
    [{}, 400, '/context'],
    [{ context: { type: 'q' } }, 400, '/context/ref'],
    [{ context: { type: 'q', ref: '' } }, 400, '/context/ref'],
    [{ context: { type: 'q', ref: 'a\u0000b' } }, 400, '/context/ref'],
    [{ context, answeredAt: 'yesterday' }, 400, '/answeredAt'],
    [{ context, answeredAt: '2026-11-22T09:00:01Z' }, 422, '/answeredAt'],
    [{ context, source: 'x'.repeat(201) }, 400, '/source'],
    [{ context, other: 1 }, 400, '/other'],
  ] as const) {
    t.match(await inject('POST', path, { body }), { status, body: { errors: [{ pointer }] } }, JSON.stringify(body));
  }
  t.equal((await inject('POST', '/v1/recipients/external:client:BOB/responses', { body: { context } })).status, 404);
  t.equal((await inject('POST', path, { body: { context }, key: tenant.testKey })).status, 403);
  t.same((await inject('GET', path, { key: tenant.testKey })).body.items, []);
});

t.test('who was left out of a request is counted by reason', async (t) => {
  const service = await startService(t);
  await setUpContent(service);
  const { send, post, tenant, inject } = { ...service, ...waysOf(service) };
  await done(post('/v1/suppressions', { address: 'p0@people.test', cause: 'bounce' }));
  const nowhere = [
    { to: { address: 'nowhere' }, data: { name: 'x' } },
    { to: { address: 'p9@people.test' }, data: {} },
  ];
  const { id, messages } = await send([...people(4), ...nowhere], { validation: 'manual' });
  await done(post('/v1/messages/block', { ids: messages.slice(1, 3) }));
  const answer = await inject('GET', `/v1/send-requests/${id}/left-out`, { headers: { 'accept-language': 'fr' } });
  t.same(answer.body, {
    total: 5,
    reasons: [
      { status: 'B', reason: 'blocked_by_user', count: 2, reasonText: 'Une personne l’a bloqué.' },
      { status: 'B', reason: 'suppressed', count: 1, reasonText: 'Il ne faut plus écrire à cette adresse.' },
      {
        status: 'KO',
        reason: 'address_invalid',
        count: 1,
        reasonText: "L'adresse n'est pas une adresse de courriel valable.",
      },
      {
        status: 'KO',
        reason: 'field_missing',
        count: 1,
        reasonText: 'Un champ de fusion du modèle n’a pas de valeur.',
      },
    ],
    copies: [],
  });
  const { body } = await inject('GET', `/v1/messages?sendRequest=${id}&reason=blocked_by_user`);
  t.equal(body.items.length, 2, 'and found by it');
  t.equal((await inject('GET', `/v1/send-requests/${id}/left-out`, { key: tenant.testKey })).status, 404);
  const other = await service.addTenant('Autre');
  t.equal((await inject('GET', `/v1/send-requests/${id}/left-out`, { key: other.key })).status, 404);
});
