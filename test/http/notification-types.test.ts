import t from 'tap';
import { startService } from '../support/service.ts';

const notice = { key: 'avis-echeance', title: 'Avis d’échéance', channels: ['mail'], defaultChoice: 'off' };

t.test('the catalogue is kept: create, list, change, delete (M9)', async (t) => {
  const { inject } = await startService(t);
  const created = await inject('POST', '/v1/notification-types', { body: notice });
  t.match(created, { status: 201, body: { ...notice, active: true } });
  t.match(await inject('POST', '/v1/notification-types', { body: notice }), {
    status: 409,
    body: { code: 'conflict' },
  });
  const path = `/v1/notification-types/${created.body.id}`;
  const { headers } = await inject('GET', path);
  const change = { body: { active: false }, headers: { 'if-match': String(headers.etag) } };
  t.match(await inject('PATCH', path, change), { status: 200, body: { active: false } });
  t.equal((await inject('PATCH', path, change)).status, 412);
  t.match((await inject('GET', '/v1/notification-types?active=false&key=avis-echeance')).body, {
    items: [{ key: notice.key }],
  });
  t.same((await inject('GET', '/v1/notification-types?active=true')).body.items, []);
  t.equal((await inject('DELETE', path)).status, 204);
  t.equal((await inject('GET', path)).status, 404);
});

t.test('a kind that somebody refused is not deleted, and so not made again without their word (M10)', async (t) => {
  const { inject } = await startService(t);
  const { id } = (await inject('POST', '/v1/notification-types', { body: notice })).body;
  const person = '/v1/recipients/external:client:C-1';
  await inject('PUT', person, { body: {} });
  const choose = (accepted: boolean) => {
    const body = { choices: [{ notificationType: notice.key, channel: 'mail', accepted }] };
    return inject('PUT', `${person}/choices`, { body });
  };
  t.equal((await choose(false)).status, 200);
  t.match(await inject('DELETE', `/v1/notification-types/${id}`), {
    status: 409,
    body: { code: 'in_use', detail: /inactive/ },
  });
  t.match((await inject('GET', `${person}/choices`)).body, { choices: [{ accepted: false, chosen: true }] });
  t.equal((await choose(true)).status, 200);
  t.equal((await inject('DELETE', `/v1/notification-types/${id}`)).status, 204, 'a yes is nothing to lose');
});

t.test(
  'the box "AE par mail": the default holds until it is ticked, and who ticked it is kept (W5, M10)',
  async (t) => {
    const { inject, runtime, tenant } = await startService(t);
    const type = (await inject('POST', '/v1/notification-types', { body: notice })).body;
    const other = { key: 'remboursement', title: 'Remboursement', channels: ['mail', 'letter'], defaultChoice: 'on' };
    await inject('POST', '/v1/notification-types', { body: other });
    const path = '/v1/recipients/external:client:C-1001';
    const person = (await inject('PUT', path, { body: {} })).body;

    const before = await inject('GET', `${path}/choices`);
    t.match(before.body, {
      choices: [
        { notificationType: 'avis-echeance', channel: 'mail', accepted: false, chosen: false, author: null },
        { notificationType: 'remboursement', channel: 'mail', accepted: true, chosen: false },
        { notificationType: 'remboursement', channel: 'letter', accepted: true, chosen: false },
      ],
    });
    const ticked = await inject('PUT', `${path}/choices`, {
      body: { choices: [{ notificationType: type.id, channel: 'mail', accepted: true, source: 'AE par mail' }] },
      headers: { 'on-behalf-of': 'mdupont' },
    });
    t.match(ticked, {
      status: 200,
      body: { choices: [{ accepted: true, chosen: true, author: 'mdupont', source: 'AE par mail' }] },
    });
    const second = { choices: [{ notificationType: 'remboursement', channel: 'letter', accepted: false }] };
    t.match((await inject('PUT', `${path}/choices`, { body: second })).body, {
      choices: [{ accepted: true }, { accepted: true }, { accepted: false, author: /^[0-9a-f-]{36}$/ }],
    });
    t.match((await inject('GET', `/v1/audit-entries?resourceType=recipient&resourceId=${person.id}`)).body, {
      items: [
        { fields: ['choices.remboursement.letter'] },
        { fields: ['choices.avis-echeance.mail'], actorUser: 'mdupont' },
      ],
    });

    const { refusingHolders } = await import('../../src/recipients/permissions/choices.ts');
    const { getNotificationType } = await import('../../src/recipients/permissions/notification-types.ts');
    const stranger = '019c0000-0000-7000-8000-000000000000';
    const refused = async (channel: string) => {
      const row = await getNotificationType(runtime.db, tenant.id, type.id);
      return [...(await refusingHolders(runtime.db, tenant.id, row, channel, [person.id, stranger])).keys()];
    };
    t.same(await refused('mail'), [stranger], 'who said nothing has the default');
    t.same(await refused('letter'), [person.id, stranger], 'a channel that is not offered');
    await inject('PATCH', `/v1/notification-types/${type.id}`, {
      body: { active: false },
      headers: { 'if-match': '*' },
    });
    t.same(await refused('mail'), [person.id, stranger], 'an inactive type');
  },
);

t.test('choices that cannot be are refused, each with its pointer', async (t) => {
  const { inject } = await startService(t);
  await inject('POST', '/v1/notification-types', { body: notice });
  await inject('PUT', '/v1/recipients/external:client:C-1', { body: {} });
  const mail = { notificationType: notice.key, channel: 'mail', accepted: true };
  const choices = [mail, mail, { ...mail, channel: 'sms' }, { ...mail, notificationType: 'unknown' }];
  t.match(await inject('PUT', '/v1/recipients/external:client:C-1/choices', { body: { choices } }), {
    status: 422,
    body: {
      errors: [
        { pointer: '/choices/1', code: 'repeated' },
        { pointer: '/choices/2/channel', code: 'channel_not_offered' },
        { pointer: '/choices/3/notificationType', code: 'notification_type_unknown' },
      ],
    },
  });
  const nobody = await inject('PUT', '/v1/recipients/external:client:nobody/choices', { body: { choices: [mail] } });
  t.equal(nobody.status, 404);
  t.equal((await inject('GET', '/v1/recipients/external:client:nobody/choices')).status, 404);
});
