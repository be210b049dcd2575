/** Where layouts, signatures, languages and addresses meet what may change beside them. */
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { opened } from '../support/broker.ts';
import { people, startSending } from '../support/sending.ts';
import { startService, type TestService } from '../support/service.ts';
import { addTemplate, must } from '../support/templates.ts';

const anyRevision = { 'if-match': '*' };

async function addLayout({ inject }: TestService, layout: object = {}): Promise<string> {
  const body = { key: 'central', title: 'Central', academicYear: '2025-2026', ...layout };
  return `/v1/layouts/${must(await inject('POST', '/v1/layouts', { body }), 201).id}`;
}

const ofLayout = {
  text: undefined,
  html: undefined,
  sections: { body: '<p>Bonjour {{ nom }}</p>' },
  layoutId: 'central',
};

t.test('a draft that was looked at shows the layout it is published with', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const layout = await addLayout(service);
  const path = await addTemplate(service, { key: 'a' }, ofLayout);
  must(await inject('POST', `${path}/versions`, { body: { subject: 'B', ...ofLayout } }), 201);
  const preview = async () =>
    must(await inject('POST', `${path}/preview`, { body: { version: 2, data: { nom: 'X' } } }), 200).html as string;
  t.match(await preview(), '2025-2026');
  must(await inject('PATCH', layout, { body: { academicYear: '2026-2027' }, headers: anyRevision }), 200);
  t.match(await preview(), '2025-2026', 'it is what was written then');
  must(await inject('POST', `${path}/versions/2/publish`), 200);
  t.match(await preview(), '2026-2027');
});

t.test('a layout that changes and a version that is published beside it: neither undoes the other', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const layout = await addLayout(service);
  const path = await addTemplate(service, { key: 'a' }, ofLayout);
  const sections = { body: '<p>NOUVEAU {{ nom }}</p>' };
  must(await inject('POST', `${path}/versions`, { body: { subject: 'B', ...ofLayout, sections } }), 201);
  const [changed, published] = await Promise.all([
    inject('PATCH', layout, { body: { academicYear: '2026-2027' }, headers: anyRevision }),
    inject('POST', `${path}/versions/2/publish`),
  ]);
  const { currentVersion } = must(await inject('GET', path), 200);
  const current = must(await inject('GET', `${path}/versions/${currentVersion}`), 200);
  if (published.status === 200) t.match(current.html, 'NOUVEAU', 'what was published is what is sent');
  if (changed.status === 200) t.match(current.html, '2026-2027', 'and looks as the layout does');
  t.ok(published.status === 200 || changed.status === 200, `${published.status} ${changed.status}`);
});

t.test('a change that changes nothing makes no versions', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  const layout = await addLayout(service);
  const path = await addTemplate(service, { key: 'a' }, ofLayout);
  for (const body of [{ academicYear: '2025-2026' }, { title: 'Autre titre' }]) {
    t.match(must(await inject('PATCH', layout, { body, headers: anyRevision }), 200), { version: 1 });
  }
  t.equal(must(await inject('GET', path), 200).currentVersion, 1);
});

t.test('an organisation reads its own texts, whatever languages of its own there are beside', async (t) => {
  const sending = await startSending(t);
  const canada = { subject: 'Canada', text: 'a', html: 'a' };
  await addTemplate(
    sending,
    { key: 'langues' },
    { subject: 'France', text: 'a', html: 'a', locales: { 'fr-CA': canada } },
  );
  const to = { address: 'a@courriel.example' };
  const rows = [{ to }, { to, locale: 'fr' }, { to, locale: 'fr-BE' }, { to, locale: 'fr-CA' }];
  const { messages } = await sending.send(rows, { template: 'langues' });
  const subjects = await Promise.all(messages.map(async (id) => (await sending.message(id)).subject));
  t.same(subjects, ['France', 'France', 'France', 'Canada']);
});

t.test('a signature is a whole by itself', async (t) => {
  const service = await startService(t);
  const make = (signature: string) =>
    service.inject('POST', '/v1/senders', { body: { key: randomUUID(), fromAddress: 'a@b.example', signature } });
  for (const signature of [
    '<b>Moi</b><!-- ',
    '<a href="https://x',
    '<plaintext>',
    '<xmp>a</xmp>',
    '<noscript>a</noscript>',
    '</div></td></tr></table>',
    '<b>a',
    '<b><i>a</b></i>',
    '<style>p { color: red }</style>',
    '<script>a</script>',
    '<a href="javascript:alert(1)">a</a>',
    '<p onclick="a">a</p>',
    '<!doctype html><p>a</p>',
    '{{ nom }}',
    '<p>a</p><',
  ]) {
    t.match(await make(signature), { status: 422, body: { errors: [{ pointer: '/signature' }] } }, signature);
  }
  const good = '<p><b>Anne Lefèvre</b><br>Gestion<br><a href="https://x.example">x</a> a &lt; b</p>';
  t.match(must(await make(good), 201), {
    signature: good,
    signatureText: /Anne Lefèvre\nGestion\nx <https:\/\/x.example> a < b/,
  });
});

t.test('a signature stands where text does, and is nothing where there is none', async (t) => {
  const sending = await startSending(t);
  const { inject } = sending;
  const signature = '<b>Moi</b> " onmouseover="alert(1)';
  must(await inject('POST', '/v1/senders', { body: { key: 'moi', fromAddress: 'moi@b.example', signature } }), 201);
  const html = '<p>a</p>{% if sender.signature %}<hr>{{ sender.signature }}{% endif %}';
  await addTemplate(sending, { key: 'sans' }, { text: undefined, html });
  await addTemplate(sending, { key: 'avec' }, { text: undefined, html, senderId: 'moi' });
  await addTemplate(
    sending,
    { key: 'sinon' },
    { text: undefined, html: "{{ sender.signature | default: 'x' }}", senderId: 'moi' },
  );
  await addTemplate(
    sending,
    { key: 'capture' },
    { text: 'a', html: '{% assign s = sender.signature %}<a title="{{ s }}">a</a>', senderId: 'moi' },
  );
  const sans = must(await inject('GET', '/v1/templates?key=sans'), 200).items[0];
  for (const [version, pointer] of [
    [{ subject: 'S', html: '<a title="{{ sender.signature }}">a</a>' }, '/html'],
    [{ subject: '{{ sender.signature }}', html: 'a' }, '/subject'],
  ] as const) {
    const refused = await inject('POST', `/v1/templates/${sans.id}/versions`, { body: version });
    t.match(refused, { status: 422, body: { errors: [{ pointer }] } }, pointer);
  }
  const changed = { text: 'a', html: '{{ sender.signature | upcase }}', senderId: 'moi' };
  await addTemplate(sending, { key: 'change' }, changed);
  const to = { address: 'a@courriel.example' };
  const templates = ['sans', 'avec', 'sinon', 'capture', 'change'];
  const { messages } = await sending.send([{ to }], { template: undefined, templates });
  await sending.work();
  const shown = await Promise.all(messages.map((id) => sending.message(id)));
  t.same(
    shown.map(({ status, reason }) => [status, reason]),
    [
      ['OK', null],
      ['OK', null],
      ['OK', null],
      ['KO', 'template_error'],
      ['KO', 'template_error'],
    ],
  );
  const mails = await Promise.all(sending.sink.mails.map(opened));
  const htmls = mails.map((mail) => mail.html?.trim()).sort();
  t.same(htmls, [signature, '<p>a</p>', `<p>a</p><hr>${signature}`].sort());
});

t.test(
  'the address of a template: behind that of a row, before that of a record, and mended by a person',
  async (t) => {
    const sending = await startSending(t);
    const { inject } = sending;
    await addTemplate(sending, { key: 'compta' }, { to: '{{ compta }}' });
    const addresses = [{ kind: 'mail', value: 'fiche@courriel.example' }];
    must(
      await inject('POST', '/v1/recipients', {
        body: { type: 'client', externalId: 'C-1', displayName: 'A', addresses },
      }),
      201,
    );
    const recipient = 'external:client:C-1';
    const data = { nom: 'A' };
    const rows = [
      { recipient, data: { ...data, compta: 'compta@courriel.example' } },
      { recipient, data: { ...data, compta: '' } },
      { recipient, data: { ...data, compta: 'x@y.example' }, to: { address: 'ligne@courriel.example' } },
      { recipient, data },
      { recipient, data: { ...data, compta: 'pas une adresse' } },
      { data: { ...data, compta: null } },
    ];
    const { messages } = await sending.send(rows, { template: 'compta', validation: 'manual' });
    const shown = await Promise.all(messages.map((id) => sending.message(id)));
    t.same(
      shown.map(({ status, reason, to }) => [status, reason, to?.address ?? null]),
      [
        ['E', null, 'compta@courriel.example'],
        ['E', null, 'fiche@courriel.example'],
        ['E', null, 'ligne@courriel.example'],
        ['KO', 'field_missing', null],
        ['KO', 'address_invalid', 'pas une adresse'],
        ['KO', 'address_missing', null],
      ],
    );
    for (const id of messages.slice(3)) {
      const body = { to: { address: 'corrige@courriel.example' } };
      must(await inject('PATCH', `/v1/messages/${id}`, { body, headers: anyRevision }), 200);
      must(await inject('POST', `/v1/messages/${id}/resend`), 200);
    }
  },
);

t.test('a draft that nobody asked for stays nobody’s, whoever confirms it', async (t) => {
  const sending = await startSending(t);
  const { inject } = sending;
  must(await inject('POST', '/v1/senders', { body: { key: 'bob', user: 'bob', fromAddress: 'bob@b.example' } }), 201);
  const draft = await sending.send(people(1), { confirm: false });
  const headers = { 'on-behalf-of': 'bob', 'idempotency-key': randomUUID() };
  const confirmed = must(await inject('POST', `/v1/send-requests/${draft.id}/confirm`, { headers }), 200);
  await sending.work();
  t.notMatch((await opened(sending.sink.mails[0])).from?.address, 'bob@b.example');
  const [{ id }] = confirmed.messages;
  t.match(await sending.message(id), { requestedBy: { user: null } });
});

t.test('a text alone is given back as it was written', async (t) => {
  const service = await startService(t);
  const path = await addTemplate(service, { key: 'texte' }, { html: undefined });
  const { written } = must(await service.inject('GET', `${path}/versions/1`), 200);
  t.same(written, { subject: 'Avis', text: 'Bonjour {{ nom }}' });
  must(await service.inject('POST', `${path}/versions`, { body: written }), 201);
});
