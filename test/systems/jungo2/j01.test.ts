import t from 'tap';
import { startService } from '../../support/service.ts';
import { addTemplate, must, templatesFound } from '../../support/templates.ts';

t.test('J1 · a template names the recipient types it may go to, and only those are offered for a type', async (t) => {
  const service = await startService(t);
  await addTemplate(service, { key: 'porteurs', recipientTypes: ['porteur'] });
  await addTemplate(service, { key: 'partenaires', recipientTypes: ['entreprise', 'contact'] });
  await addTemplate(service, { key: 'tous' });
  t.same(await templatesFound(service, 'recipientType=porteur'), ['porteurs', 'tous']);
  t.same(await templatesFound(service, 'recipientType=contact'), ['partenaires', 'tous']);
  t.same(await templatesFound(service, 'recipientType=membre'), ['tous']);
});

t.test('J1 · a recipient of another type is not written to', async (t) => {
  const service = await startService(t);
  await addTemplate(service, { key: 'porteurs', recipientTypes: ['porteur'] });
  const { inject } = service;
  const fromAddress = 'contact@reseau.example';
  must(await inject('POST', '/v1/senders', { body: { key: 'reseau', fromAddress, isDefault: true } }), 201);
  for (const type of ['porteur', 'entreprise']) {
    must(await inject('POST', '/v1/recipient-types', { body: { key: type, title: type } }), 201);
    const addresses = [{ kind: 'mail', value: `${type}@courriel.example` }];
    must(
      await inject('POST', '/v1/recipients', { body: { type, externalId: '1', displayName: type, addresses } }),
      201,
    );
  }
  const recipients = ['porteur', 'entreprise'].map((type) => ({
    recipient: `external:${type}:1`,
    data: { nom: type },
  }));
  const body = { template: 'porteurs', recipients };
  const headers = { 'idempotency-key': 'types' };
  const request = must(await inject('POST', '/v1/send-requests', { body, headers }), 201);
  t.match(request.messages, [{ status: 'E' }, { status: 'KO', reason: 'recipient_type_refused' }]);
});

t.test('J1 · a newsletter is a mail of the category marketing', async (t) => {
  const service = await startService(t);
  await addTemplate(service, { key: 'lettre', category: 'marketing' });
  await addTemplate(service, { key: 'convocation' });
  t.same(await templatesFound(service, 'category=marketing'), ['lettre']);
});

t.test('J1 · a template shows who made it and who changed it last, and when', async (t) => {
  const service = await startService(t);
  const { inject, clock } = service;
  const body = { key: 'avis', title: 'Avis', channel: 'mail' };
  const as = (user: string) => ({ 'on-behalf-of': user, 'if-match': '*' });
  const made = must(await inject('POST', '/v1/templates', { body, headers: as('adurand') }), 201);
  t.match(made, { createdBy: 'adurand', updatedBy: 'adurand', createdAt: clock.now().toISOString() });
  const path = `/v1/templates/${made.id}`;
  clock.advance(60_000);
  t.match(must(await inject('PATCH', path, { body: { title: 'Avis annuel' }, headers: as('bmartin') }), 200), {
    createdBy: 'adurand',
    updatedBy: 'bmartin',
    createdAt: made.createdAt,
    updatedAt: clock.now().toISOString(),
  });
  const texts = { subject: 'Avis', text: 'Bonjour', html: '<p>Bonjour</p>' };
  must(await inject('POST', `${path}/versions`, { body: texts, headers: as('cpetit') }), 201);
  t.match(must(await inject('GET', path), 200), { updatedBy: 'cpetit' }, 'its texts are a part of it');
  must(await inject('POST', `${path}/versions/1/publish`, { headers: as('dnoir') }), 200);
  t.match(must(await inject('GET', path), 200), { createdBy: 'adurand', updatedBy: 'dnoir' });
  t.match(must(await inject('GET', `${path}/versions/1`), 200), { publishedBy: 'dnoir' });
  const plain = must(await inject('POST', '/v1/templates', { body: { ...body, key: 'sans-nom' } }), 201);
  t.match(plain, { createdBy: /^[0-9a-f-]{36}$/ }, 'the key, where nobody is named');
});
