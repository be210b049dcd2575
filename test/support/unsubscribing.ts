/** Subscription mail that really leaves, and the link that arrives with it. */
import { sql } from 'drizzle-orm';
import { done } from './broker.ts';
import { type Sending, type SendingOptions, startSending } from './sending.ts';
import type { Answer, Ask, TestService } from './service.ts';
import type { SinkMail } from './smtp-sink.ts';

/** What mail programs send (RFC 8058 §3.1). */
export const oneClick = 'List-Unsubscribe=One-Click';

/** Key of the catalogue's kind of notice that is subscription mail, and of the template that is of it. */
export const letter = 'lettre';

const texts = {
  subject: 'Bonjour {{ name }}',
  text: 'Bonjour {{ name }}\n\nSe désabonner : {{ unsubscribe_url }}',
  html: '<p>Bonjour {{ name }}</p><p><a href="{{ unsubscribe_url }}">Se désabonner</a></p>',
};

interface Teardown {
  teardown(fn: () => unknown): void;
}

/** Adds a published template whose texts have the link. */
export async function addLinkedTemplate(
  { inject }: Pick<TestService, 'inject'>,
  template: { key: string } & Record<string, unknown>,
  changes: Partial<typeof texts> = {},
): Promise<string> {
  const body = { title: template.key, channel: 'mail', ...template };
  const { id } = await done(inject('POST', '/v1/templates', { body }));
  const path = `/v1/templates/${id}/versions`;
  await done(inject('POST', path, { body: { ...texts, ...changes } }));
  await done(inject('POST', `${path}/1/publish`, { body: {} }));
  return id;
}

/** A service with templates that are subscription mail: of a kind of notice, for prospecting (said or not), and of neither. */
export async function startLetters(t: Teardown, options: SendingOptions = {}): Promise<Sending> {
  const service = await startSending(t, options);
  // Who never said anything may be written to for prospecting, too.
  await service.execute(sql`update tenants set default_consent_level = 3`);
  const kind = { key: letter, title: 'Lettre <d’information>', defaultChoice: 'on', subscription: true };
  await done(service.inject('POST', '/v1/notification-types', { body: kind }));
  await addLinkedTemplate(service, { key: letter, notificationType: letter });
  await addLinkedTemplate(service, { key: 'offre', consentPurpose: 'prospecting' });
  await addLinkedTemplate(service, { key: 'prospectus', category: 'marketing' });
  await addLinkedTemplate(service, { key: 'annonce', category: 'marketing', consentPurpose: 'management' });
  return service;
}

/** Keeps a person with one mail address. @returns their id. */
export async function keepPerson({ inject }: Pick<TestService, 'inject'>, externalId: string, mail: string) {
  const body = { displayName: 'Jeanne', addresses: [{ kind: 'mail', value: mail }] };
  return (await done(inject('PUT', `/v1/recipients/external:client:${externalId}`, { body }))).id as string;
}

/** Sends one message and lets it leave. @returns its id. */
export async function sendOne(service: Sending, template: string, recipient: object, more = {}, ask: Ask = {}) {
  const row = { data: { name: 'Jeanne' }, ...recipient };
  const { messages } = await service.send([row], { template, ...more }, ask);
  await service.work();
  return messages[0] ?? '';
}

/** A header of a mail, unfolded; null without it. */
export function headerOf({ raw }: Pick<SinkMail, 'raw'>, name: string): string | null {
  const [head = ''] = raw.toString('latin1').split('\r\n\r\n', 1);
  const found = new RegExp(`^${name}:((?:.|\\r\\n[ \\t])*)$`, 'im').exec(head);
  return found?.[1]?.replace(/\r\n(?=[ \t])/g, '').trim() ?? null;
}

/** The path of the link that stands in `List-Unsubscribe` of the mail that came last. */
export function lastLink({ sink }: Sending): string {
  const mail = sink.mails.at(-1);
  const [, url] = /^<(https?:[^>]+)>$/.exec(mail === undefined ? '' : (headerOf(mail, 'List-Unsubscribe') ?? '')) ?? [];
  if (url === undefined) throw new Error('the last mail has no link');
  return new URL(url).pathname;
}

/** Posts a form to a link, as a mail program or a browser does. */
export const click = (
  { inject }: Pick<TestService, 'inject'>,
  path: string,
  body = oneClick,
  headers = {},
): Promise<Answer> =>
  inject('POST', path, {
    key: null,
    payload: body,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  });

/** A hash of each table with anything in it: what changed, whatever it is, shows. */
export async function allTables({ execute }: Pick<Sending, 'execute'>): Promise<Record<string, unknown>> {
  const tables = await execute(sql`
    select quote_ident(table_schema) || '.' || quote_ident(table_name) as name from information_schema.tables
    where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE' order by 1`);
  const hashes: Record<string, unknown> = {};
  for (const { name } of tables) {
    const rows = sql.raw(`select md5(string_agg(one::text, ' ' order by one::text)) as hash from ${name} as one`);
    hashes[String(name)] = (await execute(rows))[0]?.hash;
  }
  return hashes;
}
