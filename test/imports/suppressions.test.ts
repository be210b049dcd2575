import t from 'tap';
import { makeNotices } from '../http/notices.ts';
import { startService } from '../support/service.ts';
import { importFile } from './import-service.ts';

t.setTimeout(600_000);

const path = '/v1/suppressions/import';

t.test('a file of addresses is suppressed, and what waits for them is blocked', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeNotices(service);
  const [waiting = '', ready = '', other = ''] = await notices.send([
    'Anna@Courriel.example',
    'bob@courriel.example',
    'eve@courriel.example',
  ]);
  await inject('POST', `/v1/messages/${ready}/validate`, { body: {} });
  await inject('POST', '/v1/suppressions', { body: { address: 'deja@courriel.example', cause: 'complaint' } });
  const file = [
    'address;cause;since;note',
    'anna@courriel.example;bounce;2026-03-02T08:00:00+01:00;Boîte pleine',
    'BOB@courriel.example;manual;;',
    'deja@courriel.example;manual;;autre cause',
    'bob@courriel.example;bounce;;',
    'pas une adresse;manual;;',
    'demain@courriel.example;manual;2026-12-24T00:00:00Z;',
    'rien@courriel.example;;;',
    'autre@courriel.example;ennui;;',
  ].join('\r\n');
  const done = await importFile(service, file, { path });
  t.match(done, {
    kind: 'import',
    status: 'done',
    done: 8,
    succeeded: 4,
    refusedCount: 4,
    import: { created: 2, changed: 0, unchanged: 2 },
    refused: [
      { row: 6, pointer: '/address', code: 'address_invalid' },
      { row: 7, pointer: '/since', code: 'in_future' },
      { row: 8, pointer: '/cause', code: 'required' },
      { row: 9, pointer: '/cause', code: 'not_allowed' },
    ],
  });
  const statusOf = async (id: string) => {
    const { status, reason } = (await inject('GET', `/v1/messages/${id}`)).body;
    return [status, reason];
  };
  t.same(await statusOf(waiting), ['B', 'suppressed']);
  t.same(await statusOf(ready), ['B', 'suppressed']);
  t.same(await statusOf(other), ['E', null]);
  const { items } = (await inject('GET', '/v1/suppressions')).body;
  const brief = items.map(({ address, cause, since, note }: Record<string, unknown>) => ({
    address,
    cause,
    since,
    note,
  }));
  t.same(
    brief.sort((left: { address: string }, right: { address: string }) => (left.address < right.address ? -1 : 1)),
    [
      { address: 'anna@courriel.example', cause: 'bounce', since: '2026-03-02T07:00:00.000Z', note: 'Boîte pleine' },
      { address: 'bob@courriel.example', cause: 'manual', since: service.clock.now().toISOString(), note: null },
      { address: 'deja@courriel.example', cause: 'complaint', since: service.clock.now().toISOString(), note: null },
    ],
  );
  const events = (await inject('GET', '/v1/events')).body.items;
  const told = events.filter(({ type }: { type: string }) => type === 'suppression.created');
  t.same(told.map(({ data }: { data: { blocked: number } }) => data.blocked).sort(), [0, 1, 1]);
  const again = await importFile(service, file, { path });
  t.match(again, { import: { created: 0, unchanged: 4 } });
});

t.test('addresses also come as NDJSON, and by columns that are known', async (t) => {
  const service = await startService(t);
  const lines = '{"address":"a@b.test","cause":"manual"}\n{"address":"c@d.test","cause":"manual","since":5}\n';
  t.match(await importFile(service, lines, { path, type: 'application/x-ndjson' }), {
    import: { created: 1 },
    refused: [{ row: 2, line: 2, pointer: '/since', code: 'wrong_type' }],
  });
  t.match(await importFile(service, 'address;raison\n', { path }), {
    code: 'unprocessable',
    errors: [
      { pointer: '/raison', code: 'column_unknown' },
      { pointer: '/cause', code: 'column_missing' },
    ],
  });
  const many = Array.from({ length: 3_000 }, (_, index) => `p${index}@courriel.example;bounce\n`).join('');
  const first = importFile(service, `address;cause\n${many}`, { path });
  const second = importFile(service, `address;cause\n${many}`, { path });
  const counts = await Promise.all([first, second]);
  t.equal(counts[0].import.created + counts[1].import.created, 3_000, 'two at once make each of them once');
});

t.test('blanks that spreadsheets leave around cells are no part of them', async (t) => {
  const service = await startService(t);
  const file = [
    'address;cause;channel;since;note',
    ' anna@courriel.example ;bounce;;2026-03-05;',
    'bob@courriel.example\u00a0; manual\u202f;\u00a0mail;2026-03-02T08:00:00Z ; vu ',
    '\u00a0;bounce;;;',
  ].join('\n');
  const done = await importFile(service, file, { path });
  t.match(done, { import: { created: 2 }, refused: [{ row: 4, pointer: '/address', code: 'required' }] });
  const { items } = (await service.inject('GET', '/v1/suppressions')).body;
  t.match(
    items.toSorted((left: { address: string }, right: { address: string }) => (left.address < right.address ? -1 : 1)),
    [
      { address: 'anna@courriel.example', cause: 'bounce', channel: 'mail', since: '2026-03-05T00:00:00.000Z' },
      { address: 'bob@courriel.example', cause: 'manual', channel: 'mail', note: ' vu ' },
    ],
  );
});
