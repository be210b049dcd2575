/**
 * The layout of a mail (A8). The four mails of the office are held, byte for byte, to the files of `golden/`. When they are
 * meant to look different, `WRITE_GOLDEN=1 node test/systems/apogee/a08.test.ts` writes the files anew: look at them in a
 * browser before you commit them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { change, done, mailsTo, opened } from '../../support/broker.ts';
import {
  addApogeeOffice,
  addDemoTemplate,
  apogeeConstants,
  type DemoTemplate,
  demoLogo,
  readDemoTemplate,
} from '../../support/demo-templates.ts';
import { postFile, uploadFile } from '../../support/documents.ts';
import { type Sending, startSending } from '../../support/sending.ts';

/** A2, A3, A4 and A7. */
const keys = [
  'relance-pieces-justificatives',
  'relance-paiement',
  'inscrits-sans-inscription-pedagogique',
  'correcteurs-notes-manquantes',
] as const;

interface Office extends Sending {
  /** Paths of the layouts. */
  layouts: { etudiants: string; enseignants: string };
  /** By key. */
  templates: Record<string, { path: string; template: DemoTemplate }>;
}

async function startOffice(t: Test, wanted: readonly string[] = keys): Promise<Office> {
  const service = await startSending(t);
  const layouts = await addApogeeOffice(service);
  const templates: Office['templates'] = {};
  for (const key of wanted) {
    const template = readDemoTemplate('apogee', key);
    templates[key] = { path: await addDemoTemplate(service, template), template };
  }
  return { ...service, layouts, templates };
}

const maelys = 'maelys@etudiants.example';

/** A message to a student with the sample's data. @returns its id. */
async function sendTo(office: Office, key: string, more: object = {}): Promise<string> {
  const data = office.templates[key]?.template.sample;
  const { messages } = await office.send([{ to: { address: maelys }, data }], { template: key, ...more });
  return messages[0] ?? '';
}

async function previewOf(office: Office, key: string): Promise<string> {
  const { path = '', template } = office.templates[key] ?? {};
  const { html } = await done(office.inject('POST', `${path}/preview`, { body: { data: template?.sample } }));
  return html;
}

t.test('A8 · the mails of A2, A3, A4 and A7 look as they are meant to, byte for byte', async (t) => {
  const office = await startOffice(t);
  for (const key of keys) {
    const file = new URL(`golden/${key}.html`, import.meta.url);
    const html = await previewOf(office, key);
    if (process.env.WRITE_GOLDEN === '1') writeFileSync(file, html);
    t.equal(html, readFileSync(file, 'utf8'), key);
    await sendTo(office, key);
    await office.work();
    const seen = await opened(mailsTo(office.sink, maelys).at(-1));
    t.equal(seen.html?.replaceAll('\r\n', '\n').trimEnd(), html.trimEnd(), 'and this is what arrives');
    t.equal(seen.attachments[0]?.contentId, `<${/cid:([^"]+)/.exec(html)?.[1]}>`, 'with its logo');
  }
});

t.test('A8 · the identity block is name, first name, number and birth date; for markers the names only', async (t) => {
  const office = await startOffice(t, [keys[0], keys[3]]);
  const identityOf = (html: string) =>
    /<td class="identity"[^>]*>(.*?)<\/td>/s.exec(html)?.[1]?.replace(/<[^>]+>/g, '|');
  t.equal(
    identityOf(await previewOf(office, keys[0])),
    '|Maëlys Le Goff-D’Aubigné||Numéro étudiant\u00a0: 22604817|Date de naissance\u00a0: 1er mars 2006',
  );
  t.equal(identityOf(await previewOf(office, keys[3])), '|Gaëtan Kerbrat|');
});

t.test('A8 · logo, year and identity are optional; sections come in their order, with the office’s HTML', async (t) => {
  const { inject } = await startSending(t);
  const create = (path: string, body: object) => done(inject('POST', path, { body }));
  await create('/v1/layouts', { key: 'nu', title: 'Sans rien' });
  const template = await create('/v1/templates', { key: 'libre', title: 'Libre', channel: 'mail' });
  const versions = `/v1/templates/${template.id}/versions`;
  const sections = {
    signature: '<p><em>Le service</em></p>',
    information: '<table border="1"><tr><td>Bureau&nbsp;12</td></tr></table>',
    list: '<ul>{% for x in liste %}<li>{{ x }}</li>{% endfor %}</ul>',
    body: '<p>Corps</p>',
    header: '<p style="color: #b00000">Bonjour <u>{{ nom }}</u></p>',
  };
  await create(versions, { subject: 'Libre', layoutId: 'nu', sections });
  const data = { nom: 'A & B', liste: ['<un>', 'deux'] };
  const { html, text } = await create(`/v1/templates/${template.id}/preview`, { data });
  t.notMatch(html, /<img|class="(?:masthead|identity|logo|year)"|universitaire/);
  const places = ['<u>A &amp; B</u>', 'Corps', '&lt;un&gt;</li>', 'Bureau&nbsp;12', '<em>Le service</em>'];
  const found = places.map((place) => html.indexOf(place));
  t.ok(
    found.every((at, index) => at > (found[index - 1] ?? 0)),
    `${places} are at ${found}`,
  );
  t.match(html, /style="[^"]*color: #b00000;?"/, 'the office’s own style wins');
  t.equal(text, 'Bonjour A & B\n\nCorps\n\n * <un>\n * deux\n\nBureau\u00a012\n\nLe service');

  await create(versions, { subject: 'Libre', layoutId: 'nu', sections: { body: '<p>Seul</p>' } });
  const alone = await create(`/v1/templates/${template.id}/preview`, { data, version: 2 });
  t.equal(alone.text, 'Seul');
  t.notMatch(alone.html, /class="(?:header|list|information|signature)"/, 'what is not written leaves nothing');
});

t.test(
  'A8 · [URL_PJ_WEB] is the organisation’s constant; a message that waits keeps the one it was made with',
  async (t) => {
    const office = await startOffice(t, [keys[0]]);
    const old = apogeeConstants.URL_PJ_WEB;
    const waiting = await sendTo(office, keys[0], { validation: 'manual' });
    await change(office, '/v1/tenant', { constants: { URL_PJ_WEB: 'https://nouveau.example/pj?a=1&b=2' } });
    t.match(await previewOf(office, keys[0]), '<a href="https://nouveau.example/pj?a=1&amp;b=2"');
    await done(office.post(`/v1/messages/${waiting}/validate`, {}));
    await office.work();
    const seen = await opened(mailsTo(office.sink, maelys)[0]);
    t.match(seen.html, `<a href="${old}"`);
    t.match(seen.text, `espace étudiant\u00a0: ${old}.`);

    await change(office, '/v1/tenant', { constants: {} });
    const without = await sendTo(office, keys[0]);
    t.match(await office.message(without), { status: 'KO', reason: 'field_missing' }, 'none is sent without it');
    await change(office, '/v1/tenant', { constants: { URL_PJ_WEB: 'javascript:alert(1)' } });
    const { path = '', template } = office.templates[keys[0]] ?? {};
    const { problems } = await done(office.post(`${path}/check`, { data: template?.sample }));
    t.match(
      problems,
      [
        { code: 'template_error', severity: 'error', subject: 'unsafe_link' },
        { code: 'field_as_link', severity: 'warning', part: 'sections/information' },
      ],
      'the check tells so',
    );
    const unsafe = await sendTo(office, keys[0]);
    t.match(await office.message(unsafe), { status: 'KO', reason: 'template_error' }, 'nor with a program for a link');
  },
);

t.test('A8 · a new year is a new version of each template with the layout; what waits stays as approved', async (t) => {
  const office = await startOffice(t);
  const waiting = await sendTo(office, keys[0], { validation: 'manual' });
  const approved = await office.message(waiting);
  const shown = await done(office.inject('GET', `/v1/messages/${waiting}/preview.html`));
  t.match(shown, 'Année universitaire 2026-2027');

  const layout = await change(office, office.layouts.etudiants, { academicYear: '2027-2028' });
  t.equal(layout.version, 2);
  for (const key of keys) {
    const path = office.templates[key]?.path ?? '';
    const version = key === 'correcteurs-notes-manquantes' ? 1 : 2;
    t.equal((await done(office.inject('GET', path))).currentVersion, version, `${key}: version ${version}`);
    const current = await done(office.inject('GET', `${path}/versions/${version}`));
    t.match(current, { status: 'published', layoutVersion: version });
    t.match(await previewOf(office, key), `Année universitaire ${version === 2 ? '2027-2028' : '2026-2027'}`);
  }
  const kept = await office.message(waiting);
  t.equal(kept.contentHash, approved.contentHash);
  t.equal(kept.template.version, 1);
  t.equal(await done(office.inject('GET', `/v1/messages/${waiting}/preview.html`)), shown);
  const fresh = await sendTo(office, keys[0]);
  const { contentHash } = approved;
  await done(office.post(`/v1/messages/${waiting}/validate`, { contentHash }));
  await office.work();
  t.match(await office.message(fresh), { status: 'OK', template: { version: 2 } });
  const years = await Promise.all(
    mailsTo(office.sink, maelys).map(async (mail) => /universitaire (\S+)/.exec((await opened(mail)).text ?? '')?.[1]),
  );
  t.same(years.sort(), ['2026-2027', '2027-2028']);

  await change(office, office.layouts.etudiants, { title: 'Étudiants' });
  const { currentVersion } = await done(office.inject('GET', office.templates[keys[0]]?.path ?? ''));
  t.equal(currentVersion, 2, 'a title that no mail shows makes none');
});

t.test('A8 · a frame of one’s own has a place for each section that is written, and no other places', async (t) => {
  const office = await startOffice(t, [keys[3]]);
  const { enseignants } = office.layouts;
  const frame = (...slots: string[]) => `<div>${slots.map((slot) => `{{ slot.${slot} }}`).join('<hr>')}</div>`;
  const ask = async (html: string) => {
    const { headers } = await office.inject('GET', enseignants);
    return office.inject('PATCH', enseignants, { body: { html }, headers: { 'if-match': String(headers.etag) } });
  };
  t.match(await ask(frame('header', 'body', 'list', 'information')), {
    status: 422,
    body: {
      code: 'template_invalid',
      errors: [{ pointer: '/sections/signature', code: 'section_without_place', message: /^correcteurs-notes-manq/ }],
    },
  });
  t.match(await ask(frame('header', 'adresse')), {
    status: 422,
    body: { errors: [{ pointer: '/html', code: 'slot_unknown' }] },
  });
  t.equal((await done(office.inject('GET', enseignants))).version, 1, 'nothing has changed');
  t.equal((await ask(frame('signature', 'header', 'body', 'list', 'information', 'logo'))).status, 200);
  const html = await previewOf(office, keys[3]);
  t.ok(html.indexOf('bureau des examens') < html.indexOf('Bonjour'), 'the frame decides the order');
  t.match(html, '<img class="logo" src="cid:');
});

t.test('A8 · a layout in use is not deleted: the refusal names each template', async (t) => {
  const office = await startOffice(t, keys.slice(0, 2));
  const { etudiants, enseignants } = office.layouts;
  t.match(await office.inject('DELETE', etudiants), {
    status: 409,
    body: {
      code: 'in_use',
      errors: [
        { code: 'used_by_template', message: 'relance-paiement has a version with it' },
        { code: 'used_by_template', message: 'relance-pieces-justificatives has a version with it' },
      ],
    },
  });
  t.equal((await office.inject('DELETE', enseignants)).status, 204, 'one that nobody uses is');
});

t.test('A8 · a logo is a picture of 300 kB at most', async (t) => {
  const office = await startOffice(t, []);
  const refuse = async (logo: string, code: string) => {
    const body = { key: 'autre', title: 'Autre', logo };
    const made = await office.inject('POST', '/v1/layouts', { body });
    t.match(made, { status: 422, body: { errors: [{ pointer: '/logo', code }] } });
    const { headers } = await office.inject('GET', office.layouts.etudiants);
    const changed = await office.inject('PATCH', office.layouts.etudiants, {
      body: { logo },
      headers: { 'if-match': String(headers.etag) },
    });
    t.match(changed, { status: 422, body: { errors: [{ pointer: '/logo', code }] } }, `${code}, changed too`);
  };
  const padded = (bytes: number) => Buffer.concat([demoLogo().content, Buffer.alloc(bytes)]).subarray(0, bytes);
  await refuse(
    await uploadFile(office, { filename: 'logo.txt', mediaType: 'text/plain', content: 'Logo' }),
    'not_a_picture',
  );
  await refuse(await uploadFile(office, { ...demoLogo(), content: padded(300_001) }), 'too_large');
  await refuse('00000000-0000-7000-8000-000000000000', 'document_unknown');
  const disguised = await postFile(office, { ...demoLogo(), content: '<svg/>' });
  t.equal(disguised.status, 422, 'what only says that it is a picture is no document');
  const logo = await uploadFile(office, { ...demoLogo(), content: padded(300_000) });
  t.equal((await change(office, office.layouts.etudiants, { logo })).logo, logo);
  t.equal((await change(office, office.layouts.etudiants, { logo: null })).logo, null, 'and it can be taken away');
});
