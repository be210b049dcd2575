import t from 'tap';
import { startService } from '../support/service.ts';
import { makeNotices } from './notices.ts';

t.setTimeout(600_000);

const anna = 'anna@courriel.example';

/** Reads CSV as RFC 4180 has it. */
function parseCsv(text: string, separator: string): Record<string, string>[] {
  const lines: string[][] = [[]];
  for (const [, cell = '', end] of text.matchAll(
    new RegExp(`("(?:[^"]|"")*"|[^${separator}\\r\\n]*)(${separator}|\\r\\n)`, 'g'),
  )) {
    lines.at(-1)?.push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
    if (end !== separator) lines.push([]);
  }
  const [head = [], ...rows] = lines.slice(0, -1);
  return rows.map((row) => Object.fromEntries(head.map((name, column) => [name, row[column] ?? ''])));
}

t.test('the journals of what was sent and of what failed are two exports (W12)', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeNotices(service);
  const context = { type: 'dossier', ref: '=2+3' };
  const requestedBy = { user: 'mmartin', osUser: '@mmartin', workstation: 'POSTE-12' };
  const options = { context, requestedBy, validation: 'automatic' };
  const [sent = '', failed = ''] = await notices.send([anna, 'pas une adresse'], options);
  await notices.correct(failed, { remark: 'Ligne 1\nLigne "2"; fin' });
  await service.work();

  const journal = async (body: object) => {
    const accepted = await inject('POST', '/v1/exports', { body: { kind: 'messages', ...body } });
    t.match(accepted, { status: 202, body: { status: 'queued' } });
    const path = `/v1/exports/${accepted.body.operation}`;
    t.equal(accepted.headers.location, path);
    t.match(await inject('GET', `${path}/content`), {
      status: 409,
      body: { code: 'not_finished', currentStatus: 'queued' },
    });
    await service.work();
    t.match(await inject('GET', path), {
      status: 200,
      body: { kind: 'export', status: 'done', total: 1, done: 1, refusedCount: 0 },
    });
    return inject('GET', `${path}/content`);
  };

  const ok = await journal({ filter: { status: ['OK'] }, format: 'csv' });
  t.match(ok.headers, {
    'content-type': 'text/csv; charset=utf-8',
    'content-disposition': /^attachment; filename=".*\.csv"$/,
  });
  t.same([...ok.raw.subarray(0, 3)], [0xef, 0xbb, 0xbf], 'UTF-8 is said, for French spreadsheets');
  const text = ok.raw.subarray(3).toString('utf8');
  t.match(text, /^id;status;/);
  t.notOk(/[^\r]\n/.test(text), 'every line ends with CRLF');
  t.match(parseCsv(text, ';'), [
    {
      id: sent,
      status: 'OK',
      toAddress: anna,
      subject: 'Échéance C-0',
      contextRef: "'=2+3",
      requestedByUser: 'mmartin',
      requestedByOsUser: "'@mmartin",
      template: 'avis',
      sentAt: '2026-11-22T09:00:00.000Z',
      reason: '',
    },
  ]);

  const ko = await journal({ filter: { status: ['KO'] }, format: 'csv', separator: ',' });
  t.match(parseCsv(ko.raw.subarray(3).toString('utf8'), ','), [
    {
      id: failed,
      status: 'KO',
      reason: 'address_invalid',
      remark: 'Ligne 1\nLigne "2"; fin',
      toAddress: 'pas une adresse',
      sentAt: '',
    },
  ]);

  const lines = await journal({ filter: { status: ['KO'] }, format: 'ndjson' });
  t.match(lines.headers['content-type'], 'application/x-ndjson');
  t.match(
    JSON.parse(lines.raw.toString('utf8').trimEnd()),
    { id: failed, contextRef: '=2+3', sentAt: null },
    'as it is',
  );
});

t.test('an export is written in pages, oldest first, and takes what existed when it was asked for', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeNotices(service, { outbox: false });
  const ids = await notices.send(Array.from({ length: 2_500 }, (_, index) => `client-${index}@courriel.example`));
  const body = { kind: 'messages', filter: { template: 'avis' }, format: 'ndjson' };
  const { operation } = (await inject('POST', '/v1/exports', { body })).body;
  service.clock.advance(1_000);
  await notices.send(['later@courriel.example']);
  await service.work();
  const headers = { authorization: `Bearer ${service.tenant.key}` };
  const content = await service.app.inject({ url: `/v1/exports/${operation}/content`, headers });
  const rows = content.body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.same(
    rows.map(({ id }) => id),
    [...ids].sort(),
  );
});

t.test('an export of nothing has its header', async (t) => {
  const service = await startService(t);
  const body = { kind: 'messages', filter: { status: ['OK'] }, format: 'csv' };
  const { operation } = (await service.inject('POST', '/v1/exports', { body })).body;
  await service.work();
  t.match(await service.inject('GET', `/v1/exports/${operation}`), { body: { status: 'done', total: 0, done: 0 } });
  t.match(
    (await service.inject('GET', `/v1/exports/${operation}/content`)).raw.toString('utf8'),
    /^\uFEFFid;[^\n]*\r\n$/,
  );
});

t.test('an export is of its tenant, and of test messages for a test key', async (t) => {
  const service = await startService(t);
  const { inject, tenant } = service;
  const notices = await makeNotices(service);
  await notices.send([anna]);
  const body = { kind: 'messages', filter: { template: 'avis' }, format: 'ndjson' };
  const { operation } = (await inject('POST', '/v1/exports', { body })).body;
  const tested = (await inject('POST', '/v1/exports', { body, key: tenant.testKey })).body.operation;
  await service.work();
  t.equal((await inject('GET', `/v1/exports/${tested}/content`, { key: tenant.testKey })).raw.length, 0);
  const other = await service.addTenant('Autre');
  for (const key of [other.key, tenant.testKey]) {
    for (const view of ['', '/content']) {
      t.equal((await inject('GET', `/v1/exports/${operation}${view}`, { key })).status, 404);
    }
  }
  for (const wrong of [{}, { ...body, format: 'xlsx' }, { ...body, filter: {} }, { ...body, separator: '\t' }]) {
    t.match(await inject('POST', '/v1/exports', { body: wrong }), { status: 400, body: { code: 'invalid_body' } });
  }
});
