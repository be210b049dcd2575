import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import fc from 'fast-check';
import t from 'tap';
import { createUnsubscribeLinks } from '../../src/messages/unsubscribe/links.ts';
import { createSecrets } from '../../src/tenants/secrets.ts';
import { formOf } from '../support/multipart.ts';
import type { Sending } from '../support/sending.ts';
import {
  allTables,
  click,
  keepPerson,
  lastLink,
  letter,
  oneClick,
  sendOne,
  startLetters,
} from '../support/unsubscribing.ts';

t.setTimeout(600_000);

const jeanne = { recipient: 'external:client:C-1' };
const browser = { accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8', 'accept-language': 'fr' };

async function startWithLink(t: Parameters<typeof startLetters>[0], options = {}): Promise<Sending & { path: string }> {
  const service = await startLetters(t, options);
  await keepPerson(service, 'C-1', 'jeanne@people.test');
  await sendOne(service, letter, jeanne);
  return { ...service, path: lastLink(service) };
}

const look = ({ inject }: Sending, path: string, headers: Record<string, string> = browser, method = 'GET') =>
  inject(method, path, { key: null, headers });

t.test('looking changes nothing, however often and by whatever: scanners follow links', async (t) => {
  const service = await startWithLink(t);
  const before = await allTables(service);
  t.ok(Object.keys(before).length > 30);
  for (const method of ['GET', 'HEAD']) {
    for (const query of ['', '?utm_source=mail', '?choice=all', `?${oneClick}`]) {
      const answer = await look(service, service.path + query, browser, method);
      t.equal(answer.status, 200);
      t.equal(answer.raw.length > 0, method === 'GET');
    }
  }
  for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    t.equal((await look(service, service.path, {}, method)).status, 404);
  t.same(await allTables(service), before);
});

t.test('the page is plain: no script, nothing from elsewhere, not kept, not told to others', async (t) => {
  const service = await startWithLink(t);
  const { body, headers } = await look(service, service.path);
  t.match(headers, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-robots-tag': 'noindex, nofollow',
  });
  t.notOk('set-cookie' in headers);
  const [, style = ''] = /<style>([\s\S]*)<\/style>/.exec(body) ?? [];
  const hash = createHash('sha256').update(style).digest('base64');
  t.equal(
    headers['content-security-policy'],
    `default-src 'none'; style-src 'sha256-${hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  );
  t.notMatch(body, /<script|<img|<link|<iframe|\bon\w+=|https?:|url\(|@import/i);
  t.match(body, /<html lang="fr">[\s\S]*<meta name="viewport" content="width=device-width/);
  t.equal(body.match(/<label><input type="radio" name="choice"/g)?.length, 2, 'each choice is labelled');
  t.match(body, /<fieldset>\s*<legend>/);
  t.match(body, 'Courtage Dupont');
  t.match(body, 'Lettre &#60;d’information&#62;', 'what the tenant wrote is text');
  t.notMatch(body, /jeanne|people\.test/i, 'nothing says who it is');
});

t.test('it is in the language of the message, else in that of the reader', async (t) => {
  const service = await startWithLink(t);
  const cases = [
    ['fr-FR', 'en', 'fr'],
    ['en-GB', 'fr', 'en'],
    ['de-DE', 'fr-CA,en;q=0.5', 'fr'],
    ['de-DE', 'en-GB,fr;q=0.5', 'en'],
  ] as const;
  for (const [locale, reader, language] of cases) {
    await service.execute(sql`update messages set locale = ${locale}`);
    const { body } = await look(service, service.path, { ...browser, 'accept-language': reader });
    t.match(body, `<html lang="${language}">`, `${locale}, ${reader}`);
    t.match(body, language === 'fr' ? 'Me désabonner' : '>Unsubscribe</button>');
  }
  t.match((await look(service, '/u/nothing', { ...browser, 'accept-language': 'en' })).body, 'leads nowhere');
});

t.test('the page tells what is refused, and offers the rest', async (t) => {
  const service = await startWithLink(t);
  const acted = await click(service, service.path, 'choice=kind', browser);
  t.match(acted.body, /role="status">C’est fait[\s\S]*<input type="hidden" name="choice" value="all">/);
  t.equal((await look(service, service.path)).body, acted.body, 'and so does whoever comes back');
  const all = await click(service, service.path, 'choice=all', browser);
  t.match(all.body, /role="status">C’est fait/);
  t.notMatch(all.body, '<form');
  t.equal((await look(service, service.path)).body, all.body);
});

t.test('a form may be sent in both encodings, and says what is wanted', async (t) => {
  const service = await startWithLink(t);
  const count = async () => (await service.execute(sql`select count(*)::int as count from choices`))[0]?.count;
  const boundary = 'form-of-the-mail-program';
  const part = `--${boundary}\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--${boundary}--\r\n`;
  const multipart = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  const good = [
    [oneClick, {}],
    [oneClick, { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' }],
    ['List-Unsubscribe=one-click&other=1', {}],
    [part, multipart],
    ['choice=kind', browser],
  ] as const;
  for (const [body, headers] of good) {
    t.equal((await click(service, service.path, body, headers)).status, 200, body);
    t.equal(await count(), 1, body);
    await service.execute(sql`delete from choices`);
  }
  const before = await allTables(service);
  const bad = [
    ['', {}, 400],
    ['choice=', {}, 400],
    ['choice=other', {}, 400],
    ['List-Unsubscribe=No', {}, 400],
    ['__proto__=1&choice[]=kind', {}, 400],
    [part.slice(0, -20), multipart, 400],
    [part, { 'content-type': 'multipart/form-data' }, 400],
    [formOf({ name: 'choice', content: 'kind' }).payload.toString(), formOf({}).headers, 400],
    ['{"choice":"kind"}', { 'content-type': 'application/json' }, 415],
    [oneClick, { 'content-type': 'text/plain' }, 415],
    [`${oneClick}&more=${'x'.repeat(5_000)}`, {}, 413],
    ['x'.repeat(3_000_000), multipart, 413],
  ] as const;
  for (const [body, headers, status] of bad) {
    const name = `${status} ${body.slice(0, 40)}`;
    t.match(await click(service, service.path, body, headers), { status, body: { status } }, name);
    const page = await click(service, service.path, body, { ...browser, ...headers });
    t.match(page, { status, headers: { 'content-type': 'text/html; charset=utf-8' } }, name);
    t.match(page.body, '<h1>Votre choix n’a pas été compris</h1>');
  }
  t.equal((await service.inject('POST', service.path, { key: null })).status, 400, 'no body at all');
  t.same(await allTables(service), before);
});

t.test('a link that is not ours is answered like one that never was, whatever is wrong with it', async (t) => {
  const service = await startWithLink(t);
  const token = service.path.slice('/u/'.length);
  const bytes = Buffer.from(token, 'base64url');
  const changed = (at: number) => {
    const other = Buffer.from(bytes);
    other[at] = (other[at] ?? 0) ^ 1;
    return other.toString('base64url');
  };
  const { runtime, tenant } = service;
  const [tenantId, messageId] = [tenant.id, (await service.execute(sql`select id from messages`))[0]?.id as string];
  const link = (links: typeof runtime.links, ids: { tenantId: string; messageId: string }) =>
    new URL(links.urlOf({ ...ids, trial: false }) ?? '').pathname.slice('/u/'.length);
  const stranger = createUnsubscribeLinks(runtime.config, createSecrets([Buffer.alloc(32, 7).toString('base64')]));
  const other = await service.addTenant('Autre');
  const spare = token.slice(0, -1) + String.fromCharCode(token.charCodeAt(token.length - 1) + 1);
  const wrong = [
    ...Array.from(bytes.keys(), changed),
    token.slice(0, -1),
    `${token}A`,
    `${token}=`,
    spare,
    token.toLowerCase(),
    'A'.repeat(66),
    '%00',
    '%F0%9F%91%BB',
    link(stranger, { tenantId, messageId }),
    link(runtime.links, { tenantId: other.id, messageId }),
    link(runtime.links, { tenantId, messageId: tenantId }),
  ];
  const absent = await look(service, '/u/x');
  t.match(absent, { status: 404, headers: { 'cache-control': 'no-store' } });
  t.match(absent.body, '<h1>Ce lien ne mène nulle part</h1>');
  const before = await allTables(service);
  for (const one of wrong) {
    const page = await look(service, `/u/${one}`);
    t.same([page.status, page.body], [404, absent.body], one);
    const acted = await click(service, `/u/${one}`, oneClick, browser);
    t.same([acted.status, acted.body], [404, absent.body], one);
  }
  t.match(
    await click(service, `/u/${wrong[0]}`),
    { status: 404, body: { code: 'not_found' } },
    'a program gets a problem',
  );
  t.same(await allTables(service), before);
});

t.test('a token is read as what it was made of, and nothing else is a token', async (t) => {
  const links = createUnsubscribeLinks(
    { deployment: 'test', publicUrl: null, host: '::1', port: 8080 },
    createSecrets([Buffer.alloc(32, 1).toString('base64')]),
  );
  const ids = fc.record({ tenantId: fc.uuid(), messageId: fc.uuid(), trial: fc.boolean() });
  fc.assert(
    fc.property(ids, (message) => {
      const [, token = ''] = /^http:\/\/\[::1\]:8080\/u\/([\w-]{66})$/.exec(links.urlOf(message) ?? '') ?? [];
      t.same(links.read(token), message);
    }),
  );
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.base64String({ minLength: 60, maxLength: 70 })),
      (text) => links.read(text) === null,
    ),
  );
});

t.test('a link holds when a new key is put in front, and no longer when the oldest is gone', async (t) => {
  const [old, fresh] = [1, 2].map((fill) => Buffer.alloc(32, fill).toString('base64'));
  const config = { deployment: 'production', publicUrl: 'https://notices.test/sub', host: 'x', port: 1 } as const;
  const made = (...keys: (string | undefined)[]) =>
    createUnsubscribeLinks(config, createSecrets(keys.map((key) => key ?? '')));
  const message = {
    tenantId: '01a2027b-d680-727d-9c08-abc30badb5e7',
    messageId: '01a2027b-d680-727d-9c09-779c7ebdf4d8',
    trial: true,
  };
  const url = made(old).urlOf(message) ?? '';
  t.match(url, /^https:\/\/notices\.test\/sub\/u\//);
  const token = url.split('/').at(-1) ?? '';
  t.same(made(fresh, old).read(token), message);
  t.equal(made(fresh).read(token), null);
});

t.test(
  'who asks for links that are none may do so 600 times in a minute; whoever has a link is not held up by that',
  async (t) => {
    const service = await startWithLink(t);
    const statuses: number[] = [];
    for (let turn = 0; turn < 601; turn += 1) statuses.push((await look(service, '/u/x', {})).status);
    t.same([statuses.slice(0, 600).every((status) => status === 404), statuses[600]], [true, 429]);
    const page = await look(service, '/u/y');
    t.match(page, { status: 429, headers: { 'retry-after': String } });
    t.match(page.body, 'Trop de demandes');
    t.equal((await look(service, service.path)).status, 200, 'behind the same proxy');
    for (let turn = 0; turn < 599; turn += 1) await look(service, service.path);
    t.equal((await look(service, service.path)).status, 429);
    t.equal((await click(service, service.path)).status, 200, 'who only looks does not use up the clicks');
  },
);

t.test('nothing of it reaches the log but the route', async (t) => {
  const logLines: string[] = [];
  const service = await startWithLink(t, { logLines });
  await look(service, service.path);
  await click(service, service.path, 'choice=all');
  await look(service, '/u/secret-of-somebody');
  const lines = logLines.filter((line) => line.includes('/u/'));
  t.equal(lines.length, 3);
  t.ok(lines.every((line) => JSON.parse(line).route === '/u/:token'));
  t.notOk(logLines.some((line) => line.includes(service.path) || /secret-of|jeanne|people\.test/.test(line)));
});
