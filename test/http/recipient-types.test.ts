import t from 'tap';
import { startService } from '../support/service.ts';
import { must } from '../support/templates.ts';

const anyRevision = { 'if-match': '*' };

t.test('an organisation begins with types, adds its own, and changes how those of a type are reached', async (t) => {
  const { inject } = await startService(t);
  const { items } = must(await inject('GET', '/v1/recipient-types?limit=50'), 200);
  t.same(items.map(({ key }: { key: string }) => key).sort(), [
    'client',
    'company',
    'contact',
    'dependant',
    'member',
    'provider',
    'structure',
    'student',
  ]);
  const made = must(
    await inject('POST', '/v1/recipient-types', { body: { key: 'praticien', title: 'Praticien' } }),
    201,
  );
  t.match(made, { reachedThrough: 'own' });
  t.match(await inject('POST', '/v1/recipient-types', { body: { key: 'praticien', title: 'Autre' } }), {
    status: 409,
    body: { code: 'conflict' },
  });
  const path = `/v1/recipient-types/${made.id}`;
  const changed = await inject('PATCH', path, { body: { reachedThrough: 'contact' }, headers: { 'if-match': '"1"' } });
  t.match(changed, { status: 200, body: { reachedThrough: 'contact', title: 'Praticien' } });
  t.match(await inject('PATCH', path, { body: { title: 'X' }, headers: { 'if-match': '"1"' } }), { status: 412 });
  t.match(await inject('GET', '/v1/recipient-types?key=praticien'), { body: { items: [{ id: made.id }] } });
});

t.test('a recipient of an unknown type is refused, by every way of making one', async (t) => {
  const { inject } = await startService(t);
  const unknown = { status: 422, body: { errors: [{ pointer: '/type', code: 'recipient_type_unknown' }] } };
  t.match(await inject('POST', '/v1/recipients', { body: { type: 'licorne', externalId: '1' } }), unknown);
  t.match(await inject('PUT', '/v1/recipients/external:licorne:1', { body: {} }), unknown);
  must(await inject('PUT', '/v1/recipients/external:client:1', { body: {} }), 201);
  const body = { type: 'licorne' };
  t.match(await inject('PATCH', '/v1/recipients/external:client:1', { body, headers: anyRevision }), unknown);
  t.match(await inject('GET', '/v1/recipients/external:client:1'), { status: 200, body: { type: 'client' } });
});

t.test('a type that recipients have is not deleted', async (t) => {
  const { inject } = await startService(t);
  const { items } = must(await inject('GET', '/v1/recipient-types?key=client'), 200);
  const path = `/v1/recipient-types/${items[0].id}`;
  must(await inject('PUT', '/v1/recipients/external:client:1', { body: {} }), 201);
  t.match(await inject('DELETE', path), { status: 409, body: { code: 'in_use' } });
  t.equal((await inject('DELETE', '/v1/recipients/external:client:1')).status, 204);
  t.equal((await inject('DELETE', path)).status, 204);
  t.equal((await inject('GET', path)).status, 404);
});
