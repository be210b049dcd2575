import t, { type Test } from 'tap';
import { addTemplate, change, done, mailsTo, opened } from '../../support/broker.ts';
import { type Sending, startSending } from '../../support/sending.ts';

const member = 'elodie.lhostis@courriel.example';

const paul = {
  key: 'paul',
  user: 'pmartin',
  fromAddress: 'paul.martin@mutuelle.example',
  fromName: 'Paul Martin',
  replyTo: 'prestations@mutuelle.example',
  signature:
    '<p style="color: #004080"><strong>Paul Martin</strong><br><em>Gestionnaire</em> &amp; référent</p>' +
    '<p><a href="https://mutuelle.example/contact">Nous écrire</a></p>',
};
const anne = {
  key: 'anne',
  user: 'COURS\\anne',
  fromAddress: 'anne.roux@mutuelle.example',
  signature: '<p>Anne Roux</p>',
};
const common = { key: 'accueil', fromAddress: 'accueil@mutuelle.example', signature: '<p>L’accueil</p>' };

const texts = {
  subject: 'Votre dossier',
  text: 'Bonjour {{ nom }},\n\n{{ sender.signature }}',
  html: '<p>Bonjour {{ nom }},</p>{{ sender.signature }}',
};

interface Mutual extends Sending {
  /** Sends one message, which leaves at once unless it is to wait. @returns its id. */
  ask(more?: object, headers?: Record<string, string>): Promise<string>;
}

async function startMutual(t: Test): Promise<Mutual> {
  const service = await startSending(t);
  for (const body of [paul, anne, { ...common, isDefault: true }]) {
    await done(service.inject('POST', '/v1/senders', { body }));
  }
  await addTemplate(service, { key: 'dossier' }, texts);
  return {
    ...service,
    async ask(more = {}, headers = {}) {
      const row = { to: { address: member }, data: { nom: 'L’Hostis' } };
      const { messages } = await service.send([row], { template: 'dossier', ...more }, { headers });
      await service.work();
      return messages[0] ?? '';
    },
  };
}

const lastMail = ({ sink }: Sending) => opened(mailsTo(sink, member).at(-1));

t.test('M2 · the acting user’s address and formatted signature are used by default', async (t) => {
  const mutual = await startMutual(t);
  const id = await mutual.ask({ requestedBy: { user: 'pmartin' } });
  const seen = await lastMail(mutual);
  t.match(seen.from, { address: paul.fromAddress, name: 'Paul Martin' });
  t.match(seen.replyTo, [{ address: paul.replyTo }]);
  t.equal(seen.html?.trimEnd(), `<p>Bonjour L’Hostis,</p>${paul.signature}`, 'as it was formatted');
  t.equal(
    seen.text?.replaceAll('\r\n', '\n').trimEnd(),
    'Bonjour L’Hostis,\n\nPaul Martin\nGestionnaire & référent\n\nNous écrire <https://mutuelle.example/contact>',
    'and as a text',
  );
  t.match(await mutual.message(id), { status: 'OK', requestedBy: { user: 'pmartin' } });

  await mutual.ask({}, { 'on-behalf-of': anne.user });
  t.equal((await lastMail(mutual)).from?.address, anne.fromAddress, 'the header tells who acts, too');
  await mutual.ask({ requestedBy: { user: 'pmartin' } }, { 'on-behalf-of': anne.user });
  t.equal((await lastMail(mutual)).from?.address, paul.fromAddress, 'the request is the more precise');
});

t.test('M2 · a user without an own sender has the organisation’s; so has who is not named', async (t) => {
  const mutual = await startMutual(t);
  for (const more of [{}, { requestedBy: { user: 'inconnue' } }, { requestedBy: { osUser: 'pmartin' } }]) {
    await mutual.ask(more);
    const seen = await lastMail(mutual);
    t.equal(seen.from?.address, common.fromAddress);
    t.match(seen.text, 'L’accueil');
  }
  const { key: _, ...other } = await mutual.addTenant('Autre mutuelle');
  const theirs = await mutual.inject('GET', '/v1/senders', { key: _ });
  t.same(theirs.body.items, [], `senders are of one organisation only, not of ${other.id}`);
});

t.test('M2 · the sender of the request comes first, then the template’s, then the user’s', async (t) => {
  const mutual = await startMutual(t);
  const requestedBy = { user: 'pmartin' };
  await addTemplate(mutual, { key: 'de-l-accueil' }, { ...texts, senderId: 'accueil' });
  await mutual.ask({ template: 'de-l-accueil', requestedBy });
  t.equal((await lastMail(mutual)).from?.address, common.fromAddress, 'the template’s');
  await mutual.ask({ template: 'de-l-accueil', requestedBy, overrides: { sender: 'anne' } });
  const seen = await lastMail(mutual);
  t.equal(seen.from?.address, anne.fromAddress, 'the request’s');
  t.match(seen.html, anne.signature, 'with its signature');
  await mutual.ask({ requestedBy, overrides: { sender: 'anne' } });
  t.equal((await lastMail(mutual)).from?.address, anne.fromAddress);
});

t.test('M2 · a message that waits keeps its signature when the sender changes', async (t) => {
  const mutual = await startMutual(t);
  const requestedBy = { user: 'pmartin' };
  const id = await mutual.ask({ requestedBy, validation: 'manual' });
  const approved = await mutual.message(id);
  const { items } = await done(mutual.inject('GET', '/v1/senders'));
  const { id: senderId } = items.find(({ key }: { key: string }) => key === 'paul');
  const changed = { signature: '<p>Paul Martin, <b>directeur</b></p>', fromAddress: 'direction@mutuelle.example' };
  t.match(await change(mutual, `/v1/senders/${senderId}`, changed), {
    version: 2,
    signatureText: 'Paul Martin, directeur',
  });

  const { contentHash } = await mutual.message(id);
  t.equal(contentHash, approved.contentHash);
  t.match(await done(mutual.inject('GET', `/v1/messages/${id}/preview.html`)), '<em>Gestionnaire</em>');
  await done(mutual.post(`/v1/messages/${id}/validate`, { contentHash }));
  await mutual.work();
  const kept = await lastMail(mutual);
  t.equal(kept.from?.address, paul.fromAddress);
  t.match(kept.html, paul.signature);
  await mutual.ask({ requestedBy });
  const fresh = await lastMail(mutual);
  t.equal(fresh.from?.address, changed.fromAddress, 'the next one has the new');
  t.match(fresh.html, changed.signature);

  await change(mutual, `/v1/senders/${senderId}`, { signature: null });
  await mutual.ask({ requestedBy });
  t.equal((await lastMail(mutual)).html?.trimEnd(), '<p>Bonjour L’Hostis,</p>', 'none leaves nothing');
});

t.test('M2 · a person has one sender; a signature is HTML that mail programs take, and literal', async (t) => {
  const mutual = await startMutual(t);
  t.match(await mutual.inject('POST', '/v1/senders', { body: { ...anne, key: 'anne-2' } }), {
    status: 409,
    body: { code: 'conflict' },
  });
  for (const [signature, code] of [
    ['<p>Paul</p><script>alert(1)</script>', 'risky_element'],
    ['<p>Paul <a href="javascript:alert(1)">site</a></p>', 'risky_link'],
    ['<p>Paul <a href=" java\nscript:alert(1)">site</a></p>', 'risky_link'],
    ['<p onclick="alert(1)">Paul</p>', 'risky_attribute'],
    ['<iframe src="https://mutuelle.example"></iframe>', 'risky_element'],
    ['<style>p { color: red }</style><p>Paul</p>', 'markup_invalid'],
    ['</div></body></html><body>', 'markup_invalid'],
    ['<p>Paul</p><!-- ', 'markup_invalid'],
    ['<p>{{ nom }}</p>', 'not_literal'],
    ['<p>{% if nom %}Paul{% endif %}</p>', 'not_literal'],
  ]) {
    const made = await mutual.inject('POST', '/v1/senders', {
      body: { key: 'luc', fromAddress: 'luc@mutuelle.example', signature },
    });
    t.match(made, { status: 422, body: { errors: [{ pointer: '/signature', code }] } }, `${signature}`);
  }
  const { items } = await done(mutual.inject('GET', '/v1/senders'));
  t.notOk(items.some(({ key }: { key: string }) => key === 'luc'));
});
