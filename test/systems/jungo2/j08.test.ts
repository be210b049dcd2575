import t from 'tap';
import { startService, type TestService } from '../../support/service.ts';
import { addTemplate, must, templatesFound } from '../../support/templates.ts';

const anyRevision = { 'if-match': '*' };

async function startOffice(t: Parameters<typeof startService>[0]): Promise<TestService> {
  const service = await startService(t);
  const body = { key: 'reseau', fromAddress: 'contact@reseau.example', isDefault: true };
  must(await service.inject('POST', '/v1/senders', { body }), 201);
  must(
    await service.inject('POST', '/v1/channel-accounts', { body: { name: 'O', channel: 'mail', driver: 'outbox' } }),
    201,
  );
  return service;
}

let asked = 0;
const ask = (service: TestService, template: string, extra: object = {}) => {
  asked += 1;
  const recipients = [{ to: { address: 'anna@courriel.example' }, data: { nom: 'Anna' } }];
  const headers = { 'idempotency-key': `ask-${asked}` };
  return service.inject('POST', '/v1/send-requests', { body: { template, recipients, ...extra }, headers });
};

t.test('J8 · an inactive template is found, and nothing is asked of it', async (t) => {
  const service = await startOffice(t);
  const path = await addTemplate(service, { key: 'avis' });
  const waiting = must(await ask(service, 'avis'), 201).messages[0];
  must(await service.inject('PATCH', path, { body: { active: false }, headers: anyRevision }), 200);
  t.same(await templatesFound(service, 'active=false'), ['avis']);
  t.match(await ask(service, 'avis'), {
    status: 422,
    body: { errors: [{ pointer: '/template', code: 'template_inactive' }] },
  });
  const validated = await service.inject('POST', `/v1/messages/${waiting.id}/validate`, { body: {} });
  t.equal(validated.status, 200, 'what was asked before is still a person’s to decide');
  must(await service.inject('PATCH', path, { body: { active: true }, headers: anyRevision }), 200);
  t.equal((await ask(service, 'avis')).status, 201);
});

t.test('J8 · a template that messages wait for cannot be deleted: the answer tells how many', async (t) => {
  const service = await startOffice(t);
  const path = await addTemplate(service, { key: 'avis' });
  const ids: string[] = [];
  for (let count = 0; count < 3; count += 1) ids.push(must(await ask(service, 'avis'), 201).messages[0].id);
  must(await ask(service, 'avis', { confirm: false }), 201);
  must(await service.inject('PATCH', '/v1/tenant', { body: { defaultTemplate: 'avis' }, headers: anyRevision }), 200);
  t.match(await service.inject('DELETE', path), {
    status: 409,
    body: {
      code: 'in_use',
      errors: [
        { code: 'used_by_messages', message: '3 messages wait for validation or for their time' },
        { code: 'used_by_drafts', message: '1 draft send requests name it' },
        { code: 'used_as_default' },
      ],
    },
  });
  for (const id of ids) must(await service.inject('POST', `/v1/messages/${id}/block`, { body: {} }), 200);
  must(await service.inject('PATCH', '/v1/tenant', { body: { defaultTemplate: null }, headers: anyRevision }), 200);
  t.match((await service.inject('DELETE', path)).body.errors, [{ code: 'used_by_drafts' }], 'the draft still needs it');
  const drafts = must(await service.inject('GET', '/v1/send-requests'), 200).items;
  const draft = drafts.find(({ status }: { status: string }) => status === 'draft');
  must(await service.inject('POST', `/v1/send-requests/${draft.id}/cancel`), 200);
  t.equal((await service.inject('DELETE', path)).status, 204);
});

t.test('J8 · a template that others than its own tenant name like theirs can be deleted', async (t) => {
  const service = await startOffice(t);
  const path = await addTemplate(service, { key: 'avis' });
  const other = await service.addTenant('Autre');
  const template = { key: 'avis', title: 'Avis', channel: 'mail' };
  must(await service.inject('POST', '/v1/templates', { body: template, key: other.key }), 201);
  const body = { defaultTemplate: 'avis' };
  must(await service.inject('PATCH', '/v1/tenant', { body, headers: anyRevision, key: other.key }), 200);
  t.equal((await service.inject('DELETE', path)).status, 204);
});
