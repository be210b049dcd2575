/** M9 · A notification goes by the channels that the mutual has activated and the member has chosen. */
import t from 'tap';
import { mail, startPeople } from '../../support/people.ts';
import { addTemplate, must } from '../../support/templates.ts';

t.test('M9 · by the channel that both accept, or not at all; an inactive type sends nothing', async (t) => {
  const service = await startPeople(t);
  const { put, write, choose, inject, arrived } = service;
  const type = { key: 'remboursement', title: 'Remboursement envoyé', channels: ['mail', 'sms'], defaultChoice: 'off' };
  const { id } = must(await inject('POST', '/v1/notification-types', { body: type }), 201);
  await addTemplate(service, { key: 'rbt', notificationType: 'remboursement' }, { text: 'T', html: '<p>T</p>' });
  for (const name of ['yes', 'no', 'silent']) await put(`member:${name}`, { addresses: [mail(`${name}@m.example`)] });
  await choose('member:yes', 'remboursement', true);
  await choose('member:no', 'remboursement', false);
  const everyone = ['member:yes', 'member:no', 'member:silent'];
  const notified = async () => {
    const body = { template: undefined, notificationType: 'remboursement' };
    const { outcomes } = await write(everyone, body);
    return [outcomes, arrived()];
  };
  const change = async (body: object) =>
    must(await inject('PATCH', `/v1/notification-types/${id}`, { body, headers: { 'if-match': '*' } }), 200);
  const [ok, off] = ['OK', 'B choice_off'];
  t.same(await notified(), [[ok, off, off], ['yes@m.example']]);
  await change({ defaultChoice: 'on' });
  t.same(await notified(), [
    [ok, off, ok],
    ['yes@m.example', 'silent@m.example'],
  ]);
  await change({ channels: ['sms'] });
  t.same(await notified(), [[off, off, off], []], 'the mutual does not offer it by mail');
  await change({ channels: ['mail'], active: false });
  t.same(await notified(), [[off, off, off], []], 'inactive');
});

t.test('M9 · dependants have the choices of their member', async (t) => {
  const service = await startPeople(t, { notificationType: 'avis' });
  const { put, write, choose, inject, arrived } = service;
  await put('member:1', { addresses: [mail('parent@foyer.example')] });
  await put('dependant:1', { householdOf: 'external:member:1', addresses: [mail('enfant@foyer.example')] });
  t.same((await write(['dependant:1'])).outcomes, ['OK']);
  await choose('member:1', 'avis', false);
  t.same((await write(['dependant:1', { to: { address: 'enfant@foyer.example' } }])).outcomes, [
    'B choice_off',
    'B choice_off',
  ]);
  const held = must(await inject('GET', '/v1/recipients/external:dependant:1/choices'), 200);
  t.match(held.choices, [{ accepted: false, chosen: true, own: null }]);
  const answer = await choose('dependant:1', 'avis', true);
  t.match(answer.choices, [{ accepted: false, own: { accepted: true } }], 'nobody says more than their member');
  arrived();
  t.same((await write(['dependant:1'])).outcomes, ['B choice_off']);
  t.same(arrived(), []);
});

t.test('M9 · of several templates of a kind each person gets that of their type, else that for all', async (t) => {
  const service = await startPeople(t);
  const { put, post, send, work, arrived, message, inject } = service;
  must(await post('/v1/notification-types', { key: 'avis', title: 'Avis', defaultChoice: 'on' }), 201);
  const keys = new Map<string, string>();
  const add = async (key: string, recipientTypes: string[]) => {
    const template = { key, notificationType: 'avis', recipientTypes };
    const path = await addTemplate(service, template, { text: 'T', html: '<p>T</p>' });
    keys.set(path.slice('/v1/templates/'.length), key);
  };
  for (const type of ['client', 'member', 'provider']) {
    await put(`${type}:1`, { addresses: [mail(`${type}@p.example`)] });
  }
  const { id } = must(await inject('GET', '/v1/recipients/external:member:1'), 200);
  const rows = [
    { recipient: 'external:client:1' },
    { recipient: id },
    { recipient: 'external:provider:1' },
    { recipient: 'external:member:none' },
    { to: { address: 'nobody@p.example' } },
  ].map((row) => ({ ...row, data: { name: 'N' } }));
  const served = async () => {
    const answer = await send(rows, { template: undefined, notificationType: 'avis' });
    await work();
    const became = await Promise.all(answer.messages.map(message));
    const { templates } = must(await inject('GET', `/v1/send-requests/${answer.id}`), 200);
    return {
      became: became.map(({ template, status, reason }) =>
        [keys.get(template.id), status, reason].filter(Boolean).join(' '),
      ),
      templates: templates.map(({ key }: { key: string }) => key).sort(),
      arrived: arrived().sort(),
    };
  };
  await add('for-clients', ['client']);
  await add('for-members', ['member']);
  t.same(await served(), {
    became: [
      'for-clients OK',
      'for-members OK',
      'for-clients KO recipient_type_refused',
      'for-members KO recipient_unknown',
      'for-clients OK',
    ],
    templates: ['for-clients', 'for-members'],
    arrived: ['client@p.example', 'member@p.example', 'nobody@p.example'],
  });
  await add('for-all', []);
  await add('for-all-too', []);
  await add('for-members-too', ['member', 'dependant']);
  t.same((await served()).became, [
    'for-clients OK',
    'for-members OK',
    'for-all OK',
    'for-members KO recipient_unknown',
    'for-all OK',
  ]);
});

t.test('M9 · a template that serves no row of a request is not asked for anything', async (t) => {
  const service = await startPeople(t);
  const { put, post, send, inject } = service;
  must(await post('/v1/notification-types', { key: 'avis', title: 'Avis', defaultChoice: 'on' }), 201);
  const texts = { text: 'T', html: '<p>T</p>' };
  const kind = { notificationType: 'avis' };
  await addTemplate(service, { key: 'clients', ...kind, recipientTypes: ['client'], validation: 'manual' }, texts);
  await addTemplate(service, { key: 'members', ...kind, recipientTypes: ['member'] }, texts);
  await put('member:1', { addresses: [mail('m@p.example')] });
  const answer = await send([{ recipient: 'external:member:1' }], { template: undefined, notificationType: 'avis' });
  t.match(must(await inject('GET', `/v1/send-requests/${answer.id}`), 200), {
    validation: 'automatic',
    templates: [{ key: 'members' }],
  });
});

t.test('M9 · a kind of notice that is unknown, or that no template serves, is refused by name', async (t) => {
  const { post, inject } = await startPeople(t);
  const ask = (body: object) =>
    post(
      '/v1/send-requests',
      { recipients: [{ to: { address: 'a@b.example' } }], ...body },
      {
        headers: { 'idempotency-key': JSON.stringify(body) },
      },
    );
  const at = { pointer: '/notificationType' };
  t.match(await ask({ notificationType: 'none' }), {
    status: 422,
    body: { errors: [{ ...at, code: 'notification_type_unknown' }] },
  });
  must(await inject('POST', '/v1/notification-types', { body: { key: 'x', title: 'X', defaultChoice: 'on' } }), 201);
  t.match(await ask({ notificationType: 'x' }), {
    status: 422,
    body: { errors: [{ ...at, code: 'template_unknown' }] },
  });
  t.match(await ask({ notificationType: 'x', template: 'notice' }), {
    status: 422,
    body: { errors: [{ pointer: '/template', code: 'template_choice' }] },
  });
});
