/** J5 · Reached only with a record, a valid address, and contact accepted by that very address. */
import t from 'tap';
import { mail, startPeople } from '../../support/people.ts';
import { must } from '../../support/templates.ts';

t.test('J5 · contact is accepted by that very address, or the message is blocked', async (t) => {
  const { put, write, arrived } = await startPeople(t);
  const no = { acceptsContact: false };
  await put('client:1', { addresses: [mail('non@c1.example', { ...no, preferred: true }), mail('oui@c1.example')] });
  await put('client:2', { addresses: [mail('non@c2.example', no)] });
  await put('client:3', { addresses: [] });
  const { outcomes } = await write([
    'client:1',
    'client:2',
    'client:3',
    'client:nobody',
    { recipient: 'external:client:1', to: { address: 'non@c1.example' } },
    { to: { address: 'NON@c2.example' } },
  ]);
  t.same(outcomes, [
    'OK',
    'B contact_refused',
    'KO address_missing',
    'KO recipient_unknown',
    'B contact_refused',
    'B contact_refused',
  ]);
  t.same(arrived(), ['oui@c1.example']);
});

t.test('J5 · a mailbox that stands twice in a record is refused by either, and hides no other', async (t) => {
  const { put, write, arrived } = await startPeople(t);
  const no = mail('x@c.example', { role: 'personal', acceptsContact: false });
  const yes = mail('X@c.example', { role: 'institutional', preferred: true });
  await put('client:1', { addresses: [no, yes, mail('y@c.example')] });
  await put('client:2', { addresses: [yes, no] });
  t.same((await write(['client:1', 'client:2'])).outcomes, ['OK', 'B contact_refused']);
  t.same((await write(['client:1'], { addressPolicy: 'both' })).outcomes, ['OK']);
  t.same(arrived(), ['y@c.example', 'y@c.example']);
});

t.test('J5 · a partner company is reached through its reference contact, and through nobody else', async (t) => {
  const { put, write, arrived, inject } = await startPeople(t);
  const type = { key: 'partner-company', title: 'Entreprise partenaire', reachedThrough: 'contact' };
  must(await inject('POST', '/v1/recipient-types', { body: type }), 201);
  for (const n of [1, 2, 3]) await put(`partner-company:${n}`, { addresses: [mail(`accueil@e${n}.example`)] });
  const contactOf = (n: number) => ({ referenceContactOf: `external:partner-company:${n}` });
  await put('contact:1', { displayName: 'Mme Roy', addresses: [mail('roy@e1.example')], ...contactOf(1) });
  await put('contact:2', { addresses: [mail('non@e2.example', { acceptsContact: false })], ...contactOf(2) });
  await put('contact:4', { addresses: [mail('autre@e1.example')] });
  const companies = [1, 2, 3].map((n) => `partner-company:${n}`);
  const { outcomes, messages } = await write(companies);
  t.same(outcomes, ['OK', 'B contact_refused', 'KO contact_missing']);
  t.same(arrived(), ['roy@e1.example']);
  const sent = must(await inject('GET', `/v1/messages/${messages[0]}`), 200);
  t.match(sent.to, { name: 'Mme Roy' }, 'the mail names whom it writes to');
  // Named for one matter: it serves where the company has no other.
  const named = await write([{ recipient: 'external:partner-company:3', contact: 'external:contact:4' }]);
  t.same([named.outcomes, arrived()], [['OK'], ['autre@e1.example']]);
});

t.test('J5 · a part of a partner company reaches it through its contact only, as it is reached itself', async (t) => {
  const { put, write, arrived, inject } = await startPeople(t);
  const type = { key: 'partner-company', title: 'Entreprise partenaire', reachedThrough: 'contact' };
  must(await inject('POST', '/v1/recipient-types', { body: type }), 201);
  await put('structure:group', { addresses: [mail('groupe@e.example')] });
  for (const n of [1, 2]) {
    await put(`partner-company:${n}`, {
      addresses: [mail(`accueil@e${n}.example`)],
      partOf: 'external:structure:group',
    });
    await put(`structure:site-${n}`, { partOf: `external:partner-company:${n}` });
    await put(`structure:unit-${n}`, { partOf: `external:structure:site-${n}` });
  }
  await put('contact:1', { addresses: [mail('roy@e1.example')], referenceContactOf: 'external:partner-company:1' });
  const { outcomes } = await write([1, 2].flatMap((n) => [`structure:site-${n}`, `structure:unit-${n}`]));
  const missing = 'KO address_missing';
  t.same(outcomes, ['OK', 'OK', missing, missing], 'without a contact neither the company nor its group serves');
  t.same(arrived(), ['roy@e1.example', 'roy@e1.example']);
  await put('company:1', { addresses: [mail('siege@c1.example')] });
  await put('contact:2', { addresses: [mail('roux@c1.example')], referenceContactOf: 'external:company:1' });
  await put('structure:branch', { partOf: 'external:company:1' });
  await write(['structure:branch']);
  t.same(arrived(), ['roux@c1.example'], 'of a company the contact comes first, from below too');
});

t.test('J5 · what the company refuses holds for mail to its contact, and the contact’s own word too', async (t) => {
  const { put, write, consent, arrived } = await startPeople(t);
  await put('company:1', { addresses: [] });
  await put('contact:1', { addresses: [mail('roy@e1.example')], referenceContactOf: 'external:company:1' });
  await consent('company:1', 0);
  t.same((await write(['company:1', 'contact:1'])).outcomes, ['B consent_refused', 'OK']);
  await consent('company:1', 1);
  await consent('contact:1', 0);
  t.same((await write(['company:1'])).outcomes, ['B consent_refused']);
  t.same(arrived(), ['roy@e1.example']);
  await consent('contact:1', 1);
  await put('structure:site', { partOf: 'external:company:1' });
  await put('structure:unit', { partOf: 'external:structure:site' });
  await consent('company:1', 0);
  const parts = await write(['structure:site', 'structure:unit']);
  t.same(parts.outcomes, ['B consent_refused', 'B consent_refused'], 'from below its word holds too');
  await consent('company:1', 1);
  t.same((await write(['structure:unit'])).outcomes, ['OK']);
  t.same(arrived(), ['roy@e1.example']);
});
