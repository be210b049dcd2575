/** Households, reference contacts, parts of structures. */
import t from 'tap';
import { startService, type TestService } from '../support/service.ts';
import { must } from '../support/templates.ts';

const anyRevision = { 'if-match': '*' };
const pathOf = (reference: string) => `/v1/recipients/external:${reference}`;

function waysOf({ inject }: TestService) {
  return {
    inject,
    put: async (reference: string, body: object = {}) => inject('PUT', pathOf(reference), { body }),
    patch: (reference: string, body: object) => inject('PATCH', pathOf(reference), { body, headers: anyRevision }),
    read: async (reference: string) => must(await inject('GET', pathOf(reference)), 200),
  };
}

const refused = (name: string, code: string) => ({
  status: 422,
  body: { errors: [{ pointer: `/${name}`, code }] },
});

t.test('relations are given by id or reference, shown as ids, kept by what does not name them', async (t) => {
  const { put, patch, read } = waysOf(await startService(t));
  const { id } = must(await put('member:1'), 201);
  must(await put('dependant:1', { householdOf: 'external:member:1' }), 201);
  must(await put('dependant:2', { householdOf: id }), 201);
  t.match(await read('dependant:1'), { householdOf: id, referenceContactOf: null, partOf: null });
  must(await patch('dependant:1', { displayName: 'X' }), 200);
  t.match(await read('dependant:1'), { householdOf: id });
  must(await patch('dependant:1', { householdOf: null }), 200);
  must(await put('dependant:2', { displayName: 'Y' }), 200);
  t.match(await read('dependant:1'), { householdOf: null });
  t.match(await read('dependant:2'), { householdOf: null }, 'PUT empties what is absent');
  for (const householdOf of ['external:member:none', '019c0000-0000-7000-8000-000000000000']) {
    t.match(await patch('dependant:1', { householdOf }), refused('householdOf', 'recipient_unknown'));
  }
  t.match(await patch('dependant:1', { householdOf: 'nobody' }), { status: 400 });
});

t.test('a household is one member and those who follow: no loop, no household in a household', async (t) => {
  const { put, patch } = waysOf(await startService(t));
  for (const one of ['member:1', 'member:2', 'member:3']) must(await put(one), 201);
  t.match(await patch('member:1', { householdOf: 'external:member:1' }), refused('householdOf', 'household_loop'));
  must(await patch('member:1', { householdOf: 'external:member:2' }), 200);
  t.match(await patch('member:2', { householdOf: 'external:member:1' }), refused('householdOf', 'household_loop'));
  t.match(await patch('member:3', { householdOf: 'external:member:1' }), refused('householdOf', 'household_nested'));
  t.match(await patch('member:2', { householdOf: 'external:member:3' }), refused('householdOf', 'household_nested'));
});

t.test('changes at the same moment make no loop between them', async (t) => {
  const { put, patch, read } = waysOf(await startService(t));
  for (let round = 1; round <= 5; round += 1) {
    for (const one of ['a', 'b', 'c']) must(await put(`member:${one}${round}`), 201);
    const follow = (one: string, other: string) =>
      patch(`member:${one}${round}`, { householdOf: `external:member:${other}${round}` });
    const answers = await Promise.all([follow('a', 'b'), follow('b', 'c'), follow('c', 'a')]);
    t.same(answers.map(({ status }) => status).sort(), [200, 422, 422]);
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((one) => read(`member:${one}${round}`)));
    t.equal([a, b, c].filter(({ householdOf }) => householdOf !== null).length, 1);
  }
});

t.test('a structure has one reference contact, and is no part of itself', async (t) => {
  const { put, patch } = waysOf(await startService(t));
  for (const one of ['company:1', 'contact:1', 'contact:2', 'structure:1', 'structure:2', 'structure:3']) {
    must(await put(one), 201);
  }
  must(await patch('contact:1', { referenceContactOf: 'external:company:1' }), 200);
  must(await patch('contact:1', { referenceContactOf: 'external:company:1' }), 200);
  t.match(
    await patch('contact:2', { referenceContactOf: 'external:company:1' }),
    refused('referenceContactOf', 'reference_contact_taken'),
  );
  t.match(
    await patch('company:1', { referenceContactOf: 'external:company:1' }),
    refused('referenceContactOf', 'structure_loop'),
  );
  must(await patch('structure:2', { partOf: 'external:structure:1' }), 200);
  must(await patch('structure:3', { partOf: 'external:structure:2' }), 200);
  t.match(await patch('structure:1', { partOf: 'external:structure:3' }), refused('partOf', 'structure_loop'));
  t.match(await patch('structure:1', { partOf: 'external:structure:1' }), refused('partOf', 'structure_loop'));
});

t.test('whom others follow is not deleted: their word would be lost', async (t) => {
  const { inject, put } = waysOf(await startService(t));
  must(await put('member:1'), 201);
  const { id } = must(await put('dependant:1', { householdOf: 'external:member:1' }), 201);
  t.match(await inject('DELETE', pathOf('member:1')), { status: 409, body: { code: 'in_use', recipient: id } });
  t.equal((await inject('DELETE', pathOf('dependant:1'))).status, 204);
  t.equal((await inject('DELETE', pathOf('member:1'))).status, 204);
});

t.test(
  'consents refuse what cannot be: a level outside 0 to 3, a kind twice, the future, an unknown person',
  async (t) => {
    const { inject, put } = waysOf(await startService(t));
    must(await put('member:1'), 201);
    const give = (...consents: object[]) => inject('PUT', `${pathOf('member:1')}/consents`, { body: { consents } });
    const mail = { addressKind: 'mail', level: 1 };
    for (const level of [-1, 4, 1.5, '1', null]) {
      t.match(await give({ ...mail, level }), { status: 400, body: { errors: [{ pointer: '/consents/0/level' }] } });
    }
    t.match(await give({ ...mail, addressKind: 'fax' }), { status: 400 });
    t.match(await give(), { status: 400 });
    t.match(await give(mail, mail), {
      status: 422,
      body: { errors: [{ pointer: '/consents/1/addressKind', code: 'repeated' }] },
    });
    t.match(await give({ ...mail, since: '2199-01-01T00:00:00Z' }), {
      status: 422,
      body: { errors: [{ pointer: '/consents/0/since', code: 'in_future' }] },
    });
    const nobody = await inject('PUT', `${pathOf('member:none')}/consents`, { body: { consents: [mail] } });
    t.equal(nobody.status, 404);
    t.match((await inject('GET', `${pathOf('member:1')}/consents`)).body, { history: [] });
  },
);

t.test('what the member says holds for the household, beside what each of it says, and both are shown', async (t) => {
  const { inject, put } = waysOf(await startService(t));
  const { id: member } = must(await put('member:1'), 201);
  const { id: dependant } = must(await put('dependant:1', { householdOf: member }), 201);
  const say = async (of: string, level: number) => {
    const body = { consents: [{ addressKind: 'mobile', level }] };
    const answer = must(await inject('PUT', `${pathOf(of)}/consents`, { body }), 200);
    return answer.consents.find(({ addressKind }: { addressKind: string }) => addressKind === 'mobile');
  };
  const standing = async () => {
    const held = must(await inject('GET', `${pathOf('dependant:1')}/consents`), 200);
    t.equal(held.heldBy, member);
    return held.consents.find(({ addressKind }: { addressKind: string }) => addressKind === 'mobile');
  };
  t.match(await say('dependant:1', 3), { level: 1, given: null, own: { level: 3, saidBy: dependant } });
  await say('member:1', 2);
  t.match(await standing(), { level: 2, given: { saidBy: member }, own: { level: 3, saidBy: dependant } });
  t.match(await say('dependant:1', 1), { level: 1, given: { saidBy: dependant }, own: { level: 1 } });
  t.match(await say('dependant:1', 3), { level: 2, given: { saidBy: member }, own: { level: 3 } });
  await say('member:1', 0);
  t.match(await standing(), { level: 0, given: { saidBy: member } });
});
