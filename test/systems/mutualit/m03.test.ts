import t from 'tap';
import { makeExtractedNotices } from '../../support/extracted-notices.ts';
import { startService } from '../../support/service.ts';
import { must } from '../../support/templates.ts';

const to = { address: 'anna@courriel.example' };

t.test('M3 · a named SQL query gives the merge fields of a record: they are in the mail that leaves', async (t) => {
  const service = await startService(t);
  const notices = await makeExtractedNotices(t, service, {
    texts: { text: 'Bonjour {{ nom_benef }}, votre adresse est {{ mail }}.' },
  });
  const sent = must(
    await notices.send(
      [
        { to, key: 'B-1' },
        { to, key: 'B-2' },
      ],
      { validation: 'automatic' },
    ),
    201,
  );
  await service.work();
  for (const [index, subject] of ['Bonjour Lefèvre', 'Bonjour D’Hérouville'].entries()) {
    const message = must(await service.inject('GET', `/v1/messages/${sent.messages[index].id}`), 200);
    t.match(message, { status: 'OK', subject });
  }
  t.equal(await notices.text(sent.messages[0].id), 'Bonjour Lefèvre, votre adresse est b1@courriel.example.');
});

t.test('M3 · an extraction is attached to pages, and offered there with its fields', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  await makeExtractedNotices(t, service);
  const fields = async (page: string) => {
    const { items } = must(await inject('GET', `/v1/fields?page=${page}`), 200);
    return items
      .filter(({ source }: { source: string }) => source === 'benef')
      .map(({ path }: { path: string }) => path);
  };
  t.same(await fields('beneficiaire'), ['cle', 'nom_benef', 'mail']);
  t.same(await fields('contrat'), []);
});

t.test('M3 · it is managed by the maintainer and used by the office, whose key cannot change or try it', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeExtractedNotices(t, service);
  const keyWith = async (scopes: string[]) =>
    must(await inject('POST', '/v1/api-keys', { body: { name: 'Clé', kind: 'live', scopes } }), 201).secret as string;
  const office = await keyWith(['send:single', 'extractions:read', 'templates:read']);
  const maintainer = await keyWith(['extractions:read', 'extractions:update', 'data-sources:read']);
  t.equal((await notices.send([{ to, key: 'B-1' }], {}, office)).status, 201);
  t.equal((await inject('GET', notices.extraction, { key: office })).status, 200);
  const title = { body: { title: 'Autre' }, headers: { 'if-match': '*' } };
  for (const [method, path, ask, scope] of [
    ['PATCH', notices.extraction, title, 'extractions:update'],
    ['DELETE', notices.extraction, {}, 'extractions:update'],
    ['POST', `${notices.extraction}/run`, { body: { keys: ['B-1'] } }, 'extractions:update'],
    ['GET', '/v1/data-sources', {}, 'data-sources:read'],
  ] as const) {
    t.match(await inject(method, path, { ...ask, key: office }), { status: 403, body: { scope } }, `${method} ${path}`);
    if (method !== 'DELETE') t.equal((await inject(method, path, { ...ask, key: maintainer })).status, 200);
  }
});
