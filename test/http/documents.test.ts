import { createHash } from 'node:crypto';
import t from 'tap';
import { deleteUnusedDocuments, findDocuments, loadContents, useDocuments } from '../../src/documents/store.ts';
import { startService } from '../support/service.ts';

type Service = Awaited<ReturnType<typeof startService>>;

const pdf = (text = 'avis') => Buffer.from(`%PDF-1.7\n% ${text}\n%%EOF\n`);

interface Part {
  name?: string;
  disposition?: string;
  filename?: string;
  mediaType?: string;
  content?: Buffer;
}

/** A multipart body by hand, so that what no client would send can be sent. */
function multipart(parts: Part[]): { payload: Buffer; headers: Record<string, string> } {
  const boundary = 'part-of-the-test';
  const pieces = parts.flatMap(
    ({ name = 'file', filename = 'avis.pdf', mediaType = 'application/pdf', content = pdf(), ...part }) => {
      const disposition = part.disposition ?? `form-data; name="${name}"; filename="${filename}"`;
      const head = `--${boundary}\r\nContent-Disposition: ${disposition}\r\nContent-Type: ${mediaType}\r\n\r\n`;
      return [Buffer.from(head), content, Buffer.from('\r\n')];
    },
  );
  const payload = Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]);
  return { payload, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } };
}

async function send({ app, tenant }: Service, payload: Buffer, headers: Record<string, string>) {
  const answer = await app.inject({
    method: 'POST',
    url: '/v1/documents',
    headers: { authorization: `Bearer ${tenant.key}`, ...headers },
    payload,
  });
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() };
}

function upload(service: Service, part: Part = {}, headers: Record<string, string> = {}) {
  const form = multipart([part]);
  return send(service, form.payload, { ...form.headers, ...headers });
}

t.test('an upload is read again byte for byte, under its name', async (t) => {
  const service = await startService(t);
  const created = await upload(service, { filename: "Échéance d'été (1).pdf" });
  t.equal(created.status, 201);
  const sha256 = createHash('sha256').update(pdf()).digest('hex');
  t.match(created.body, {
    filename: "Échéance d'été (1).pdf",
    mediaType: 'application/pdf',
    size: pdf().length,
    sha256,
  });
  t.equal(created.headers.location, `/v1/documents/${created.body.id}`);
  t.same((await service.inject('GET', `/v1/documents/${created.body.id}`)).body, created.body);
  const content = await service.app.inject({
    url: `/v1/documents/${created.body.id}/content`,
    headers: { authorization: `Bearer ${service.tenant.key}` },
  });
  t.same(content.rawPayload, pdf());
  t.match(content.headers, {
    'content-type': 'application/pdf',
    'x-content-type-options': 'nosniff',
    'content-disposition': `attachment; filename="_ch_ance d__t_ _1_.pdf"; filename*=UTF-8''%C3%89ch%C3%A9ance%20d%27%C3%A9t%C3%A9%20%281%29.pdf`,
  });
});

t.test('the same content is kept once; each upload is a document of its own', async (t) => {
  const service = await startService(t);
  const [first, second] = await Promise.all([upload(service), upload(service, { filename: 'autre.pdf' })]);
  t.notSame(first.body.id, second.body.id);
  t.equal(first.body.sha256, second.body.sha256);
  const contents = await loadContents(service.runtime.db, service.tenant.id, [first.body.sha256, 'none']);
  t.same([...contents], [[first.body.sha256, pdf()]]);
});

t.test('a repeat with the same Idempotency-Key is the same document', async (t) => {
  const service = await startService(t);
  const headers = { 'idempotency-key': 'upload-1' };
  const first = await upload(service, {}, headers);
  const again = await upload(service, {}, headers);
  t.same(again.body, first.body);
  t.equal(again.headers['idempotency-replayed'], 'true');
  t.match(await upload(service, { content: pdf('other') }, headers), {
    status: 422,
    body: { code: 'idempotency_key_reused' },
  });
});

t.test('a media type is allowed, and is what the first bytes say', async (t) => {
  const service = await startService(t);
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
    'base64',
  );
  t.match(await upload(service, { content: png, mediaType: 'image/png' }), { status: 201 });
  const csv = { content: Buffer.from('\ufeffnom;montant\r\nÉlodie;12,50\r\n'), mediaType: 'text/csv; charset=utf-8' };
  t.match(await upload(service, csv), { status: 201, body: { mediaType: 'text/csv' } });
  const refused: [Part, string][] = [
    [{ mediaType: 'image/png' }, 'media_type_mismatch'],
    [{ content: png }, 'media_type_mismatch'],
    [{ content: Buffer.from('MZ\u0000\u0001'), mediaType: 'text/plain' }, 'media_type_mismatch'],
    [{ content: Buffer.from('caf\xe9', 'latin1'), mediaType: 'text/plain' }, 'media_type_mismatch'],
    [{ mediaType: 'text/plain' }, 'media_type_mismatch'],
    [
      { content: Buffer.from('PK\u0003\u0004broken'), mediaType: 'application/vnd.oasis.opendocument.text' },
      'media_type_mismatch',
    ],
    [{ mediaType: 'application/octet-stream' }, 'media_type_not_allowed'],
    [{ content: Buffer.from('<script>'), mediaType: 'text/html' }, 'media_type_not_allowed'],
  ];
  for (const [part, code] of refused) {
    const { status, body } = await upload(service, part);
    t.match(
      { status, body },
      { status: 422, body: { code: 'document_invalid', errors: [{ pointer: '/file', code }] } },
      code,
    );
  }
});

t.test('empty and too large files are refused; the limit is the tenant’s', async (t) => {
  const service = await startService(t);
  t.match(await upload(service, { content: Buffer.alloc(0) }), { status: 422, body: { errors: [{ code: 'empty' }] } });
  await service.inject('PATCH', '/v1/tenant', { body: { documentMaxBytes: 100 }, headers: { 'if-match': '*' } });
  const exact = Buffer.concat([pdf(), Buffer.alloc(100 - pdf().length, 'x')]);
  t.equal((await upload(service, { content: exact })).status, 201);
  // One byte too many is found while reading; far too many by the length that is announced.
  for (const extra of [1, 100_000]) {
    const { status, body } = await upload(service, { content: Buffer.concat([exact, Buffer.alloc(extra)]) });
    t.match({ status, body }, { status: 422, body: { code: 'document_invalid', errors: [{ code: 'too_large' }] } });
  }
});

t.test('names with paths, control characters or direction marks are refused, never repaired', async (t) => {
  const service = await startService(t);
  const names = [
    '../../etc/passwd',
    'c:\\temp\\x.pdf',
    'a\tb.pdf',
    'exe.\u202efdp',
    '\u2066a.pdf',
    '..',
    ' ',
    'x'.repeat(201),
    'a%0D%0Ab.pdf',
  ];
  for (const filename of names) {
    const { status, body } = await upload(service, { filename });
    t.match(
      { status, body },
      { status: 422, body: { errors: [{ code: 'filename_invalid' }] } },
      JSON.stringify(filename),
    );
  }
  for (const extended of ["UTF-8''a%0D%0Ab.pdf", "UTF-8''a%00b.pdf", "UTF-8''%2E%2E%2Fa.pdf", "UTF-8''%ff.pdf"]) {
    const { status } = await upload(service, { disposition: `form-data; name="file"; filename*=${extended}` });
    t.ok(status === 400 || status === 422, `${extended}: ${status}`);
  }
});

t.test('what is not one file in a whole multipart body is refused', async (t) => {
  const service = await startService(t);
  const two = multipart([{}, {}]);
  const named = multipart([{ name: 'other' }]);
  const field = multipart([{ disposition: 'form-data; name="file"', mediaType: 'text/plain' }]);
  const prototype = multipart([{ name: '__proto__' }]);
  const whole = multipart([{}]);
  const bodies: [string, Buffer, Record<string, string>][] = [
    ['two files', two.payload, two.headers],
    ['another name', named.payload, named.headers],
    ['a field', field.payload, field.headers],
    ['__proto__', prototype.payload, prototype.headers],
    ['none', Buffer.from('--part-of-the-test--\r\n'), whole.headers],
    ['nothing', Buffer.alloc(0), whole.headers],
    ['cut', whole.payload.subarray(0, -30), whole.headers],
    ['noise', Buffer.from('noise'), whole.headers],
    ['no boundary', whole.payload, { 'content-type': 'multipart/form-data' }],
  ];
  for (const [what, payload, headers] of bodies) {
    const { status, body } = await send(service, payload, headers);
    t.match({ status, body }, { status: 400, body: { code: 'invalid_body' } }, what);
  }
  t.equal((await send(service, Buffer.from('{}'), { 'content-type': 'application/json' })).status, 415);
  t.equal((await send(service, pdf(), { 'content-type': 'application/pdf' })).status, 415);
});

t.test('an unused upload expires, a used one stays, with its content', async (t) => {
  const service = await startService(t);
  const { runtime, tenant } = service;
  const used = (await upload(service)).body;
  const twin = (await upload(service)).body;
  const alone = (await upload(service, { content: pdf('alone') })).body;
  const found = await runtime.db.transaction((tx) => useDocuments(tx, runtime, tenant.id, [used.id, 'nonsense']));
  t.same([...found.keys()], [used.id]);
  const soon = new Date(runtime.clock.now().getTime() + 1_000);
  t.equal(await deleteUnusedDocuments(runtime.db, soon, 100), 2);
  t.same([...(await findDocuments(runtime.db, tenant.id, [used.id, twin.id, alone.id])).keys()], [used.id]);
  t.same([...(await loadContents(runtime.db, tenant.id, [used.sha256, alone.sha256])).keys()], [used.sha256]);
  t.equal((await service.inject('GET', `/v1/documents/${alone.id}/content`)).status, 404);
});

t.test('clearing away beside uploads and uses loses no content', async (t) => {
  const service = await startService(t);
  const { runtime, tenant } = service;
  const later = new Date(runtime.clock.now().getTime() + 3_600_000);
  let uploading = true;
  const clearing = (async () => {
    while (uploading) await deleteUnusedDocuments(runtime.db, later, 3);
  })();
  const kept = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const ids: string[] = [];
      for (let round = 0; round < 15; round += 1) {
        const { body } = await upload(service);
        // A replay of one's own answer can come too late: the document may be cleared away already.
        if (body.id === undefined) continue;
        const found = await runtime.db.transaction((tx) => useDocuments(tx, runtime, tenant.id, [body.id]));
        if (found.has(body.id)) ids.push(body.id);
      }
      return ids;
    }),
  );
  uploading = false;
  await clearing;
  const ids = kept.flat();
  t.equal((await findDocuments(runtime.db, tenant.id, ids)).size, ids.length);
  const hash = createHash('sha256').update(pdf()).digest('hex');
  t.ok(ids.length > 0, `${ids.length} were in time`);
  if (ids.length > 0) t.equal((await loadContents(runtime.db, tenant.id, [hash])).size, 1);
});

t.test('a refused upload leaves its connection free, however much of it was unread', async (t) => {
  const { app, tenant } = await startService(t);
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const post = async (name: string, bytes: number) => {
    const form = new FormData();
    form.set(name, new Blob([pdf(), Buffer.alloc(bytes, 'x')], { type: 'application/pdf' }), 'a.pdf');
    const headers = { authorization: `Bearer ${tenant.key}` };
    const answer = await fetch(`${url}/v1/documents`, { method: 'POST', headers, body: form });
    await answer.arrayBuffer();
    return answer.status;
  };
  t.equal(await post('other', 1_500_000), 400);
  t.equal(await post('file', 1_999_999), 422);
  t.equal(await post('file', 30_000_000), 422);
  t.equal(await post('file', 1_000), 201);
  // Would wait for ever for a connection that is still busy with a body.
  await app.close();
});
