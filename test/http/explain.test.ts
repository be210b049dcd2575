/** `GET /v1/messages/{id}/explain`: which rule decided, with the facts it used, in French and English. */
import t from 'tap';
import { mail, startPeople } from '../support/people.ts';
import { must } from '../support/templates.ts';

t.test('each rule says why, with its facts, and without an address', async (t) => {
  const { put, send, consent, choose, post, inject, clock } = await startPeople(t, { notificationType: 'avis' });
  clock.set('2026-11-23T09:00:00Z');
  for (const n of [1, 2, 3]) await put(`member:${n}`, { addresses: [mail(`m${n}@mutuelle.example`)] });
  await put('dependant:1', { householdOf: 'external:member:1', addresses: [] });
  await put('dependant:2', { householdOf: 'external:member:2', addresses: [] });
  await consent('member:1', 0);
  await choose('member:2', 'avis', false);
  must(await post('/v1/suppressions', { address: 'm3@mutuelle.example', cause: 'complaint' }), 201);
  const people = ['member:1', 'dependant:1', 'member:2', 'member:3', 'dependant:2'];
  const rows = people.map((one) => ({ recipient: `external:${one}`, data: { name: 'N' } }));
  const { messages } = await send(rows);
  const explain = async (index: number, language: string) => {
    const headers = { 'accept-language': language };
    const answer = await inject('GET', `/v1/messages/${messages[index]}/explain`, { headers });
    const body = must(answer, 200);
    t.notMatch(JSON.stringify(body), /@/);
    return body;
  };
  const at = '23 novembre 2026 à 10:00';
  t.match(await explain(0, 'fr'), {
    rule: 'consent',
    reason: 'consent_refused',
    facts: { level: 0, needed: 1, addressKind: 'mail' },
    sentences: [
      'Il est bloqué.',
      'Le consentement recueilli ne va pas jusqu’à ce message.',
      'Le consentement par mail est 0 (refus) ; ce message demande 1 (gestion seulement).',
      `Il vaut depuis le ${at}.`,
    ],
  });
  t.ok((await explain(1, 'fr')).sentences.includes(`C’est celui de l’adhérent du foyer, depuis le ${at}.`));
  t.match(await explain(2, 'fr'), {
    rule: 'choice',
    facts: { notificationType: 'avis', active: true, offered: true, refusedAt: '2026-11-23T09:00:00.000Z' },
    sentences: [String, String, `avis par mail a été refusé le ${at}.`],
  });
  t.ok(
    (await explain(4, 'fr')).sentences.includes(`avis par mail a été refusé par l’adhérent du foyer le ${at}.`),
    'the choice of the member',
  );
  t.match(await explain(3, 'en'), {
    rule: 'suppression',
    facts: { cause: 'complaint' },
    sentences: [
      'It is blocked.',
      String,
      'The address is not used since 23 November 2026 at 10:00: its owner complained.',
    ],
  });
});

t.test('contact that is not accepted: of this address, or of all that a record has', async (t) => {
  const { put, send, inject } = await startPeople(t);
  const no = { acceptsContact: false };
  const { id: partly } = await put('client:1', { addresses: [mail('no@p.example', no), mail('yes@p.example')] });
  const { id: nowhere } = await put('client:2', { addresses: [mail('never@p.example', no)] });
  await put('company:1', {});
  const { id: contact } = await put('contact:1', {
    referenceContactOf: 'external:company:1',
    addresses: [mail('contact@p.example', no)],
  });
  const rows = [
    { to: { address: 'no@p.example' } },
    { recipient: 'external:client:2' },
    { recipient: 'external:company:1' },
  ];
  const { messages } = await send(rows.map((row) => ({ ...row, data: { name: 'N' } })));
  const explain = async (index: number, language: string) =>
    must(
      await inject('GET', `/v1/messages/${messages[index]}/explain`, { headers: { 'accept-language': language } }),
      200,
    );
  const decided = (recipientId: string) => ({
    rule: 'contact',
    reason: 'contact_refused',
    facts: { rule: 'contact', recipientId },
  });
  t.match(await explain(0, 'en'), {
    ...decided(partly),
    sentences: [
      'It is blocked.',
      'The recipient does not accept contact this way.',
      'The record says that contact by this address is not accepted.',
    ],
  });
  t.match(await explain(1, 'fr'), {
    ...decided(nowhere),
    sentences: [
      'Il est bloqué.',
      'Le destinataire n’accepte pas d’être contacté ainsi.',
      'La fiche n’accepte le contact à aucune des adresses où il pourrait aller.',
    ],
  });
  t.match(await explain(2, 'fr'), decided(contact), 'whose record it is');
});

t.test('where a message stands is said, whatever it waits for', async (t) => {
  const { send, inject, work, clock, sink } = await startPeople(t, {
    sink: { respond: (step, { to }) => (step === 'rcpt' && to.length > 0 ? undefined : undefined) },
  });
  clock.set('2026-11-23T09:00:00Z');
  const row = { to: { address: 'a@b.example' }, data: { name: 'N' } };
  const sentences = async (id = '') =>
    must(await inject('GET', `/v1/messages/${id}/explain`, { headers: { 'accept-language': 'fr' } }), 200).sentences;
  const [waiting] = (await send([row], { validation: 'manual' })).messages;
  t.same(await sentences(waiting), ['Il attend qu’une personne le valide.']);
  const [planned] = (await send([row], { sendAt: '2026-11-24T08:00:00Z' })).messages;
  t.match(await sentences(planned), ['Il est validé.', 'Il est prévu pour le 24 novembre 2026 à 09:00.']);
  must(
    await inject('POST', `/v1/messages/${waiting}/block`, {
      body: { reason: 'Doublon' },
      headers: { 'on-behalf-of': 'mmartin' },
    }),
    200,
  );
  t.same(await sentences(waiting), [
    'Il est bloqué.',
    'Une personne l’a bloqué.',
    'mmartin l’a fait le 23 novembre 2026 à 10:00.',
  ]);
  const [wrong] = (await send([{ to: { address: 'nobody' }, data: {} }])).messages;
  const said = await sentences(wrong);
  t.equal(said[0], 'Il n’a pas été envoyé.');
  const [gone] = (await send([row])).messages;
  await work();
  t.match(await sentences(gone), [/^Il a été envoyé le 23 novembre 2026/]);
  t.equal(sink.mails.length, 1);
});

t.test('copies that were left out are counted by reason and named, whether their message left or not', async (t) => {
  const { put, write, consent, post, inject, message, arrived } = await startPeople(t);
  await put('client:1', { addresses: [mail('c1@p.example')] });
  await put('client:2', { addresses: [mail('c2@p.example')] });
  await consent('client:2', 0);
  must(await post('/v1/suppressions', { address: 'gone@p.example', cause: 'bounce' }), 201);
  const cc = [{ address: 'fine@p.example' }, { address: 'c2@p.example' }];
  const { id, messages, outcomes } = await write([
    { recipient: 'external:client:1', cc, bcc: [{ address: 'gone@p.example' }] },
    { recipient: 'external:client:2', cc: [{ address: 'c2@p.example' }] },
    { recipient: 'external:client:1' },
  ]);
  t.same(outcomes, ['OK', 'B consent_refused', 'OK']);
  t.same(arrived().sort(), ['c1@p.example', 'c1@p.example', 'fine@p.example']);
  const french = { headers: { 'accept-language': 'fr' } };
  const leftOut = must(await inject('GET', `/v1/send-requests/${id}/left-out`, french), 200);
  t.match(leftOut, { total: 1, reasons: [{ status: 'B', reason: 'consent_refused', count: 1 }] });
  t.same(leftOut.copies, [
    { reason: 'consent_refused', count: 2, reasonText: 'Le consentement recueilli ne va pas jusqu’à ce message.' },
    { reason: 'suppressed', count: 1, reasonText: 'Il ne faut plus écrire à cette adresse.' },
  ]);
  const told = async (index: number) => {
    const body = must(await inject('GET', `/v1/messages/${messages[index]}/explain`, french), 200);
    t.notMatch(JSON.stringify(body), /@/);
    return body.sentences.filter((one: string) => one.startsWith('La copie'));
  };
  t.same(await told(0), [
    'La copie 2 (cc) a été écartée : Le consentement recueilli ne va pas jusqu’à ce message.',
    'La copie 3 (bcc) a été écartée : Il ne faut plus écrire à cette adresse.',
  ]);
  t.match(
    (await message(messages[0] ?? '')).copies[1],
    { address: 'c2@p.example', outcome: 'blocked' },
    'by its place',
  );
  t.same(await told(1), ['La copie 1 (cc) a été écartée : Le consentement recueilli ne va pas jusqu’à ce message.']);
  t.same(await told(2), []);
});
