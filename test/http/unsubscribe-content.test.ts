import t from 'tap';
import { done, opened } from '../support/broker.ts';
import { people } from '../support/sending.ts';
import { startService } from '../support/service.ts';
import {
  addLinkedTemplate,
  allTables,
  click,
  headerOf,
  keepPerson,
  lastLink,
  letter,
  oneClick,
  sendOne,
  startLetters,
} from '../support/unsubscribing.ts';

t.setTimeout(600_000);

const jeanne = { recipient: 'external:client:C-1' };
const mail = 'jeanne@people.test';
const withoutDate = (raw: Buffer) => raw.toString('latin1').replace(/^Date: .*\r\n/m, '');

t.test('texts read the link, the same in HTML, text, headers and previews', async (t) => {
  const service = await startLetters(t);
  await keepPerson(service, 'C-1', mail);
  const id = await sendOne(service, letter, jeanne);
  const [arrived] = service.sink.mails;
  const url = `https://notices.test${lastLink(service)}`;
  const seen = await opened(arrived);
  t.equal(seen.text?.trim(), `Bonjour Jeanne\n\nSe désabonner : ${url}`);
  t.match(seen.html, `<a href="${url}">Se désabonner</a>`);
  const preview = await done(service.inject('GET', `/v1/messages/${id}/preview`));
  t.match(preview.text, url);
  t.match(preview.html, `<a href="${url}">`);
  const eml = await service.inject('GET', `/v1/messages/${id}/preview.eml`);
  t.equal(withoutDate(eml.raw), withoutDate(arrived?.raw ?? Buffer.of()), 'byte for byte what left');
});

t.test('mail of no subscription has no header, and its texts may have the link', async (t) => {
  const service = await startLetters(t);
  await keepPerson(service, 'C-1', mail);
  await addLinkedTemplate(service, { key: 'avis' });
  await sendOne(service, 'avis', jeanne);
  await sendOne(service, 'notice', jeanne);
  for (const arrived of service.sink.mails) {
    t.equal(headerOf(arrived, 'List-Unsubscribe'), null);
    t.equal(headerOf(arrived, 'List-Unsubscribe-Post'), null);
  }
  const [, path = ''] =
    /https:\/\/notices\.test(\/u\/[\w-]+)/.exec((await opened(service.sink.mails[0])).text ?? '') ?? [];
  t.equal((await click(service, path)).status, 200);
  t.match((await done(service.inject('GET', '/v1/suppressions'))).items, [{ address: mail, cause: 'unsubscribed' }]);
});

t.test('every kind of subscription mail has the header, pinned when it is asked for', async (t) => {
  const service = await startLetters(t);
  await keepPerson(service, 'C-1', mail);
  const { messages } = await service.send([{ ...jeanne, data: { name: 'J' } }], {
    template: letter,
    validation: 'manual',
  });
  const [type] = (await done(service.inject('GET', `/v1/notification-types?key=${letter}`))).items;
  t.equal(type.subscription, true);
  const ask = { body: { subscription: false }, headers: { 'if-match': '*' } };
  t.equal((await done(service.inject('PATCH', `/v1/notification-types/${type.id}`, ask))).subscription, false);
  await done(service.post(`/v1/messages/${messages[0]}/validate`));
  await service.work();
  for (const key of [letter, 'offre', 'prospectus']) await sendOne(service, key, jeanne);
  t.same(
    service.sink.mails.map((one) => headerOf(one, 'List-Unsubscribe') !== null),
    [true, false, true, true],
  );
});

t.test('the content hash depends neither on PUBLIC_URL nor on the message', async (t) => {
  const hashes: string[] = [];
  for (const publicUrl of ['https://notices.test', 'https://autre.example/avis']) {
    const service = await startLetters(t, { config: { publicUrl } });
    for (const id of [1, 2]) {
      await keepPerson(service, `C-${id}`, mail);
      const message = await sendOne(service, letter, { recipient: `external:client:C-${id}` });
      const { contentHash } = await done(service.inject('GET', `/v1/messages/${message}/preview`));
      t.equal((await service.message(message)).contentHash, contentHash);
      hashes.push(contentHash);
    }
    t.match(headerOf(service.sink.mails[0] ?? { raw: Buffer.of() }, 'List-Unsubscribe'), `<${publicUrl}/u/`);
  }
  t.equal(new Set(hashes).size, 1);
});

t.test('what a person validated leaves although the address of the service has changed', async (t) => {
  const service = await startLetters(t);
  const { messages } = await service.send(people(1), { template: letter, validation: 'manual' });
  const [id = ''] = messages;
  const { contentHash } = await done(service.inject('GET', `/v1/messages/${id}/preview`));
  const { links } = service.runtime;
  const urlOf = links.urlOf;
  Object.assign(links, {
    urlOf: (message: Parameters<typeof urlOf>[0]) => urlOf(message)?.replace('notices', 'moved'),
  });
  await done(service.post(`/v1/messages/${id}/validate`, { contentHash }));
  await service.work();
  t.equal((await service.message(id)).status, 'OK');
  t.match(headerOf(service.sink.mails[0] ?? { raw: Buffer.of() }, 'List-Unsubscribe'), '<https://moved.test/u/');
});

t.test('in production nothing that needs a link leaves without one that mail programs follow', async (t) => {
  for (const publicUrl of [null, 'http://notices.test']) {
    const service = await startLetters(t, { config: { publicUrl } });
    await addLinkedTemplate(service, { key: 'avis' });
    for (const template of [letter, 'prospectus', 'avis']) {
      const body = { template, recipients: people(1) };
      const answer = await service.post('/v1/send-requests', body, { headers: { 'idempotency-key': template } });
      t.match(answer, { status: 422, body: { errors: [{ pointer: '/template', code: 'unsubscribe_link_missing' }] } });
    }
    t.match(await service.message(await sendOne(service, 'notice', people(1)[0] ?? {})), { status: 'OK' });
  }
  const service = await startLetters(t);
  const { links } = service.runtime;
  const { urlOf } = links;
  // The API knows its address, and the worker does not.
  const { messages } = await service.send(people(1), { template: letter });
  Object.assign(links, { urlOf: () => null });
  await service.work();
  const [id = ''] = messages;
  t.match(await service.message(id), { status: 'KO', reason: 'unsubscribe_link_missing' });
  t.match(await service.inject('GET', `/v1/messages/${id}/preview.eml`), {
    status: 409,
    body: { code: 'cannot_be_sent', reason: 'unsubscribe_link_missing' },
  });
  t.equal(service.sink.mails.length, 0);
  Object.assign(links, { urlOf });
  await done(service.post(`/v1/messages/${id}/resend`));
  await service.work();
  t.equal((await service.message(id)).status, 'OK', 'it leaves once there is one');
});

t.test('outside production the link leads to where the service listens', async (t) => {
  const config = { deployment: 'test', safeRecipientEmail: 'tests@people.test', publicUrl: null, port: 8080 } as const;
  const service = await startLetters(t, { config });
  await sendOne(service, letter, people(1)[0] ?? {});
  t.match(headerOf(service.sink.mails[0] ?? { raw: Buffer.of() }, 'List-Unsubscribe'), '<http://127.0.0.1:8080/u/');
});

t.test('a link in mail that was redirected, or of a test key, works and changes nothing', async (t) => {
  const service = await startLetters(t);
  await keepPerson(service, 'C-1', mail);
  const change = (body: object) => done(service.inject('PATCH', '/v1/tenant', { body, headers: { 'if-match': '*' } }));
  await change({ testRedirect: 'tests@people.test' });
  await sendOne(service, letter, jeanne);
  const redirected = lastLink(service);
  t.same(service.sink.mails[0]?.envelope.to, ['tests@people.test']);
  await change({ testRedirect: null });
  const ask = { key: service.tenant.testKey };
  const test = await sendOne(service, letter, jeanne, {}, ask);
  const { text } = await done(service.inject('GET', `/v1/messages/${test}/preview`, ask));
  const [, ofTest = ''] = /https:\/\/notices\.test(\/u\/[\w-]+)/.exec(text) ?? [];
  const before = await allTables(service);
  for (const path of [redirected, ofTest]) {
    t.match((await service.inject('GET', path, { key: null })).body, 'message de test');
    for (const body of [oneClick, 'choice=kind', 'choice=all']) {
      const answer = await click(service, path, body);
      t.equal(answer.status, 200);
      t.match(answer.body, /Message de test\s: rien n’a été changé/);
    }
  }
  t.same(await allTables(service), before);
  await sendOne(service, letter, jeanne);
  await click(service, lastLink(service), 'choice=all');
  t.notMatch((await click(service, redirected)).body, 'C’est fait', 'a tester is not told what the person said');
});

t.test('unsubscribe_url is a field of the service: listed, checked, not taken by a constant', async (t) => {
  const service = await startService(t);
  const { inject } = service;
  await done(inject('POST', '/v1/senders', { body: { key: 'office', fromAddress: 'office@broker.test' } }));
  const { items } = await done(inject('GET', '/v1/fields'));
  t.match(
    items.find(({ path }: { path: string }) => path === 'unsubscribe_url'),
    { source: 'service', format: 'uri' },
  );
  const constant = { body: { constants: { unsubscribe_url: 'https://x.example' } }, headers: { 'if-match': '*' } };
  t.match(await inject('PATCH', '/v1/tenant', constant), {
    status: 422,
    body: { errors: [{ pointer: '/constants/unsubscribe_url', code: 'reserved' }] },
  });
  const fields = { type: 'object', properties: { name: { type: 'string' } } };
  const { id } = await done(
    inject('POST', '/v1/templates', { body: { key: 'lettre', title: 'Lettre', channel: 'mail' } }),
  );
  const version = {
    subject: 'Bonjour {{ name }}',
    html: '<p><a href="{{ unsubscribe_url }}">Se désabonner</a></p>',
    fields,
  };
  await done(inject('POST', `/v1/templates/${id}/versions`, { body: version }));
  const checked = await done(inject('POST', `/v1/templates/${id}/check`, { body: { data: { name: 'Jeanne' } } }));
  t.same(checked.problems, []);
  const preview = await done(inject('POST', `/v1/templates/${id}/preview`, { body: { data: { name: 'Jeanne' } } }));
  t.match(preview.html, /href="https:\/\/notifications\.example\/u\/sample"/);
  t.match(preview.text, 'https://notifications.example/u/sample');
});

t.test('a filter may encode the link, and no filter may break it', async (t) => {
  const service = await startLetters(t);
  const send = async (key: string, html: string) => {
    await addLinkedTemplate(service, { key }, { html });
    return service.message(await sendOne(service, key, people(1)[0] ?? {}));
  };
  t.match(await send('encoded', '<a href="https://go.example/?to={{ unsubscribe_url | url_encode }}">x</a>'), {
    status: 'OK',
  });
  const { html = '' } = await opened(service.sink.mails[0]);
  const [, target = ''] = /to=([^"]+)"/.exec(html) ?? [];
  t.match(decodeURIComponent(target), /^https:\/\/notices\.test\/u\/[\w-]{66}$/);
  t.match(await send('captured', '{% capture x %}<b>{{ unsubscribe_url }}</b>{% endcapture %}{{ x }}'), {
    status: 'OK',
  });
  for (const filter of ['upcase', 'remove: "https://"', 'truncate: 30', 'slice: -22, 22']) {
    const broken = await send(`broken-${filter.length}`, `<p>{{ unsubscribe_url | ${filter} }}</p>`);
    t.match(
      broken,
      { status: 'KO', reason: 'template_error', reasonDetail: { message: 'html: changed_link' } },
      filter,
    );
  }
});

t.test('what a message brings itself goes first, and is no place for the link', async (t) => {
  const service = await startLetters(t);
  const own = 'https://espace.example/preferences?a=1&b=2';
  await sendOne(service, letter, { to: { address: mail }, data: { name: 'urn:unsubscribe', unsubscribe_url: own } });
  const seen = await opened(service.sink.mails[0]);
  t.match(seen.subject, 'urn:unsubscribe');
  t.match(seen.text, own);
  t.match(headerOf(service.sink.mails[0] ?? { raw: Buffer.of() }, 'List-Unsubscribe'), '<https://notices.test/u/');
});

t.test('many places of the link cost time in proportion', async (t) => {
  const service = await startLetters(t);
  const html = '{% for one in list %}<a href="{{ unsubscribe_url }}">x</a>{% endfor %}';
  await addLinkedTemplate(service, { key: 'many' }, { html });
  const send = async (count: number) => {
    const data = { name: 'J', list: Array.from({ length: count }, () => 1) };
    return service.message(await sendOne(service, 'many', { to: { address: mail }, data }));
  };
  t.match(await send(5_000), { status: 'OK' });
  t.match(await send(12_000), { status: 'KO', reasonDetail: { message: 'html: too_large' } }, 'with the link in');
});
