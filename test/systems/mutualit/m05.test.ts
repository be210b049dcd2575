import t from 'tap';
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
