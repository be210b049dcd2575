import t from 'tap';
import { messageCount, row, rows, startBroker } from '../support/requests.ts';

t.test('a dedupeKey makes one message, within a request and over several, also at once', async (t) => {
  const service = await startBroker(t);
  const { post, addTemplate } = service;
  const recipients = [row(0, { dedupeKey: 'C-0/2027' }), row(1, { dedupeKey: 'C-0/2027' }), row(2)];
  const first = await post({ recipients });
  t.match(first.body, { counts: { created: 2, E: 2 }, repeated: [{ index: 1, template: 'avis' }] });
  const owner = first.body.messages[0].id;
  t.equal(first.body.repeated[0].messageId, owner);
  const second = await post({ recipients });
  t.match(second.body.counts, { created: 1, E: 1 });
  t.same(
    second.body.repeated.map(({ messageId }: { messageId: string }) => messageId),
    [owner, owner],
  );
  await addTemplate('relance');
  t.match((await post({ template: 'relance', recipients })).body.counts, { created: 2 }, 'unique per template');
  t.match((await post({ recipients }, { key: service.tenant.testKey })).body.counts, { created: 2 }, 'tests apart');
  const before = Number(await messageCount(service));
  const shared = rows(40).map((one, index) => ({ ...one, dedupeKey: `at-once-${index}` }));
  const answers = await Promise.all([shared, shared.toReversed(), shared].map((recipients) => post({ recipients })));
  t.ok(answers.every(({ status }) => status === 201));
  t.equal(await messageCount(service), before + 40);
});

t.test('templates[]: one message for each template and recipient', async (t) => {
  const { post, addTemplate } = await startBroker(t);
  await addTemplate('relance');
  const answer = await post({ templates: ['avis', 'relance'], recipients: rows(3) });
  t.match(answer.body.counts, { created: 6, E: 6 });
  t.same(
    answer.body.messages.map(({ index, template }: Record<string, unknown>) => `${template} ${index}`),
    ['avis 0', 'avis 1', 'avis 2', 'relance 0', 'relance 1', 'relance 2'],
  );
  t.match(await post({ templates: ['avis', 'avis'], recipients: rows(1) }), { status: 400 });
  t.match(await post({ templates: ['avis', 'none'], recipients: rows(1) }), {
    status: 422,
    body: { errors: [{ pointer: '/templates/1', code: 'template_unknown' }] },
  });
});

t.test('W2 a document type without a template of its own uses the default content', async (t) => {
  const { inject, post, addTemplate } = await startBroker(t);
  await addTemplate('relance', { documentTypes: ['relance-impaye'] });
  const recipients = rows(1);
  t.match((await post({ documentType: 'relance-impaye', recipients })).body.messages, [{ template: 'relance' }]);
  const unknown = { documentType: 'attestation', recipients };
  t.match(await post(unknown), {
    status: 422,
    body: { errors: [{ pointer: '/documentType', code: 'template_unknown' }] },
  });
  const absent = { body: { defaultTemplate: 'nulle-part' }, headers: { 'if-match': '*' } };
  t.match(await inject('PATCH', '/v1/tenant', absent), {
    status: 422,
    body: { errors: [{ pointer: '/defaultTemplate', code: 'template_unknown' }] },
  });
  t.match((await inject('GET', '/v1/tenant')).body, { defaultTemplate: null }, 'nothing was changed');
  const settings = { body: { defaultTemplate: 'avis' }, headers: { 'if-match': '*' } };
  t.equal((await inject('PATCH', '/v1/tenant', settings)).status, 200);
  const answer = await post(unknown);
  t.match(answer.body.messages, [{ template: 'avis', status: 'E' }]);
  t.match((await inject('GET', `/v1/send-requests/${answer.body.id}`)).body, { documentType: 'attestation' });
});

t.test('W10 validation: the strictest decides, and automatic needs the right to validate', async (t) => {
  const { inject, post, act, keyWith, addTemplate } = await startBroker(t);
  const recipients = rows(1);
  const sender = await keyWith(['send:bulk']);
  const validator = await keyWith(['send:bulk', 'messages:validate']);
  const automatic = { validation: 'automatic', recipients };
  t.match(await post({ recipients }, { key: sender }), { status: 201, body: { counts: { E: 1 } } });
  t.match(await post(automatic, { key: sender }), { status: 403, body: { code: 'validation_not_allowed' } });
  t.match(await post(automatic, { key: validator }), { status: 201, body: { counts: { V: 1 } } });
  const draft = await post({ ...automatic, confirm: false }, { key: validator });
  t.match(await act(draft.body.id, 'confirm', {}, { key: sender }), {
    status: 403,
    body: { code: 'validation_not_allowed' },
  });
  t.match(await act(draft.body.id, 'confirm', {}, { key: validator }), { status: 200, body: { counts: { V: 1 } } });
  await addTemplate('stricte', { validation: 'manual' });
  t.match((await post({ ...automatic, template: 'stricte' })).body.counts, { E: 1 });
  await inject('PATCH', '/v1/tenant', { body: { defaultValidation: 'automatic' }, headers: { 'if-match': '*' } });
  t.match((await post({ recipients }, { key: sender })).body.counts, { V: 1 });
  t.match((await post({ recipients, validation: 'manual' }, { key: sender })).body.counts, { E: 1 });
});

t.test('rights: one message with send:single, more with send:bulk; reading and changing have their own', async (t) => {
  const { inject, post, act, keyWith, addTemplate } = await startBroker(t);
  await addTemplate('relance');
  const key = await keyWith(['send:single']);
  const bulk = await keyWith(['send:bulk']);
  const reader = await keyWith(['send-requests:read']);
  t.equal((await post({ recipients: rows(1) }, { key })).status, 201);
  t.match(await post({ recipients: rows(2) }, { key }), {
    status: 403,
    body: { code: 'forbidden', scope: 'send:bulk' },
  });
  const both = { templates: ['avis', 'relance'], recipients: rows(1) };
  t.match(await post(both, { key }), { status: 403, body: { scope: 'send:bulk' } });
  t.match(await post({ recipients: rows(2), dryRun: true }, { key }), { status: 403 });
  t.equal((await post({ recipients: rows(1) }, { key: bulk })).status, 201);
  const draft = (await post({ recipients: rows(2), confirm: false }, { key: bulk })).body.id;
  t.match(await act(draft, 'confirm', {}, { key }), { status: 403, body: { scope: 'send:bulk' } });
  t.match(await act(draft, 'cancel', undefined, { key: bulk }), { status: 403 });
  t.equal((await inject('GET', `/v1/send-requests/${draft}`, { key: bulk })).status, 403);
  t.equal((await inject('GET', `/v1/send-requests/${draft}`, { key: reader })).status, 200);
  t.match(await post({ recipients: rows(1) }, { key: reader }), { status: 403 });
  t.match(await post({ recipients: rows(1) }, { key: null }), { status: 401 });
});
