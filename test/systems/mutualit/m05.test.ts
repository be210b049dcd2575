import t from 'tap';
import { makeExtractedNotices } from '../../support/extracted-notices.ts';
import { addFieldLists } from '../../support/field-lists.ts';
import { startService } from '../../support/service.ts';
import { addTemplate, must } from '../../support/templates.ts';

const anyRevision = { 'if-match': '*' };
const texts = { subject: '{{ numero }}', text: '{{ personne.nom }}', html: '<p>{{ personne.civilite }}</p>' };

t.test('M5 · changing a list of fields tells at once which templates read what is gone', async (t) => {
  const service = await startService(t);
  const lists = await addFieldLists(service);
  const path = await addTemplate(service, { key: 'fiche', trigger: 'person', pages: ['dossier'] }, texts);
  await addTemplate(
    service,
    { key: 'agenda', trigger: 'activity' },
    { subject: '{{ action_date }}', text: 'a', html: 'a' },
  );
  t.match(must(await service.inject('GET', String(lists.personne)), 200), { broken: [] });

  const fields = {
    type: 'object',
    properties: {
      personne: { type: 'object', properties: { noms: { type: 'string' }, civilite: { type: 'string' } } },
    },
  };
  const changed = must(
    await service.inject('PATCH', String(lists.personne), { body: { fields }, headers: anyRevision }),
    200,
  );
  t.same(changed.broken, [
    {
      id: path.split('/').at(-1),
      key: 'fiche',
      version: 1,
      fields: [{ path: 'personne.nom', trigger: null, suggestion: 'personne.noms' }],
    },
  ]);
  t.same(changed.fields, fields);
  t.match(must(await service.inject('GET', String(lists.action)), 200), { broken: [] }, 'another list breaks nothing');
  t.match(must(await service.inject('GET', '/v1/field-lists'), 200).items, [
    { key: 'dossier', broken: [{ key: 'fiche' }] },
    { key: 'action', broken: [] },
    { key: 'personne', broken: [{ key: 'fiche' }] },
  ]);

  const mended = { ...texts, text: '{{ personne.noms }}' };
  must(await service.inject('POST', `${path}/versions`, { body: mended }), 201);
  must(await service.inject('POST', `${path}/versions/2/publish`), 200);
  t.match(must(await service.inject('GET', String(lists.personne)), 200), { broken: [] });
});

t.test('M5 · a list whose fields a published template reads cannot be deleted: the answer names both', async (t) => {
  const service = await startService(t);
  const lists = await addFieldLists(service, ['dossier']);
  const path = await addTemplate(
    service,
    { key: 'fiche', pages: ['dossier'] },
    { subject: '{{ numero }}', text: 'a', html: 'a' },
  );
  t.match(await service.inject('DELETE', String(lists.dossier)), {
    status: 409,
    body: { code: 'in_use', errors: [{ code: 'used_by_template', message: 'fiche reads numero' }] },
  });
  must(await service.inject('DELETE', path), 204);
  must(await service.inject('DELETE', String(lists.dossier)), 204);
  t.equal((await service.inject('GET', String(lists.dossier))).status, 404);
});

t.test(
  'M5 · changing an extraction tells at once which templates read what is gone, before it is kept too',
  async (t) => {
    const service = await startService(t);
    const { inject } = service;
    const notices = await makeExtractedNotices(t, service, { texts: { text: '{{ nom_benef }} {{ mail }}' } });
    // A template of the page that names no extraction is served by it too; one of another page is not.
    const body = { subject: '{{ mail }}', text: 'a', html: 'a' };
    await addTemplate(service, { key: 'page', pages: ['beneficiaire'] }, body);
    await addTemplate(service, { key: 'autre', pages: ['contrat'] }, { ...body, subject: 'a' });
    t.match(must(await inject('GET', notices.extraction), 200), { broken: [] });

    const query = 'select membre as cle, nom_benef, mail as courriel from benef where membre = any(:keys)';
    const lost = [{ path: 'mail', trigger: null, suggestion: null }];
    const broken = [
      { key: 'courrier', version: 1, fields: lost },
      { key: 'page', version: 1, fields: lost },
    ];
    const keys = ['B-1'];
    const tried = must(await inject('POST', `${notices.extraction}/run`, { body: { keys, query } }), 200);
    t.match(tried, { broken, kept: false });
    t.match(must(await inject('GET', notices.extraction), 200), { broken: [] }, 'nothing was kept');
    const changed = must(await inject('PATCH', notices.extraction, { body: { query }, headers: anyRevision }), 200);
    t.match(changed, { broken, fields: { properties: { courriel: {} } } });
    t.match(must(await inject('GET', '/v1/extractions'), 200).items, [{ broken }]);

    must(await inject('PATCH', notices.extraction, { body: { pages: ['contrat'] }, headers: anyRevision }), 200);
    t.match(must(await inject('GET', notices.extraction), 200), { broken: [{ key: 'courrier' }] });
    const again = { ...body, subject: '{{ nom_benef }}', text: '{{ courriel }}' };
    must(await inject('POST', `${notices.template}/versions`, { body: again }), 201);
    must(await inject('POST', `${notices.template}/versions/2/publish`), 200);
    t.match(must(await inject('GET', notices.extraction), 200), { broken: [] });
  },
);

t.test(
  'M5 · an extraction that a template names or needs cannot be deleted: the answer has a line for each',
  async (t) => {
    const service = await startService(t);
    const { inject } = service;
    const notices = await makeExtractedNotices(t, service);
    const page = await addTemplate(
      service,
      { key: 'page', pages: ['beneficiaire'] },
      { subject: '{{ mail }}', text: 'a', html: 'a' },
    );
    t.match(await inject('DELETE', notices.extraction), {
      status: 409,
      body: {
        code: 'in_use',
        errors: [
          { code: 'named_by_template', message: 'courrier names it' },
          { code: 'used_by_template', message: 'courrier reads nom_benef' },
          { code: 'used_by_template', message: 'page reads mail' },
        ],
      },
    });
    must(await inject('DELETE', notices.template), 204);
    t.match(await inject('DELETE', notices.extraction), {
      status: 409,
      body: { errors: [{ message: 'page reads mail' }] },
    });
    must(await inject('DELETE', page), 204);
    must(await inject('DELETE', notices.extraction), 204);
    t.equal((await inject('GET', notices.extraction)).status, 404);
  },
);
