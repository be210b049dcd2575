/** M11 · Default recipient: a structure's own mail, else its parent's; a provider's, or the accounting one; the member's. */
import t from 'tap';
import { mail, startPeople } from '../../support/people.ts';
import { addTemplate } from '../../support/templates.ts';

t.test('M11 · a structure by its own mail among its other coordinates, else that of the structure above', async (t) => {
  const { put, write, arrived } = await startPeople(t);
  await put('structure:group', { addresses: [mail('groupe@s.example')] });
  await put('structure:region', { partOf: 'external:structure:group', addresses: [] });
  const postal = { kind: 'postal', value: '1 rue de la Paix\n75002 Paris' };
  const coordinates = [{ kind: 'landline', value: '01 42 61 52 53' }, postal];
  await put('structure:site', { partOf: 'external:structure:region', addresses: coordinates });
  await put('structure:own', {
    partOf: 'external:structure:group',
    addresses: [...coordinates, mail('site@s.example')],
  });
  const { outcomes } = await write(['structure:site', 'structure:region', 'structure:own', 'structure:group']);
  t.same(outcomes, ['OK', 'OK', 'OK', 'OK']);
  t.same(arrived(), ['groupe@s.example', 'groupe@s.example', 'site@s.example', 'groupe@s.example']);
});

t.test('M11 · the structure above is found however many stand between', async (t) => {
  const { put, write, arrived } = await startPeople(t);
  await put('structure:0', { addresses: [mail('groupe@s.example')] });
  for (let n = 1; n <= 10; n += 1) await put(`structure:${n}`, { partOf: `external:structure:${n - 1}` });
  t.same((await write(['structure:5', 'structure:6', 'structure:10'])).outcomes, ['OK', 'OK', 'OK']);
  t.same(new Set(arrived()), new Set(['groupe@s.example']));
});

t.test('M11 · a provider by its own mail, or by the accounting one where the template says so', async (t) => {
  const service = await startPeople(t);
  const { put, write, arrived } = service;
  await put('provider:1', {
    addresses: [mail('cabinet@p.example', { preferred: true }), mail('compta@p.example', { role: 'accounting' })],
  });
  await addTemplate(service, { key: 'releve', addressPolicy: 'role:accounting' }, { text: 'T', html: '<p>T</p>' });
  await write(['provider:1']);
  await write(['provider:1'], { template: 'releve' });
  t.same(arrived(), ['cabinet@p.example', 'compta@p.example']);
});

t.test('M11 · for a person of a household the member’s address, else their own', async (t) => {
  const { put, write, arrived, message } = await startPeople(t);
  await put('member:1', { displayName: 'Paule Roy', addresses: [mail('paule@foyer.example')] });
  await put('member:2', { addresses: [] });
  const child = (n: number) => ({
    displayName: `Enfant ${n}`,
    householdOf: `external:member:${n}`,
    addresses: [mail(`enfant${n}@foyer.example`)],
  });
  for (const n of [1, 2]) await put(`dependant:${n}`, child(n));
  const { messages, outcomes } = await write(['dependant:1', 'dependant:2']);
  t.same(outcomes, ['OK', 'OK']);
  t.same(arrived(), ['paule@foyer.example', 'enfant2@foyer.example']);
  t.match(await message(messages[0] ?? ''), { to: { name: 'Paule Roy' }, recipient: String });
});
