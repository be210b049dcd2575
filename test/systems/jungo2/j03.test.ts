import t from 'tap';
import { addFieldLists } from '../../support/field-lists.ts';
import { startService } from '../../support/service.ts';
import { addTemplate, must } from '../../support/templates.ts';

const texts = (subject: string) => ({ subject, text: 'Bonjour', html: '<p>Bonjour</p>' });

t.test('J3 · fields are offered by trigger, and by page', async (t) => {
  const service = await startService(t);
  await addFieldLists(service);
  const sourcesOf = async (query: string) => {
    const { items } = must(await service.inject('GET', `/v1/fields?${query}`), 200);
    return [...new Set(items.map(({ source }: { source: string }) => source))];
  };
  t.same(await sourcesOf('trigger=person'), ['dossier', 'personne', 'service']);
  t.same(await sourcesOf('trigger=activity'), ['action', 'dossier', 'service']);
  t.same(await sourcesOf('page=agenda'), ['action', 'personne', 'service'], 'lists of all pages');
  t.same(await sourcesOf('page=dossier&trigger=person'), ['dossier', 'personne', 'service']);
  t.match(await service.inject('GET', '/v1/fields?trigger=autre'), {
    status: 400,
    body: { errors: [{ pointer: '/trigger' }] },
  });
});

t.test(
  'J3 · a field of another trigger is refused when the template is saved, and so is one that nothing gives',
  async (t) => {
    const service = await startService(t);
    await addFieldLists(service);
    const path = await addTemplate(
      service,
      { key: 'fiche', trigger: 'person' },
      texts('{{ personne.nom }} {{ recipient.displayName }}'),
    );
    const save = (subject: string, extra: object = {}) =>
      service.inject('POST', `${path}/versions`, { body: { ...texts(subject), ...extra } });
    t.match(await save('{{ personne.nom }} {{ action_date }}'), {
      status: 422,
      body: {
        code: 'template_invalid',
        errors: [
          {
            pointer: '/subject',
            code: 'field_wrong_trigger',
            message: 'line 1, column 23: action_date is a field of the trigger activity',
          },
        ],
      },
    });
    t.match(await save('{{ personne.non }} {{ absent }}'), {
      status: 422,
      body: {
        errors: [
          { code: 'field_unknown', message: 'line 1, column 4: personne.non is given by nothing; personne.nom is' },
          { code: 'field_unknown', message: 'line 1, column 23: absent is given by nothing' },
        ],
      },
    });
    t.match(await save('{{ numero }}'), { status: 201 }, 'without pages of its own it may be on that page');
    t.match(await save('{{ personne.non }}', { allowUnknown: true }), {
      status: 201,
      body: { usedFields: ['personne.non'] },
    });
    const fields = { type: 'object', properties: { absent: { type: 'string' } } };
    t.match(
      await save('{{ absent }} {{ personne.nom }}', { fields }),
      { status: 201, body: { fields } },
      'it may say its own',
    );

    const { problems } = must(await service.inject('POST', `${path}/check`, { body: { version: 3 } }), 200);
    t.match(problems, [
      {
        code: 'field_unknown',
        severity: 'error',
        part: 'subject',
        subject: 'personne.non',
        suggestion: 'personne.nom',
      },
    ]);
  },
);

t.test('J3 · a field of another trigger is refused where no list serves the template, too', async (t) => {
  const service = await startService(t);
  await addFieldLists(service, ['action']);
  const { inject } = service;
  const body = { key: 'fiche', title: 'Fiche', channel: 'mail', trigger: 'person' };
  const { id } = must(await inject('POST', '/v1/templates', { body }), 201);
  const save = (subject: string) => inject('POST', `/v1/templates/${id}/versions`, { body: texts(subject) });
  t.match(await save('{{ action_date }}'), { status: 422, body: { errors: [{ code: 'field_wrong_trigger' }] } });
  t.match(await save('{{ ce_qui_vient }}'), { status: 201 });
});

t.test('J3 · what is gone since a text was saved is refused when it is published', async (t) => {
  const service = await startService(t);
  const { personne = '' } = await addFieldLists(service, ['personne']);
  const { inject } = service;
  const body = { key: 'fiche', title: 'Fiche', channel: 'mail', trigger: 'person' };
  const { id } = must(await inject('POST', '/v1/templates', { body }), 201);
  must(await inject('POST', `/v1/templates/${id}/versions`, { body: texts('{{ personne.nom }}') }), 201);
  const fields = { type: 'object', properties: { autre: { type: 'string' } } };
  must(await inject('PATCH', personne, { body: { fields }, headers: { 'if-match': '*' } }), 200);
  t.match(await inject('POST', `/v1/templates/${id}/versions/1/publish`), {
    status: 422,
    body: { code: 'template_invalid', errors: [{ pointer: '/subject', code: 'field_unknown' }] },
  });
  t.match(must(await inject('GET', `/v1/templates/${id}`), 200), { currentVersion: null });
});

t.test('J3 · without a list and without declared fields nothing is unknown', async (t) => {
  const service = await startService(t);
  const path = await addTemplate(service, { key: 'libre' }, texts('{{ ce_qui_vient }}'));
  t.same(must(await service.inject('POST', `${path}/check`, { body: {} }), 200).problems, []);
});
