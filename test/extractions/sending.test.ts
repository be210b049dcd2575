import t from 'tap';
import { makeExtractedNotices } from '../support/extracted-notices.ts';
import { startService } from '../support/service.ts';
import { addExtraction } from '../support/source-database.ts';
import { must } from '../support/templates.ts';

const to = { address: 'anna@courriel.example' };
const anyRevision = { 'if-match': '*' };

t.test('own data stand before those of the extraction, and the request’s before them too', async (t) => {
  const service = await startService(t);
  const notices = await makeExtractedNotices(t, service);
  const { messages, counts, errors } = must(
    await notices.send(
      [
        { to, key: 'B-1' },
        { to, key: 'B-1', data: { nom_benef: 'Leroy' } },
        { to, data: { nom_benef: 'Sans clé' } },
        { to, key: 'B-2' },
        { to, key: 'B-9', data: { nom_benef: 'Autre' } },
        { to, key: 'B-3' },
      ],
      { data: { civilite: 'Madame' } },
    ),
    201,
  );
  t.match(counts, { created: 6, E: 4, KO: 2 });
  t.same(errors, [
    {
      index: 4,
      pointer: '/recipients/4/key',
      code: 'extraction_missing',
      message: 'the extraction has nothing for this key',
    },
    {
      index: 5,
      pointer: '/recipients/5/key',
      code: 'extraction_ambiguous',
      message: 'the extraction has several rows for this key',
    },
  ]);
  t.same(
    messages.map(({ reason }: { reason: string | null }) => reason),
    [null, null, null, null, 'extraction_missing', 'extraction_ambiguous'],
  );
  const texts = await Promise.all(messages.slice(0, 4).map(({ id }: { id: string }) => notices.text(id)));
  t.same(texts, ['Lefèvre', 'Leroy', 'Sans clé', 'D’Hérouville']);
});

t.test('what was extracted is kept with its message: a change of the source changes nothing', async (t) => {
  const service = await startService(t);
  const notices = await makeExtractedNotices(t, service);
  const sent = must(await notices.send([{ to, key: 'B-1' }], { validation: 'automatic' }), 201);
  await notices.database.own`update benef set nom_benef = 'Changée' where membre = 'B-1'`;
  await service.work();
  const message = must(await service.inject('GET', `/v1/messages/${sent.messages[0].id}`), 200);
  t.match(message, { status: 'OK', subject: 'Bonjour Lefèvre' });
});

t.test('a row whose key gave nothing is corrected by hand and sent', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeExtractedNotices(t, service);
  const { messages } = must(await notices.send([{ to, key: 'B-9' }]), 201);
  const path = `/v1/messages/${messages[0].id}`;
  t.match(await inject('POST', `${path}/resend`, { body: {} }), { status: 409 });
  t.match(must(await inject('GET', path, { headers: { 'accept-language': 'fr' } }), 200), {
    reasonText: 'L’extraction ne donne rien pour la clé.',
  });
  must(await inject('PATCH', path, { body: { data: { nom_benef: 'Martin' } }, headers: anyRevision }), 200);
  must(await inject('POST', `${path}/resend`, { body: {} }), 200);
  await service.work();
  t.match(must(await inject('GET', path), 200), { status: 'OK', subject: 'Bonjour Martin' });
});

t.test('a draft asks again when it is confirmed', async (t) => {
  const service = await startService(t);
  const notices = await makeExtractedNotices(t, service);
  const draft = must(await notices.send([{ to, key: 'B-1' }], { confirm: false }), 201);
  await notices.database.own`update benef set nom_benef = 'Changée' where membre = 'B-1'`;
  const { messages } = must(await service.inject('POST', `/v1/send-requests/${draft.id}/confirm`), 200);
  t.equal(await notices.text(messages[0].id), 'Changée');
});

t.test('a source that is down refuses the whole request with 503, and nothing is kept', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeExtractedNotices(t, service);
  const { settings, password } = notices.database;
  const down = { settings: { ...settings, port: 1 }, secrets: { password } };
  const path = `/v1/data-sources/${notices.source}`;
  must(await inject('PATCH', path, { body: down, headers: anyRevision }), 200);
  const refused = await notices.send([
    { to, key: 'B-1' },
    { to, data: { nom_benef: 'A' } },
  ]);
  t.match(refused, {
    status: 503,
    headers: { 'retry-after': '5' },
    body: { code: 'source_unavailable', errors: [{ code: 'unreachable' }] },
  });
  t.same(must(await inject('GET', '/v1/send-requests'), 200).items, []);
  t.equal((await notices.send([{ to, data: { nom_benef: 'A' } }])).status, 201, 'rows without a key need no source');
  const back = { settings, secrets: { password } };
  must(await inject('PATCH', path, { body: back, headers: anyRevision }), 200);
  t.equal((await notices.send([{ to, key: 'B-1' }])).status, 201, 'and it is asked again at once');
});

t.test(
  'the request names another extraction; an unknown one, and a key without any, are refused by name',
  async (t) => {
    const service = await startService(t);
    const { inject } = service;
    const notices = await makeExtractedNotices(t, service);
    await addExtraction(service, {
      key: 'majuscules',
      query: 'select membre as cle, upper(nom_benef) as nom_benef from benef where membre = any(:keys)',
    });
    const { messages } = must(await notices.send([{ to, key: 'B-1' }], { extraction: 'majuscules' }), 201);
    t.equal(await notices.text(messages[0].id), 'LEFÈVRE');
    t.match(await notices.send([{ to, key: 'B-1' }], { extraction: 'personne' }), {
      status: 422,
      body: { errors: [{ pointer: '/extraction', code: 'extraction_unknown' }] },
    });
    must(await inject('PATCH', notices.template, { body: { extraction: null }, headers: anyRevision }), 200);
    t.match(
      await notices.send([
        { to, data: {} },
        { to, key: 'B-1' },
      ]),
      {
        status: 422,
        body: { errors: [{ pointer: '/recipients/1/key', code: 'extraction_choice' }] },
      },
    );
    const key = must(
      await inject('POST', '/v1/api-keys', { body: { name: 'Envoi', kind: 'live', scopes: ['send:bulk'] } }),
      201,
    ).secret;
    t.match(await notices.send([{ to, key: 'B-1' }], { extraction: 'majuscules' }, key), {
      status: 403,
      body: { scope: 'extractions:read' },
    });
    must(await inject('PATCH', notices.template, { body: { extraction: 'benef' }, headers: anyRevision }), 200);
    t.equal(
      (await notices.send([{ to, key: 'B-1' }], {}, key)).status,
      201,
      'the template’s own needs no further right',
    );
  },
);

t.test('an extraction that a draft names is not deleted before the draft is confirmed or cancelled', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeExtractedNotices(t, service);
  const path = await addExtraction(service, { key: 'autre' });
  const id = path.split('/').at(-1);
  const drafts: string[] = [];
  for (const extraction of ['autre', id]) {
    drafts.push(must(await notices.send([{ to, key: 'B-1' }], { confirm: false, extraction }), 201).id);
  }
  t.match(await inject('DELETE', path), {
    status: 409,
    body: { code: 'in_use', errors: [{ code: 'used_by_drafts', message: '2 draft send requests name it' }] },
  });
  must(await inject('POST', `/v1/send-requests/${drafts[0]}/confirm`), 200);
  must(await inject('POST', `/v1/send-requests/${drafts[1]}/cancel`), 200);
  must(await inject('DELETE', path), 204);
});

t.test('all or nothing: a key without a row refuses all; a dry run keeps nothing', async (t) => {
  const service = await startService(t);
  const notices = await makeExtractedNotices(t, service);
  t.match(
    await notices.send(
      [
        { to, key: 'B-1' },
        { to, key: 'B-9' },
      ],
      { mode: 'all-or-nothing' },
    ),
    {
      status: 422,
      body: { code: 'rows_refused', errors: [{ pointer: '/recipients/1/key', code: 'extraction_missing' }] },
    },
  );
  t.match(await notices.send([{ to, key: 'B-1' }], { dryRun: true }), { status: 200, body: { counts: { E: 1 } } });
  t.same(must(await service.inject('GET', '/v1/send-requests'), 200).items, []);
});

t.test('10,000 rows with a key of their own are extracted in one request', async (t) => {
  const service = await startService(t);
  const notices = await makeExtractedNotices(t, service);
  await notices.database.own`
    insert into benef (membre, nom_benef) select 'C-' || n, 'Nom ' || n from generate_series(1, 10000) as n`;
  const rows = Array.from({ length: 10_000 }, (_, index) => ({ to, key: `C-${index + 1}` }));
  const { counts, messages } = must(await notices.send(rows), 201);
  t.match(counts, { created: 10_000, E: 10_000 });
  t.equal(await notices.text(messages[9_345].id), 'Nom 9346');
});

t.test('what extractions give all messages together is limited', async (t) => {
  const service = await startService(t);
  const notices = await makeExtractedNotices(t, service, {
    extraction: {
      query: "select membre as cle, repeat('x', 900000) as nom_benef from benef where membre = any(:keys)",
    },
  });
  const rows = (count: number) => Array.from({ length: count }, () => ({ to, key: 'B-1' }));
  t.match(await notices.send(rows(150)), {
    status: 422,
    body: { errors: [{ pointer: '/recipients', code: 'too_large' }] },
  });
  t.match(await notices.send([{ to, key: 'B-1', data: { a: 'x'.repeat(200_000) } }]), {
    status: 422,
    body: { errors: [{ pointer: '/recipients/0/key', code: 'too_large' }] },
  });
});
