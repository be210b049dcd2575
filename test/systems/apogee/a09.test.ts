/** A9 · Which address: the personal one first, the institutional one first, or both (rule IA20). */
import fc from 'fast-check';
import t from 'tap';
import { mail, startPeople } from '../../support/people.ts';
import { addTemplate, must } from '../../support/templates.ts';

const personal = mail('lea@maison.example', { role: 'personal' });
const institutional = mail('lea.roy@univ.example', { role: 'institutional' });
const other = mail('lea@club.example');

t.test('A9 · the policy of the organisation chooses: V1 personal first, V2 institutional first, V3 both', async (t) => {
  const { put, write, arrived, inject } = await startPeople(t);
  await put('student:1', { addresses: [other, institutional, personal] });
  await put('student:2', { addresses: [institutional] });
  await put('student:3', { addresses: [personal] });
  await put('student:4', { addresses: [other] });
  const sentUnder = async (addressPolicy: string) => {
    must(await inject('PATCH', '/v1/tenant', { body: { addressPolicy }, headers: { 'if-match': '*' } }), 200);
    await write(['student:1', 'student:2', 'student:3', 'student:4']);
    return arrived().sort();
  };
  const each = [institutional.value, personal.value, other.value];
  t.same(await sentUnder('personal-first'), [personal.value, ...each].sort());
  t.same(await sentUnder('institutional-first'), [institutional.value, ...each].sort());
  t.same(
    await sentUnder('both'),
    [personal.value, institutional.value, ...each].sort(),
    'one message for each address',
  );
  t.same(await sentUnder('preferred'), [other.value, ...each].sort(), 'without a preferred one, the first');
});

t.test(
  'A9 · the request says, else the template, else the organisation; a role is that address and no other',
  async (t) => {
    const service = await startPeople(t);
    const { put, write, arrived } = service;
    await put('provider:1', {
      addresses: [mail('accueil@soin.example'), mail('compta@soin.example', { role: 'accounting' })],
    });
    await put('provider:2', { addresses: [mail('seul@soin.example')] });
    await addTemplate(service, { key: 'releve', addressPolicy: 'role:accounting' }, { text: 'T', html: '<p>T</p>' });
    const byTemplate = await write(['provider:1', 'provider:2'], { template: 'releve' });
    t.same(byTemplate.outcomes, ['OK', 'KO address_missing']);
    t.same(arrived(), ['compta@soin.example']);
    await write(['provider:1', 'provider:2'], { template: 'releve', addressPolicy: 'preferred' });
    t.same(arrived().sort(), ['accueil@soin.example', 'seul@soin.example']);
    const explicit = await write(['provider:1', { recipient: 'external:provider:1', to: { address: 'x@y.example' } }], {
      addressPolicy: 'explicit',
    });
    t.same(explicit.outcomes, ['KO address_missing', 'OK'], 'explicit: what the request names, or nothing');
    t.same(arrived(), ['x@y.example']);
    const wrong = await service.post(
      '/v1/send-requests',
      { template: 'notice', addressPolicy: 'any', recipients: [{}] },
      {
        headers: { 'idempotency-key': 'wrong-policy' },
      },
    );
    t.match(wrong, { status: 400, body: { errors: [{ pointer: '/addressPolicy' }] } });
  },
);

t.test('A9 · both: the messages of a row are counted, and a repeat of its key makes neither again', async (t) => {
  const { put, write, arrived, counts, send, work } = await startPeople(t);
  await put('student:1', { addresses: [personal, institutional] });
  const row = { recipient: 'external:student:1', dedupeKey: 'convocation-7', data: { name: 'L' } };
  const first = await write([row, { ...row, dedupeKey: 'convocation-8' }], { addressPolicy: 'both' });
  t.equal(first.messages.length, 4);
  t.same(await counts(first.id), { created: 4, E: 0, V: 0, OK: 4, KO: 0, B: 0 });
  arrived();
  const again = await send([row], { addressPolicy: 'both' });
  t.same(again.messages, []);
  await put('student:2', { addresses: [personal] });
  const other = { recipient: 'external:student:2', dedupeKey: 'convocation-9', data: { name: 'L' } };
  await write([other], { addressPolicy: 'both' });
  await put('student:2', { addresses: [personal, institutional] });
  t.same(
    (await send([other], { addressPolicy: 'both' })).messages,
    [],
    'a further address since then is no new message',
  );
  await work();
  t.same(arrived(), [personal.value]);
});

t.test(
  'A9 · whatever the addresses: never one that refuses contact, at most one of each role, someone if there is one',
  async (t) => {
    const { put, write, arrived } = await startPeople(t);
    const address = fc.record({
      role: fc.constantFrom('personal', 'institutional', 'accounting', null),
      acceptsContact: fc.boolean(),
    });
    const policies = fc.constantFrom('preferred', 'personal-first', 'institutional-first', 'both');
    let person = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(address, { maxLength: 5 }), policies, async (list, addressPolicy) => {
        person += 1;
        const addresses = list.map((one, place) => mail(`a${place}@p${person}.example`, one));
        await put(`student:p${person}`, { addresses });
        const { outcomes } = await write([`student:p${person}`], { addressPolicy });
        const reached = arrived();
        const usable = addresses.filter((_, place) => list[place]?.acceptsContact);
        const roleOf = (value: string) => list[addresses.findIndex((one) => one.value === value)]?.role ?? null;
        const roles = new Set(usable.map(({ value }) => roleOf(value)));
        const two = addressPolicy === 'both' && roles.has('personal') && roles.has('institutional');
        t.equal(reached.length, usable.length === 0 ? 0 : two ? 2 : 1);
        t.ok(reached.every((value) => usable.some((one) => one.value === value)));
        t.equal(new Set(reached.map(roleOf)).size, reached.length);
        if (usable.length === 0) t.same(outcomes, [list.length === 0 ? 'KO address_missing' : 'B contact_refused']);
        const first = addressPolicy.split('-')[0] ?? '';
        if (roles.has(first as never)) t.equal(roleOf(reached[0] ?? ''), first);
      }),
      { numRuns: 25 },
    );
  },
);
