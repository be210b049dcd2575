import t from 'tap';
import { act, client, done, edit, mailsTo, read, startBroker, statusesOf } from '../../support/broker.ts';

const address = (n: number) => `client.${n}@courriel.example`;

t.test(
  'W9 · a person validates some rows and blocks others; only the validated ones leave, and a blocked one can be validated again',
  async (t) => {
    const { service, sink } = await startBroker(t, { archiveBcc: [] });
    const ids = await edit(
      service,
      [0, 1, 2, 3, 4].map((n) => client(n)),
    );
    const [first = '', second = '', third = '', fourth = '', fifth = ''] = ids;
    t.same(await act(service, 'validate', [first, second]), { matched: 2, done: 2, refused: [] });
    t.same(await act(service, 'block', [third, fourth]), { matched: 2, done: 2, refused: [] });
    t.same(await statusesOf(service, ids), ['V', 'V', 'B', 'B', 'E']);
    await service.work();
    t.same(await statusesOf(service, ids), ['OK', 'OK', 'B', 'B', 'E']);
    service.clock.advance(30 * 86_400_000);
    await service.work();
    t.same(
      sink.mails.map(({ envelope }) => envelope.to[0]).sort(),
      [address(0), address(1)],
      'nothing leaves from B or E, however long',
    );
    t.match(await read(service, third), { reason: 'blocked_by_user', reasonText: String });

    await act(service, 'validate', [third]);
    await service.work();
    t.same(await statusesOf(service, ids), ['OK', 'OK', 'OK', 'B', 'E']);
    t.equal(mailsTo(sink, address(2)).length, 1);
    t.same([...mailsTo(sink, address(3)), ...mailsTo(sink, address(4))], []);
    t.equal((await read(service, fifth)).status, 'E');
  },
);

t.test('W9 · validated rows leave one after the other, at the rhythm of the robot', async (t) => {
  const { service, sink } = await startBroker(t, { archiveBcc: [], rhythm: { waitAfterSendMs: 800 } });
  const ids = await edit(
    service,
    [0, 1, 2, 3].map((n) => client(n)),
  );
  await act(service, 'validate', ids);
  await service.work();
  t.equal(sink.mails.length, 4);
  const times = await Promise.all(ids.map(async (id) => Date.parse((await read(service, id)).sentAt)));
  const gaps = times
    .sort((left, right) => left - right)
    .slice(1)
    .map((time, index) => time - (times[index] ?? 0));
  t.ok(
    gaps.every((gap) => gap >= 800),
    `sent ${gaps.join(', ')} ms apart`,
  );
});

t.test('W9 · a validated row that has not left can still be blocked', async (t) => {
  const { service, sink } = await startBroker(t, { archiveBcc: [] });
  const ids = await edit(service, [client(0), client(1)]);
  await act(service, 'validate', ids);
  await act(service, 'block', ids.slice(0, 1));
  await service.work();
  t.same(await statusesOf(service, ids), ['B', 'OK']);
  t.same(mailsTo(sink, address(0)), []);
});

t.test('W9 · rows are selected by filter as well: all that match, and only in a status that can move', async (t) => {
  const { service, sink } = await startBroker(t, { archiveBcc: [] });
  const ids = await edit(
    service,
    [0, 1, 2].map((n) => client(n)),
  );
  const others = await edit(service, [client(3)], { requestedBy: { user: 'pdurand' } });
  const filter = { 'requestedBy.user': 'mmartin' };
  const post = (action: string, body: object) => done(service.inject('POST', `/v1/messages/${action}`, { body }));
  t.match(await post('block', { filter: { ...filter, address: address(1) } }), { matched: 1, done: 1 });
  t.match(await post('validate', { filter: { ...filter, status: ['E'] } }), { matched: 2, done: 2, refused: [] });
  await service.work();
  t.same(await statusesOf(service, [...ids, ...others]), ['OK', 'B', 'OK', 'E']);
  t.match(await post('validate', { filter }), { matched: 0, done: 0 }, 'without a status, no blocked one is revived');
  t.match(await post('validate', { filter: { ...filter, status: ['B'] } }), { matched: 1, done: 1 });
  t.match(await post('block', { filter: { 'requestedBy.user': 'mmartin', status: ['OK'] } }), { matched: 0, done: 0 });
  await service.work();
  t.same(await statusesOf(service, [...ids, ...others]), ['OK', 'OK', 'OK', 'E']);
  t.equal(sink.mails.length, 3);
});

t.test('W9 · each row that cannot move is told with its status, and the others move', async (t) => {
  const { service } = await startBroker(t);
  const ids = await edit(
    service,
    [0, 1, 2].map((n) => client(n)),
  );
  const [sent = '', blocked = '', waiting = ''] = ids;
  await act(service, 'validate', [sent]);
  await service.work();
  await act(service, 'block', [blocked]);
  const refused = (id: string, status: string) => [{ id, code: 'illegal_move', status }];
  t.match(await act(service, 'block', [sent, waiting]), { matched: 2, done: 1, refused: refused(sent, 'OK') });
  t.match(await act(service, 'validate', [sent, blocked]), { matched: 2, done: 1, refused: refused(sent, 'OK') });
  t.match(await act(service, 'resend', [waiting]), { done: 0, refused: refused(waiting, 'B') });
  const nobody = '0198c0de-0000-7000-8000-000000000001';
  t.match(await act(service, 'validate', [nobody]), { done: 0, refused: [{ id: nobody, code: 'not_found' }] });
});

t.test('W9 · who moved a row, when and why is kept', async (t) => {
  const { service } = await startBroker(t);
  const [id = ''] = await edit(service, [client(0)]);
  const as = (user: string) => ({ 'on-behalf-of': user });
  const path = `/v1/messages/${id}`;
  await done(service.inject('POST', `${path}/block`, { body: { reason: 'Montant à revoir' }, headers: as('mmartin') }));
  service.clock.advance(60_000);
  await done(service.inject('POST', `${path}/validate`, { body: { reason: 'Montant vu' }, headers: as('pdurand') }));
  const { items } = await done(service.inject('GET', `${path}/transitions`));
  t.match(items, [
    { from: null, to: 'E' },
    { from: 'E', to: 'B', reason: 'blocked_by_user', remark: 'Montant à revoir', actor: { user: 'mmartin' } },
    { from: 'B', to: 'V', remark: 'Montant vu', actor: { user: 'pdurand' }, at: service.clock.now().toISOString() },
  ]);
});
