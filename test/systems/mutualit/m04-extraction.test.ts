import t from 'tap';
import { makeExtractedNotices } from '../../support/extracted-notices.ts';
import { startService } from '../../support/service.ts';
import { must } from '../../support/templates.ts';

const anyRevision = { 'if-match': '*' };
const texts = { subject: 'a', html: 'a' };

t.test('M4 · a template names its extraction, and is held to the fields that it gives', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const notices = await makeExtractedNotices(t, service);
  const shown = must(await inject('GET', notices.template), 200);
  t.equal(`/v1/extractions/${shown.extraction}`, notices.extraction);
  t.match(must(await inject('GET', `/v1/templates?extraction=${shown.extraction}`), 200).items, [{ key: 'courrier' }]);
  const save = (text: string) => inject('POST', `${notices.template}/versions`, { body: { ...texts, text } });
  t.match(await save('Bonjour {{ nom_benef }} {{ prenom_benef }}'), {
    status: 422,
    body: { code: 'template_invalid', errors: [{ pointer: '/text', code: 'field_unknown', message: /prenom_benef/ }] },
  });
  must(await save('{{ nom_benef }} {{ recipient.displayName }}'), 201);
  const checked = must(await inject('POST', `${notices.template}/check`, { body: { version: 2 } }), 200);
  t.same(checked.problems, []);
  const wrong = { body: { extraction: 'personne' }, headers: anyRevision };
  t.match(await inject('PATCH', notices.template, wrong), {
    status: 422,
    body: { errors: [{ pointer: '/extraction', code: 'extraction_unknown' }] },
  });
  must(await inject('PATCH', notices.template, { body: { extraction: null }, headers: anyRevision }), 200);
  must(await save('{{ prenom_benef }}'), 201);
});

t.test('M4 · an extraction that does not say its fields holds a template to nothing', async (t) => {
  const service = await startService(t);
  const notices = await makeExtractedNotices(t, service, { extraction: { fields: null, pages: [] } });
  const body = { ...texts, text: '{{ ce_que_je_veux }}' };
  t.equal((await service.inject('POST', `${notices.template}/versions`, { body })).status, 201);
});
