/** D3 · A company is reached through the action's contact, else its main contact, else the company's address. */
import t from 'tap';
import { mail, startPeople } from '../../support/people.ts';

t.test('D3 · the contact of the matter, else the main contact, else the company', async (t) => {
  const { put, write, arrived } = await startPeople(t);
  await put('company:1', { addresses: [mail('siege@e1.example')] });
  await put('company:2', { addresses: [mail('siege@e2.example')] });
  await put('contact:main', { addresses: [mail('principal@e1.example')], referenceContactOf: 'external:company:1' });
  await put('contact:action', { addresses: [mail('action@e1.example')] });
  await put('contact:mute', { addresses: [] });
  const row = (company: string, contact?: string) => ({
    recipient: `external:company:${company}`,
    ...(contact === undefined ? {} : { contact: `external:contact:${contact}` }),
  });
  const { outcomes } = await write([row('1', 'action'), row('1', 'mute'), row('1'), row('2'), row('2', 'gone')]);
  t.same(outcomes, ['OK', 'OK', 'OK', 'OK', 'KO recipient_unknown']);
  t.same(arrived().sort(), ['action@e1.example', 'principal@e1.example', 'principal@e1.example', 'siege@e2.example']);
});

t.test('D3 · a contact who refuses is passed over; the company itself may still be written to', async (t) => {
  const { put, write, arrived } = await startPeople(t);
  await put('company:1', { addresses: [mail('siege@e1.example')] });
  const refusing = mail('principal@e1.example', { acceptsContact: false });
  await put('contact:main', { addresses: [refusing], referenceContactOf: 'external:company:1' });
  t.same((await write(['company:1'])).outcomes, ['OK']);
  t.same(arrived(), ['siege@e1.example']);
});
