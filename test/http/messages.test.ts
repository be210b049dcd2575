import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { startService } from '../support/service.ts';
import { makeNotices } from './notices.ts';

const anna = 'anna.lefevre@courriel.example';
const bruno = 'bruno@courriel.example';

t.test('messages are found by every filter (W7)', async (t) => {
  const service = await startService(t);
  const { inject, clock } = service;
  const notices = await makeNotices(service);
  const [first = ''] = await notices.send([anna], {
    context: { type: 'dossier', ref: 'D-1' },
    requestedBy: { user: 'mmartin', osUser: 'COURTAGE\\mmartin', workstation: 'POSTE-12' },
    editedAt: '2026-11-20T10:00:00Z',
    origin: 'edition',
  });
  clock.advance(60_000);
  const [second = ''] = await notices.send([bruno], { validation: 'automatic' });
  await service.work();
  const sent = (await notices.message(second)).body;
  t.match(sent, { status: 'OK', delivery: 'sent' });

  const found = async (query: string) => {
    const answer = await inject('GET', `/v1/messages?${query}`);
    t.equal(answer.status, 200, `${query} ${answer.status === 200 ? '' : JSON.stringify(answer.body)}`);
    return answer.body.items.map(({ id }: { id: string }) => id);
  };
  const onlyFirst = [
    'status=E',
    'context=D-1&contextType=dossier',
    'address=anna.lefevre@COURRIEL.example',
    'requestedBy.user=mmartin',
    `requestedBy.osUser=${encodeURIComponent('COURTAGE\\mmartin')}`,
    'requestedBy.workstation=POSTE-12',
    'editedFrom=2026-11-20T00:00:00Z&editedTo=2026-11-21T00:00:00Z',
    'createdTo=2026-11-22T09:00:30Z',
    'origin=edition',
  ];
  for (const query of onlyFirst) t.same(await found(query), [first], query);
  const onlySecond = [
    'status=OK',
    'createdFrom=2026-11-22T09:00:30Z',
    'sentFrom=2026-11-22T09:00:00Z&sentTo=2026-11-23T00:00:00Z',
    `address=${bruno}`,
    `sendRequest=${sent.sendRequest}`,
  ];
  for (const query of onlySecond) t.same(await found(query), [second], query);
  for (const query of ['', 'status=E&status=OK', 'channel=mail', 'template=avis', 'test=false']) {
    t.same(await found(query), [second, first], `newest first: ${query}`);
  }
  t.same(await found(`template=${notices.template.id}`), [second, first]);
  for (const query of ['status=B', 'reason=expired', 'template=other', 'recipient=external:client:C-1', 'test=true']) {
    t.same(await found(query), [], query);
  }
  t.same((await inject('GET', '/v1/messages', { key: service.tenant.testKey })).body.items, [], 'a test key sees none');
});

t.test('a filter that is wrong, or a cursor that was changed, is refused', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  await notices.send([anna, bruno]);
  for (const query of [
    'status=X',
    'status=E&status=E',
    'sendRequest=1',
    'createdFrom=2026-02-30T00:00:00Z',
    'colour=red',
    'limit=251',
  ]) {
    t.match(
      await service.inject('GET', `/v1/messages?${query}`),
      { status: 400, body: { code: 'invalid_query' } },
      query,
    );
  }
  const page = (await service.inject('GET', '/v1/messages?limit=1')).body;
  t.equal(page.items.length, 1);
  const next = (await service.inject('GET', `/v1/messages?limit=1&cursor=${page.nextCursor}`)).body;
  t.not(next.items[0].id, page.items[0].id);
  t.equal(next.nextCursor, null);
  t.match(await service.inject('GET', `/v1/messages?cursor=A${page.nextCursor}`), {
    status: 400,
    body: { code: 'invalid_cursor' },
  });
});

t.test('a message shows everything about it, in the language of the reader (W8)', async (t) => {
  const service = await startService(t, { config: { safeRecipientEmail: 'recette@courtage.example' } });
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send([anna]);
  const answer = await notices.message(id);
  t.match(answer, { status: 200, headers: { etag: '"1"' } });
  t.match(answer.body, {
    status: 'E',
    delivery: 'none',
    to: { address: anna, name: 'Client 0' },
    subject: 'Échéance C-0',
    data: { nom: 'Client 0', contrat: 'C-0' },
    overrides: {},
    redirectedTo: 'recette@courtage.example',
    contentHash: /^[0-9a-f]{64}$/,
  });
  await notices.act(id, 'block', { reason: 'Doublon' });
  const french = await service.inject('GET', `/v1/messages/${id}`, { headers: { 'accept-language': 'fr' } });
  t.match(french.body, { status: 'B', reasonText: 'Une personne l’a bloqué.', remark: 'Doublon' });
  t.match((await notices.message(id)).body, { reasonText: 'A person blocked it.' });

  const [other = ''] = await notices.send([anna]);
  await notices.correct(other, { remark: 'Ne pas rappeler' });
  await notices.act(other, 'block', { reason: 'Doublon' });
  t.match(
    (await notices.message(other)).body,
    { status: 'B', remark: 'Ne pas rappeler' },
    'a remark that is there stays',
  );
  const moves = (await service.inject('GET', `/v1/messages/${other}/transitions`)).body.items;
  t.match(moves.at(-1), { to: 'B', remark: 'Doublon' }, 'the reason is kept with the move');
});

t.test('a message of another tenant, of a live key for a test key, or none at all, is not found', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send([anna]);
  const other = await service.addTenant('Autre');
  const nowhere = '019c0000-0000-7000-8000-000000000000';
  const views = ['', '/preview', '/preview.html', '/preview.txt', '/preview.eml', '/transitions', '/attempts'];
  for (const view of views) {
    const missing = await service.inject('GET', `/v1/messages/${nowhere}${view}`);
    t.match(missing, { status: 404, body: { code: 'not_found' } });
    for (const key of [other.key, service.tenant.testKey]) {
      const answer = await service.inject('GET', `/v1/messages/${id}${view}`, { key });
      t.same({ ...answer.body, instance: '' }, { ...missing.body, instance: '' }, `${view}: the same body`);
    }
  }
  for (const key of [other.key, service.tenant.testKey]) {
    t.equal((await service.inject('POST', `/v1/messages/${id}/validate`, { key, body: {} })).status, 404);
    const bulk = await service.inject('POST', '/v1/messages/validate', { key, body: { ids: [id] } });
    t.match(bulk.body, { matched: 1, done: 0, refused: [{ id, code: 'not_found' }] });
  }
});

t.test('the previews are what will leave, and a browser runs nothing of them (W8)', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send([anna]);
  const view = (name: string) => service.inject('GET', `/v1/messages/${id}/${name}`);
  const json = await view('preview');
  t.match(json.body, {
    subject: 'Échéance C-0',
    text: /Bonjour Client 0/,
    html: /<p>Bonjour Client 0/,
    contentHash: (await notices.message(id)).body.contentHash,
    redirectedTo: null,
  });
  const html = await view('preview.html');
  t.match(html.headers, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    'x-content-type-options': 'nosniff',
  });
  t.equal(html.raw.toString('utf8'), json.body.html);
  const text = await view('preview.txt');
  t.match(text.headers, { 'content-type': 'text/plain; charset=utf-8' });
  t.equal(text.raw.toString('utf8'), json.body.text);
  const mail = await view('preview.eml');
  t.match(mail.headers, { 'content-type': 'message/rfc822' });
  t.match(mail.raw.toString('latin1'), /^From: Gestion <gestion@courtage\.example>\r$/m);
  t.match(mail.raw.toString('latin1'), new RegExp(`Message-ID: <${id}\\.`, 'i'));

  const [bad = ''] = await notices.send(['pas une adresse']);
  t.match((await notices.message(bad)).body, { status: 'KO', reason: 'address_invalid' });
  t.match(await service.inject('GET', `/v1/messages/${bad}/preview.html`), {
    status: 409,
    body: { code: 'cannot_be_sent', reason: 'address_invalid' },
  });
});

t.test('the preview of the whole mail is byte for byte what leaves, the Date header aside (W8)', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send([anna]);
  const seen = (await service.inject('GET', `/v1/messages/${id}/preview.eml`)).raw;
  service.clock.advance(3_600_000);
  await notices.act(id, 'validate');
  await service.work();
  const outbox = join(service.directory, 'outbox', 'mail');
  const [file = ''] = await readdir(outbox);
  const left = await readFile(join(outbox, file));
  const dateless = (mail: Buffer) => mail.toString('latin1').replace(/^Date: .*\r\n/m, '');
  t.equal(dateless(left), dateless(seen));
  t.not(left.toString('latin1'), seen.toString('latin1'), 'the Date header is that of the sending');
});

t.test('moves and tries are kept, oldest first', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send([anna]);
  const onBehalf = { 'on-behalf-of': 'mmartin' };
  t.equal((await notices.act(id, 'block', { reason: 'À vérifier' }, onBehalf)).status, 200);
  t.equal((await notices.act(id, 'validate', {}, onBehalf)).status, 200);
  await service.work();
  const moves = (await service.inject('GET', `/v1/messages/${id}/transitions`)).body;
  t.match(moves, {
    items: [
      { from: null, to: 'E' },
      { from: 'E', to: 'B', reason: 'blocked_by_user', remark: 'À vérifier', actor: { kind: 'key', user: 'mmartin' } },
      { from: 'B', to: 'V', actor: { kind: 'key', user: 'mmartin' } },
      { from: 'V', to: 'OK', actor: { kind: 'service', keyId: null, user: null } },
    ],
    nextCursor: null,
  });
  const first = (await service.inject('GET', `/v1/messages/${id}/transitions?limit=3`)).body;
  const rest = (await service.inject('GET', `/v1/messages/${id}/transitions?limit=3&cursor=${first.nextCursor}`)).body;
  t.same([...first.items, ...rest.items], moves.items);
  t.match((await service.inject('GET', `/v1/messages/${id}/attempts`)).body, {
    items: [{ number: 1, outcome: 'accepted', finishedAt: String, copies: [] }],
  });
});

t.test('a message is corrected with the ETag that was read (W11)', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send(['pas une adresse']);
  const path = `/v1/messages/${id}`;
  const read = await notices.message(id);
  const change = { to: { address: anna }, remark: 'Adresse corrigée' };
  const ifMatch = { 'if-match': String(read.headers.etag) };
  t.match(await service.inject('PATCH', path, { body: change }), { status: 428 });
  t.match(await service.inject('PATCH', path, { body: { to: { address: 'x@y@z' } }, headers: ifMatch }), {
    status: 422,
    body: { errors: [{ pointer: '/to/address', code: 'address_invalid' }] },
  });
  const corrected = await service.inject('PATCH', path, { body: change, headers: ifMatch });
  t.match(corrected, {
    status: 200,
    body: { status: 'KO', to: { address: anna }, remark: 'Adresse corrigée', contentHash: String },
  });
  t.equal((await service.inject('PATCH', path, { body: change, headers: ifMatch })).status, 412);
  t.equal((await notices.act(id, 'resend')).status, 200);
  await service.work();
  t.match((await notices.message(id)).body, { status: 'OK' });
});

t.test('a correction makes a new content, of literal text, and approves nothing that was seen before', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send([anna]);
  const before = (await notices.message(id)).body;
  const corrected = await notices.correct(id, { subject: 'Prix {{ nom }}', data: { contrat: 'C-9' } });
  t.match(corrected.body, { subject: 'Prix {{ nom }}', data: { nom: 'Client 0', contrat: 'C-9' } });
  t.not(corrected.body.contentHash, before.contentHash);
  t.not(corrected.body.messageIdentifier, before.messageIdentifier);
  t.match((await notices.act(id, 'validate', { contentHash: before.contentHash })).body, {
    code: 'content_changed',
    currentStatus: 'E',
  });
  t.equal((await notices.act(id, 'validate', { contentHash: corrected.body.contentHash })).status, 200);
  for (const body of [{}, { colour: 'red' }, { subject: 'a\r\nBcc: x@y.example' }, { to: {} }]) {
    t.match(await notices.correct(id, body), { status: 400, body: { code: 'invalid_body' } });
  }
});

t.test('pages stay as they were while messages are added, and a cursor is good for its own list only', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeNotices(service);
  const ids = await notices.send(Array.from({ length: 7 }, (_, index) => `client-${index}@courriel.example`));
  const seen: string[] = [];
  let cursor: string | null = '';
  for (let page = 0; page < 10 && cursor !== null; page += 1) {
    const answer = await inject('GET', `/v1/messages?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
    seen.push(...answer.body.items.map(({ id }: { id: string }) => id));
    cursor = answer.body.nextCursor;
    service.clock.advance(1_000);
    await notices.send([anna]);
  }
  t.same(seen, [...ids].sort().reverse(), 'each once, newest first, none that came later');
  const foreign = (await inject('GET', '/v1/audit-entries?limit=1')).body.nextCursor;
  const own = (await inject('GET', '/v1/messages?limit=1')).body.nextCursor;
  const [position, signature] = own.split('~');
  const forged = Buffer.from('019c0000-0000-7000-8000-000000000000').toString('base64url');
  for (const wrong of [
    foreign,
    position,
    `${forged}~${signature}`,
    `${position}~`,
    `~${signature}`,
    'x',
    "'%20or%201=1",
  ]) {
    t.match(
      await inject('GET', `/v1/messages?cursor=${wrong}`),
      { status: 400, body: { code: 'invalid_cursor' } },
      wrong,
    );
  }
});
