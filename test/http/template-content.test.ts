/** What a version's texts are made from: HTML, text, MJML, sections; in several languages; and what goes with them. */
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { opened, pdf, upload } from '../support/broker.ts';
import { startSending } from '../support/sending.ts';
import { startService, type TestService } from '../support/service.ts';
import { addTemplate, must } from '../support/templates.ts';

const anyRevision = { 'if-match': '*' };

async function addLayout({ inject }: TestService, layout: object = {}) {
  return must(await inject('POST', '/v1/layouts', { body: { key: 'central', title: 'Central', ...layout } }), 201);
}

async function draft({ inject }: TestService, key = 'essai'): Promise<string> {
  return `/v1/templates/${must(await inject('POST', '/v1/templates', { body: { key, title: 'Essai', channel: 'mail' } }), 201).id}`;
}

t.test('a text is given in one way; what is missing or given twice is named', async (t) => {
  const service = await startService(t);
  await addLayout(service);
  const path = await draft(service);
  const html = '<p>a</p>';
  const mjml = '<mjml><mj-body></mj-body></mjml>';
  const sections = { body: '<p>a</p>' };
  const cases: [name: string, body: object, pointer: string, code: string][] = [
    ['nothing', {}, '/html', 'content_choice'],
    ['html and mjml', { html, mjml }, '/mjml', 'content_choice'],
    ['html and sections', { html, sections, layoutId: 'central' }, '/sections', 'content_choice'],
    ['mjml and sections', { mjml, sections, layoutId: 'central' }, '/sections', 'content_choice'],
    ['sections without a layout', { sections }, '/layoutId', 'layout_missing'],
    ['a layout without sections', { html, layoutId: 'central' }, '/layoutId', 'content_choice'],
    ['a layout that is none', { sections, layoutId: 'ailleurs' }, '/layoutId', 'layout_unknown'],
    ['no section', { sections: {}, layoutId: 'central' }, '/sections', 'empty'],
    [
      'two in a language',
      { html, locales: { en: { subject: 'S', html, mjml } } },
      '/locales/en/mjml',
      'content_choice',
    ],
    ['a document that is none', { html, documents: [randomUUID()] }, '/documents/0', 'document_invalid'],
  ];
  for (const [name, body, pointer, code] of cases) {
    const answer = await service.inject('POST', `${path}/versions`, { body: { subject: 'S', ...body } });
    t.match(answer, { status: 422, body: { errors: [{ pointer, code }] } }, name);
  }
  for (const body of [
    { locales: { french: { subject: 'S', html } }, html },
    { sections: { footer: 'a' }, layoutId: 'central' },
  ]) {
    const answer = await service.inject('POST', `${path}/versions`, { body: { subject: 'S', ...body } });
    t.equal(answer.status, 400, JSON.stringify(body));
  }
});

t.test('faults are told at the text that was written', async (t) => {
  const service = await startService(t);
  await addLayout(service);
  const path = await draft(service);
  const cases: [body: object, pointer: string, code: string][] = [
    [{ sections: { header: '{% if a %}' }, layoutId: 'central' }, '/sections/header', 'template_invalid'],
    [{ sections: { list: '<p class={{ a }}>' }, layoutId: 'central' }, '/sections/list', 'field_in_markup'],
    [{ mjml: '<mjml><mj-body><mj-x /></mj-body></mjml>' }, '/mjml', 'mjml_invalid'],
    [{ html: 'a', to: '{{ a' }, '/to', 'template_invalid'],
    [{ html: 'a', to: 'a\nb' }, '/to', 'control_character'],
    [{ html: 'a', locales: { en: { subject: '{{', html: 'a' } } }, '/locales/en/subject', 'template_invalid'],
    [{ html: '{{ autre }}', fields: { type: 'object', properties: {} } }, '/html', 'field_unknown'],
    [
      { html: 'a', locales: { en: { subject: 'S', text: '{{ b }}' } }, fields: { type: 'object', properties: {} } },
      '/locales/en/text',
      'field_unknown',
    ],
  ];
  for (const [body, pointer, code] of cases) {
    const answer = await service.inject('POST', `${path}/versions`, { body: { subject: 'S', ...body } });
    t.match(answer, { status: 422, body: { errors: [{ pointer, code }] } }, `${pointer} ${code}`);
  }
});

t.test('what was written is given back, to be written on', async (t) => {
  const service = await startService(t);
  await addLayout(service);
  const path = await draft(service);
  const written = {
    subject: 'Pièces attendues',
    sections: { header: '<p>Bonjour {{ nom }},</p>', signature: 'La scolarité' },
    locales: { en: { subject: 'Documents', html: '<style>p { color: #333 }</style><p>Dear {{ nom }},</p>' } },
  };
  const version = must(
    await service.inject('POST', `${path}/versions`, { body: { ...written, layoutId: 'central' } }),
    201,
  );
  t.same(version.written, written);
  t.match(version.html, /<div class="header"[^>]*><p[^>]*>Bonjour \{\{ nom \}\},<\/p><\/div>/);
  t.match(version, { text: /Bonjour \{\{ nom \}\},/, locales: { en: { text: 'Dear {{ nom }},' } }, layoutVersion: 1 });
  t.match(version.locales.en.html, '<p style="color: #333;">');
  const { locales, ...again } = version.written;
  const body = { ...again, locales, layoutId: version.layoutId };
  t.match(must(await service.inject('POST', `${path}/versions`, { body }), 201), { version: 2, html: version.html });
});

t.test('each recipient gets their language, where the template has it; others that of the organisation', async (t) => {
  const sending = await startSending(t);
  const { inject } = sending;
  const path = await addTemplate(
    sending,
    { key: 'langues' },
    {
      subject: 'Le {{ jour | long_date }}',
      text: 'Bonjour',
      html: '<p>Bonjour</p>',
      locales: {
        en: { subject: 'On {{ jour | long_date }}', text: 'Hello', html: '<p>Hello</p>' },
        'de-AT': { subject: 'Am {{ jour | long_date }}', text: 'Servus', html: '<p>Servus</p>' },
      },
    },
  );
  const person = { type: 'client', displayName: 'Jane Roe', locale: 'en-GB' };
  const addresses = [{ kind: 'mail', value: 'jane@courriel.example' }];
  must(await inject('POST', '/v1/recipients', { body: { ...person, externalId: 'C-1', addresses } }), 201);
  const rows = [
    { recipient: 'external:client:C-1' },
    { recipient: 'external:client:C-1', locale: 'de-AT' },
    { recipient: 'external:client:C-1', locale: 'de' },
    { to: { address: 'a@courriel.example' }, locale: 'es' },
    { to: { address: 'b@courriel.example' } },
  ];
  const { messages } = await sending.send(rows, { template: 'langues', data: { jour: '2027-01-01' } });
  await sending.work();
  const subjects = await Promise.all(messages.map(async (id) => (await sending.message(id)).subject));
  t.same(subjects, [
    'On 1 January 2027',
    'Am 1. Jänner 2027',
    'Le 1er janvier 2027',
    'Le 1er janvier 2027',
    'Le 1er janvier 2027',
  ]);
  t.equal(sending.sink.mails.length, 5);
  t.same(
    (await inject('POST', `${path}/preview`, { body: { data: { jour: '2027-01-01' }, locale: 'en' } })).body.text,
    'Hello',
  );
});

t.test('MJML, text alone, and the documents of a template leave as they should', async (t) => {
  const sending = await startSending(t);
  const document = await upload(sending, 'notice.pdf', pdf('notice'));
  const own = await upload(sending, 'releve.pdf', pdf('releve'));
  const mjml =
    '<mjml><mj-body><mj-section><mj-column><mj-text>Bonjour {{ nom }}</mj-text></mj-column></mj-section></mj-body></mjml>';
  const plain = { text: undefined, html: undefined };
  await addTemplate(sending, { key: 'mjml' }, { ...plain, mjml, documents: [document] });
  await addTemplate(sending, { key: 'texte' }, { ...plain, text: 'Bonjour {{ nom }}' });
  const row = { to: { address: 'a@courriel.example' }, data: { nom: 'L’Hôte & Fils' }, documents: [own, document] };
  const { messages } = await sending.send([row], { template: undefined, templates: ['mjml', 'texte'] });
  await sending.work();
  const mails = await Promise.all(sending.sink.mails.map(opened));
  const withHtml = mails.find(({ html }) => html !== undefined);
  t.match(withHtml?.html, 'L’Hôte &amp; Fils');
  t.match(withHtml?.text, 'Bonjour L’Hôte & Fils');
  t.same(
    withHtml?.attachments.map(({ filename }) => filename),
    ['notice.pdf', 'releve.pdf'],
    'those of the template first, each once',
  );
  const textOnly = mails.find(({ html }) => html === undefined);
  t.match(textOnly?.text, 'Bonjour L’Hôte & Fils');
  t.equal(messages.length, 2);
  const counters = { E: 0, V: 0, OK: 1, KO: 0, B: 0 };
  t.same(must(await sending.inject('GET', '/v1/templates?key=mjml&counters=true'), 200).items[0].counters, counters);
  t.equal(must(await sending.inject('GET', '/v1/templates?key=mjml'), 200).items[0].counters, null);
});

t.test('constants of the organisation are there for all; a message keeps those it was made with', async (t) => {
  const sending = await startSending(t);
  const { inject } = sending;
  const constants = { URL_PJ_WEB: 'https://pj.universite.example', autre: 'x' };
  must(await inject('PATCH', '/v1/tenant', { body: { constants }, headers: anyRevision }), 200);
  await addTemplate(
    sending,
    { key: 'pj' },
    { text: 'Déposez sur {{ URL_PJ_WEB }}', html: '<a href="{{ URL_PJ_WEB }}">dépôt</a>' },
  );
  const to = { address: 'a@courriel.example' };
  const { messages } = await sending.send([{ to }, { to, data: { URL_PJ_WEB: 'https://autre.example' } }], {
    template: 'pj',
    validation: 'manual',
  });
  const changed = { URL_PJ_WEB: 'https://change.example' };
  must(await inject('PATCH', '/v1/tenant', { body: { constants: changed }, headers: anyRevision }), 200);
  const [first, second] = await Promise.all(messages.map((id) => inject('GET', `/v1/messages/${id}`)));
  t.same(first?.body.data, { URL_PJ_WEB: 'https://pj.universite.example' }, 'only what it reads');
  t.same(second?.body.data, { URL_PJ_WEB: 'https://autre.example' }, 'what the request gives comes before');
  const reserved = { body: { constants: { sender: 'x' } }, headers: anyRevision };
  t.match(await inject('PATCH', '/v1/tenant', reserved), {
    status: 422,
    body: { errors: [{ pointer: '/constants/sender', code: 'reserved' }] },
  });
  const bad = { 'a b': 'x' };
  t.equal((await inject('PATCH', '/v1/tenant', { body: { constants: bad }, headers: anyRevision })).status, 400);
});

t.test('a layout is made, changed under If-Match, read and deleted; its faults are named', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const layout = await addLayout(service, { academicYear: '2026-2027', identity: '{{ nom }}' });
  const path = `/v1/layouts/${layout.id}`;
  t.match(must(await inject('GET', path), 200), { key: 'central', version: 1, logo: null, academicYear: '2026-2027' });
  t.equal((await inject('POST', '/v1/layouts', { body: { key: 'central', title: 'Autre' } })).status, 409);
  t.equal((await inject('PATCH', path, { body: { title: 'Autre' } })).status, 428);
  const change = (body: object) => inject('PATCH', path, { body, headers: anyRevision });
  t.match(must(await change({ title: 'Autre' }), 200), { version: 1 }, 'a title is not in the mails');
  t.match(must(await change({ academicYear: null }), 200), { version: 2 });
  const cases: [body: object, pointer: string, code: string][] = [
    [{ identity: '{{ nom' }, '/identity', 'template_invalid'],
    [{ identity: '<p {{ nom }}>' }, '/identity', 'field_in_markup'],
    [{ css: 'p { color: {{ c }} }' }, '/css', 'not_css'],
    [{ css: '</style><script>' }, '/css', 'not_css'],
    [{ html: '<p>{{ slot.footer }}</p>' }, '/html', 'slot_unknown'],
    [{ logo: randomUUID() }, '/logo', 'document_unknown'],
    [{ logo: await upload(service, 'a.pdf', pdf('a')) }, '/logo', 'not_a_picture'],
  ];
  for (const [body, pointer, code] of cases) {
    t.match(await change(body), { status: 422, body: { errors: [{ pointer, code }] } }, `${pointer} ${code}`);
  }
  t.equal((await inject('DELETE', path)).status, 204);
  t.equal((await inject('GET', path)).status, 404);
});
