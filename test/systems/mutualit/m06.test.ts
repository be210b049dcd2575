import t from 'tap';
import { makeNotices } from '../../http/notices.ts';
import { startService } from '../../support/service.ts';
import { must, templatesFound } from '../../support/templates.ts';

t.test('M6 · deleting a template is final, and what was sent with it stays in the history', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send(['anna@courriel.example'], { validation: 'automatic' });
  await service.work();
  const before = must(await notices.message(id), 200);
  t.equal(before.status, 'OK');
  const preview = await service.inject('GET', `/v1/messages/${id}/preview.html`);
  const path = `/v1/templates/${notices.template.id}`;
  t.equal((await service.inject('DELETE', path)).status, 204);

  for (const gone of [path, `${path}/versions`, `${path}/versions/1`, `${path}/versions/1/diff`]) {
    t.equal((await service.inject('GET', gone)).status, 404, gone);
  }
  const body = { title: 'Encore' };
  t.equal((await service.inject('PATCH', path, { body, headers: { 'if-match': '*' } })).status, 404);
  t.equal((await service.inject('POST', `${path}/versions/1/publish`)).status, 404);
  const texts = { subject: 'Encore', text: 'Encore', html: 'Encore' };
  t.equal((await service.inject('POST', `${path}/versions`, { body: texts })).status, 404);
  t.equal((await service.inject('DELETE', path)).status, 404);
  t.same(await templatesFound(service, 'limit=10'), []);
  await t.rejects(notices.send(['anna@courriel.example']), /template_unknown/);

  t.same(must(await notices.message(id), 200), before, 'the message says what it said');
  t.equal(
    (await service.inject('GET', `/v1/messages/${id}/preview.html`)).raw.toString(),
    preview.raw.toString(),
    'and shows what was sent',
  );
  for (const template of ['avis', notices.template.id]) {
    const found = must(await service.inject('GET', `/v1/messages?template=${template}`), 200).items;
    t.match(found, [{ id }], `it is found by ${template}`);
  }
});

t.test('M6 · the key of a deleted template is free, and the old messages are not the new one’s', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [old = ''] = await notices.send(['anna@courriel.example'], { validation: 'automatic' });
  await service.work();
  must(await service.inject('DELETE', `/v1/templates/${notices.template.id}`), 204);
  const again = { key: 'avis', title: 'Avis', channel: 'mail' };
  const made = must(await service.inject('POST', '/v1/templates', { body: again }), 201);
  const texts = { subject: 'Nouveau {{ contrat }}', text: '{{ nom }}', html: '<p>{{ nom }}</p>' };
  must(await service.inject('POST', `/v1/templates/${made.id}/versions`, { body: texts }), 201);
  must(await service.inject('POST', `/v1/templates/${made.id}/versions/1/publish`), 200);
  const [young = ''] = await notices.send(['anna@courriel.example']);
  t.match(must(await notices.message(young), 200), { template: { id: made.id }, subject: 'Nouveau C-0' });
  t.match(must(await notices.message(old), 200), { template: { id: notices.template.id }, subject: 'Échéance C-0' });
  const found = must(await service.inject('GET', `/v1/messages?template=${made.id}`), 200).items;
  t.match(found, [{ id: young }]);
  t.equal(found.length, 1);
});

t.test('M6 · what failed or was blocked before its template was deleted can still be sent by a person', async (t) => {
  const service = await startService(t);
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send(['anna@courriel.example']);
  must(await notices.act(id, 'block'), 200);
  must(await service.inject('DELETE', `/v1/templates/${notices.template.id}`), 204);
  must(await notices.act(id, 'validate'), 200);
  await service.work();
  t.match(must(await notices.message(id), 200), { status: 'OK', subject: 'Échéance C-0' });
});
