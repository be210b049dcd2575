import t from 'tap';
import { startService, type TestService } from '../support/service.ts';

const nowhere = '019c0000-0000-7000-8000-000000000000';
const texts = {
  subject: 'Échéance {{ contrat }}',
  text: 'Bonjour {{ client.nom }}, le {{ due | date: "%-d %B %Y" }}',
  html: '<p>Bonjour {{ client.nom }}</p>',
};
const data = { contrat: 'C-1', client: { nom: 'D’Hérouville & fils' }, due: '2027-01-01' };

/** Makes a template with these versions, the last of them published. */
async function addTemplate(service: TestService, key: string, ...versions: object[]): Promise<string> {
  const made = await service.inject('POST', '/v1/templates', { body: { key, title: 'Avis', channel: 'mail' } });
  if (made.status !== 201) throw new Error(`template: ${made.status} ${JSON.stringify(made.body)}`);
  const path = `/v1/templates/${made.body.id}`;
  for (const body of versions) {
    const added = await service.inject('POST', `${path}/versions`, { body });
    if (added.status !== 201) throw new Error(`version: ${added.status} ${JSON.stringify(added.body)}`);
  }
  if (versions.length > 0) await service.inject('POST', `${path}/versions/${versions.length}/publish`);
  return path;
}

const asker = (service: TestService) => {
  let asked = 0;
  return (body: object) => {
    asked += 1;
    const recipients = [{ to: { address: 'anna@courriel.example' }, data }];
    const headers = { 'idempotency-key': `ask-${asked}` };
    return service.inject('POST', '/v1/send-requests', { body: { recipients, ...body }, headers });
  };
};

t.test('a template is created, listed, found by its fields, changed with its ETag', async (t) => {
  const { inject } = await startService(t);
  const body = { key: 'avis', title: 'Avis d’échéance', channel: 'mail', family: 'primes', documentTypes: ['avis'] };
  const made = await inject('POST', '/v1/templates', { body });
  t.match(made, {
    status: 201,
    body: {
      ...body,
      category: 'transactional',
      active: true,
      currentVersion: null,
      validation: null,
      notificationType: null,
    },
  });
  const path = String(made.headers.location);
  t.equal(path, `/v1/templates/${made.body.id}`);
  t.match(await inject('POST', '/v1/templates', { body }), { status: 409, body: { code: 'conflict' } });
  await inject('POST', '/v1/templates', { body: { key: 'relance', title: 'Relance', channel: 'mail' } });
  for (const query of ['key=avis', 'family=primes', 'documentType=avis', 'active=true&family=primes']) {
    t.match(
      (await inject('GET', `/v1/templates?${query}`)).body,
      { items: [{ id: made.body.id }], nextCursor: null },
      query,
    );
  }
  t.same((await inject('GET', '/v1/templates?active=false')).body.items, []);

  const read = await inject('GET', path);
  const change = { body: { title: 'Avis', active: false }, headers: { 'if-match': String(read.headers.etag) } };
  t.match(await inject('PATCH', path, { body: change.body }), { status: 428 });
  t.match(await inject('PATCH', path, change), {
    status: 200,
    body: { title: 'Avis', active: false, family: 'primes' },
  });
  t.match(await inject('PATCH', path, change), { status: 412 });
  const any = { 'if-match': '*' };
  t.match(await inject('PATCH', path, { body: { notificationType: 'none' }, headers: any }), {
    status: 422,
    body: { errors: [{ pointer: '/notificationType', code: 'notification_type_unknown' }] },
  });
  t.match(await inject('PATCH', path, { body: { key: 'other' }, headers: any }), {
    status: 400,
    body: { errors: [{ pointer: '/key' }] },
  });
  t.equal((await inject('PATCH', `/v1/templates/${nowhere}`, { body: { title: 'A' }, headers: any })).status, 404);
});

t.test('versions are numbered, published once, and never change again', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const path = await addTemplate(service, 'avis', texts);
  t.match(await inject('GET', `${path}/versions/1`), {
    status: 200,
    body: { ...texts, version: 1, status: 'published', usedFields: Array, publishedAt: String, publishedBy: String },
  });
  t.same((await inject('GET', `${path}/versions/1`)).body.usedFields.sort(), ['client.nom', 'contrat', 'due']);
  t.match(await inject('GET', path), { body: { currentVersion: 1 } });
  t.match(await inject('POST', `${path}/versions/1/publish`), { status: 409, body: { code: 'already_published' } });

  const second = await inject('POST', `${path}/versions`, { body: { ...texts, subject: 'Nouveau' } });
  t.match(second, {
    status: 201,
    headers: { location: `${path}/versions/2` },
    body: { version: 2, status: 'draft', publishedAt: null },
  });
  t.match(await inject('GET', path), { body: { currentVersion: 1 } }, 'a draft changes nothing');
  t.match(await inject('POST', `${path}/versions/2/publish`, { headers: { 'on-behalf-of': 'mmartin' } }), {
    status: 200,
    body: { status: 'published', publishedBy: 'mmartin' },
  });
  t.match(await inject('GET', path), { body: { currentVersion: 2 } });
  t.match((await inject('GET', `${path}/versions/1`)).body, texts, 'the first one is as it was');
  const page = (await inject('GET', `${path}/versions?limit=1`)).body;
  t.match(page, { items: [{ version: 2 }], nextCursor: String });
  t.match((await inject('GET', `${path}/versions?limit=1&cursor=${page.nextCursor}`)).body, {
    items: [{ version: 1 }],
    nextCursor: null,
  });
  for (const missing of [`${path}/versions/3`, `/v1/templates/${nowhere}/versions/1`])
    t.equal((await inject('GET', missing)).status, 404);
  t.equal((await inject('POST', `${path}/versions/3/publish`)).status, 404);
  t.equal((await inject('GET', `${path}/versions/0`)).status, 400);
  await t.rejects(
    service.runtime.db.execute(`update template_versions set subject = 'x' where version = 1`),
    'the database refuses it too',
  );
});

t.test('two versions added at once get two numbers', async (t) => {
  const service = await startService(t);
  const path = await addTemplate(service, 'avis');
  const added = await Promise.all(
    Array.from({ length: 8 }, () => service.inject('POST', `${path}/versions`, { body: texts })),
  );
  t.same(added.map(({ body }) => body.version).sort(), [1, 2, 3, 4, 5, 6, 7, 8]);
});

t.test('a preview renders all parts; a missing field is named, each with its pointer', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const path = await addTemplate(service, 'avis', texts);
  const preview = await inject('POST', `${path}/preview`, { body: { data } });
  t.match(preview, {
    status: 200,
    body: {
      version: 1,
      subject: 'Échéance C-1',
      text: 'Bonjour D’Hérouville & fils, le 1 janvier 2027',
      html: '<p>Bonjour D’Hérouville &amp; fils</p>',
      size: { subject: 14, text: Number, html: Number },
      hash: /^[0-9a-f]{64}$/,
    },
  });
  t.match(await inject('POST', `${path}/preview`, { body: { data: { client: {}, due: '2027-01-01' } } }), {
    status: 422,
    body: {
      code: 'unprocessable',
      errors: [
        { pointer: '/data/contrat', code: 'field_missing' },
        { pointer: '/data/client/nom', code: 'field_missing' },
      ],
    },
  });
  await inject('POST', `${path}/versions`, { body: { ...texts, subject: 'Brouillon' } });
  t.match((await inject('POST', `${path}/preview`, { body: { data } })).body, { version: 1 }, 'the published one');
  t.match((await inject('POST', `${path}/preview`, { body: { data, version: 2 } })).body, {
    version: 2,
    subject: 'Brouillon',
  });
  t.equal((await inject('POST', `${path}/preview`, { body: { data, version: 3 } })).status, 404);
  const empty = await addTemplate(service, 'vide');
  t.match(await inject('POST', `${empty}/preview`, { body: { data } }), {
    status: 422,
    body: { errors: [{ code: 'version_missing' }] },
  });
  t.match(
    await inject('POST', `${path}/preview`, { body: { data: { ...data, contrat: 'a\nb' } } }),
    {
      status: 422,
      body: { code: 'template_invalid' },
    },
    'a subject of two lines is none',
  );
});

t.test('merge fields between single braces become Liquid, and other braces stay (W1)', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const path = await addTemplate(service, 'avis', {
    subject: 'Avis {contrat}',
    text: '{Adr_Titre} {Adr_Nom} { pas un champ }',
    html: '<style>p { color: #333 }</style><p>{Adr_Titre} {Adr_Nom}</p>',
    syntax: 'braces',
  });
  t.match((await inject('GET', `${path}/versions/1`)).body, {
    subject: 'Avis {{ contrat }}',
    text: '{{ Adr_Titre }} {{ Adr_Nom }} { pas un champ }',
    html: '<p style="color: #333;">{{ Adr_Titre }} {{ Adr_Nom }}</p>',
    written: { html: '<style>p { color: #333 }</style><p>{{ Adr_Titre }} {{ Adr_Nom }}</p>' },
  });
  const fields = { Adr_Titre: 'Madame', Adr_Nom: 'L’Hôte', contrat: 'C-88' };
  t.match((await inject('POST', `${path}/preview`, { body: { data: fields } })).body, {
    subject: 'Avis C-88',
    text: 'Madame L’Hôte { pas un champ }',
  });
});

t.test('a text that is no template is refused with the part and the place of each fault', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const path = await addTemplate(service, 'avis');
  const bad = { subject: '{{ contrat', text: 'a\n{% if x %}', html: '{% include "secrets" %}' };
  const refused = await inject('POST', `${path}/versions`, { body: bad });
  t.match(refused, { status: 422, body: { code: 'template_invalid' } });
  t.same(
    refused.body.errors.map(({ pointer }: { pointer: string }) => pointer),
    ['/subject', '/text', '/html'],
  );
  t.match(await inject('POST', `${path}/versions`, { body: { ...texts, senderId: 'nobody' } }), {
    status: 422,
    body: { errors: [{ pointer: '/senderId', code: 'sender_unknown' }] },
  });
  t.match(await inject('POST', `${path}/versions`, { body: { ...texts, subject: '' } }), { status: 400 });
  t.match(await inject('POST', `${path}/versions`, { body: { ...texts, text: 'x'.repeat(200_001) } }), {
    status: 400,
    body: { errors: [{ pointer: '/text', code: 'too_long' }] },
  });
  t.same((await inject('GET', `${path}/versions`)).body.items, []);
});

t.test('send requests refuse a template that is unknown, unpublished or inactive, by name', async (t) => {
  const service = await startService(t);
  const ask = asker(service);
  const path = await addTemplate(service, 'avis', texts);
  await service.inject('POST', `${path}/versions`, { body: texts });
  await addTemplate(service, 'brouillon');
  const faults: [object, string, string][] = [
    [{ template: 'nulle-part' }, '/template', 'template_unknown'],
    [{ template: nowhere }, '/template', 'template_unknown'],
    [{ template: 'brouillon' }, '/template', 'version_unpublished'],
    [{ template: 'avis', templateVersion: 2 }, '/templateVersion', 'version_unpublished'],
    [{ template: 'avis', templateVersion: 9 }, '/templateVersion', 'version_unknown'],
    [{ templates: ['avis', 'nulle-part'] }, '/templates/1', 'template_unknown'],
    [{ documentType: 'autre' }, '/documentType', 'template_unknown'],
    [{ template: 'avis', documentType: 'autre' }, '/template', 'template_choice'],
    [{}, '/template', 'template_choice'],
    [{ templates: ['avis'], templateVersion: 1 }, '/templateVersion', 'template_choice'],
  ];
  for (const [body, pointer, code] of faults) {
    t.match(await ask(body), { status: 422, body: { errors: [{ pointer, code }] } }, `${code} ${JSON.stringify(body)}`);
  }
  t.equal((await ask({ template: 'avis' })).status, 201);
  await service.inject('PATCH', path, { body: { active: false }, headers: { 'if-match': '*' } });
  t.match(await ask({ template: 'avis' }), {
    status: 422,
    body: { errors: [{ pointer: '/template', code: 'template_inactive' }] },
  });
});

t.test('a template is deleted with its versions unless something is still to come of it', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const ask = asker(service);
  const unused = await addTemplate(service, 'jamais', texts);
  t.equal((await inject('DELETE', unused)).status, 204);
  for (const path of [unused, `${unused}/versions`, `${unused}/versions/1`])
    t.equal((await inject('GET', path)).status, 404);
  t.equal((await inject('DELETE', unused)).status, 404);

  const used = await addTemplate(service, 'avis', texts);
  t.equal((await ask({ template: 'avis' })).status, 201);
  const other = await service.addTenant('Autre');
  t.equal((await inject('DELETE', used, { key: other.key })).status, 404);
  t.equal((await inject('DELETE', used)).status, 204, 'its message has failed: it waits for nothing');
  const drafted = await addTemplate(service, 'brouillon', texts);
  const draft = await ask({ template: 'brouillon', confirm: false });
  t.match(await inject('DELETE', drafted), { status: 409, body: { code: 'in_use' } });
  await inject('POST', `/v1/send-requests/${draft.body.id}/cancel`);
  t.equal((await inject('DELETE', drafted)).status, 204, 'a cancelled draft holds nothing');
});
