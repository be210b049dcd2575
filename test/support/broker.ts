/**
 * An insurance broker (system W) as the tests of its rules need it: a tenant with an SMTP account over STARTTLS and
 * AUTH to a sink, a sender, the box "AE par mail", a template in the old braces syntax, clients and PDF notices.
 */
import { randomUUID } from 'node:crypto';
import PostalMime, { type Email } from 'postal-mime';
import type { Test } from 'tap';
import type { Config } from '../../src/config.ts';
import { type Answer, type Ask, startService, type TestClock, type TestService } from './service.ts';
import { type SinkMail, type SinkOptions, type SmtpSink, startSmtpSink } from './smtp-sink.ts';

/** Whatever answers requests of one tenant: a service under test, or one that listens. */
export interface Api {
  inject(method: string, path: string, ask?: Ask): Promise<Answer>;
}

/** The body of an answer: a test reads whatever it holds, and asserts it. */
type Body = Answer['body'];

/** A client's record in Winpass. `box`: "AE par mail"; null: never asked. */
export interface Client {
  number: string;
  title: string;
  firstName: string;
  lastName: string;
  mail: string | null;
  box: boolean | null;
}

/** The broker's mail server, as the account is told to reach it. */
export const login = { user: 'robot', password: 'mot-de-passe-du-robot' };

/** Who edits notices, on which machine. */
export const editor = { user: 'mmartin', osUser: 'COURTAGE\\mmartin', workstation: 'POSTE-12' };

/** The sender of all notices. */
export const sender = {
  key: 'gestion',
  fromAddress: 'gestion@courtage-dupont.example',
  fromName: 'Courtage Dupont & Fils',
  replyTo: 'contact@courtage-dupont.example',
  archiveBcc: ['archives@courtage-dupont.example'],
};

/** The texts of `avis-echeance`, in the syntax of the old application (W1). */
export const noticeTexts = {
  subject: 'Avis d’échéance {contrat} : {Adr_Nom}',
  text: '{Adr_Titre} {Adr_Prenom} {Adr_Nom},\n\nVotre échéance de {montant} est due le {echeance}.\n',
  html: '<style>p { color: #333 }</style><p>{Adr_Titre} {Adr_Prenom} {Adr_Nom},</p><p>Votre échéance de <b>{montant}</b> est due le {echeance}.</p>',
  syntax: 'braces',
};

/** The body of a success; anything else is thrown with what the service said. */
export async function done(answer: Promise<Answer>): Promise<Body> {
  const { status, body } = await answer;
  if (status >= 300) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body;
}

const names = [
  ['Madame', 'Hélène', 'D’Hérouville'],
  ['Monsieur', 'Noël', 'Müller-Brézé'],
  ['Madame', 'Lœtitia', 'L’Hôte & Fils'],
  ['Monsieur', 'Jean-François', 'Ça'],
] as const;

/** The nth client, who has an address and the box ticked unless `changes` says otherwise. */
export function client(n: number, changes: Partial<Client> = {}): Client {
  const [title, firstName, lastName] = names[n % names.length] ?? names[0];
  const number = `D-2026-${String(n).padStart(6, '0')}`;
  return { number, title, firstName, lastName, mail: `client.${n}@courriel.example`, box: true, ...changes };
}

/** The smallest thing that is a PDF by its first bytes, different for each text. */
export const pdf = (text: string): Buffer => Buffer.from(`%PDF-1.7\n% ${text}\n%%EOF\n`);

/** Gives the record and the box to the service. */
export async function keepClient(api: Api, one: Client): Promise<Client> {
  const path = `/v1/recipients/external:client:${one.number}`;
  const addresses = one.mail === null ? [] : [{ kind: 'mail', value: one.mail }];
  const displayName = `${one.firstName} ${one.lastName}`;
  await done(api.inject('PUT', path, { body: { displayName, addresses } }));
  if (one.box !== null) await tick(api, one, one.box);
  return one;
}

/** Ticks or clears the box "AE par mail". */
export async function tick(api: Api, { number }: Pick<Client, 'number'>, accepted: boolean): Promise<void> {
  const choices = [{ notificationType: 'ae-par-mail', channel: 'mail', accepted, source: 'AE par mail' }];
  await done(api.inject('PUT', `/v1/recipients/external:client:${number}/choices`, { body: { choices } }));
}

/** Uploads a PDF. @returns its id. */
export async function upload(api: Api, filename: string, content: Buffer): Promise<string> {
  const boundary = 'part-of-the-broker';
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${filename}"\r\nContent-Type: application/pdf\r\n\r\n`;
  const payload = Buffer.concat([Buffer.from(head), content, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  return (await done(api.inject('POST', '/v1/documents', { payload, headers }))).id;
}

/** The row of a client in a send request. */
export function noticeFor(one: Client, changes: object = {}) {
  return {
    recipient: `external:client:${one.number}`,
    data: {
      Adr_Titre: one.title,
      Adr_Prenom: one.firstName,
      Adr_Nom: one.lastName,
      contrat: `C-${one.number}`,
      montant: '1 234,56 €',
      echeance: '1er janvier 2027',
    },
    context: { type: 'dossier', ref: one.number },
    ...changes,
  };
}

/** Posts notices. `changes` go into the request, `ask` says with which key. @returns the answer, whatever it is. */
export function post(api: Api, recipients: object[], changes: object = {}, ask: Ask = {}): Promise<Answer> {
  const source = 'documentType' in changes || 'templates' in changes ? {} : { template: 'avis-echeance' };
  const body = { ...source, requestedBy: editor, recipients, ...changes };
  return api.inject('POST', '/v1/send-requests', { ...ask, body, headers: { 'idempotency-key': randomUUID() } });
}

/** Keeps the clients, posts a notice for each. @returns the ids of the messages, in the order of the clients. */
export async function edit(api: Api, clients: Client[], changes: object = {}): Promise<string[]> {
  for (const one of clients) await keepClient(api, one);
  const answer = await done(
    post(
      api,
      clients.map((one) => noticeFor(one)),
      changes,
    ),
  );
  return answer.messages.map(({ id }: { id: string }) => id);
}

/** Validates, blocks or sends again, by ids. */
export const act = (api: Api, action: 'validate' | 'block' | 'resend', ids: string[]): Promise<Body> =>
  done(api.inject('POST', `/v1/messages/${action}`, { body: { ids } }));

/** Everything about a message. */
export const read = (api: Api, id: string): Promise<Body> => done(api.inject('GET', `/v1/messages/${id}`));

/** The statuses of messages, in the order of the ids. */
export async function statusesOf(api: Api, ids: readonly string[]): Promise<string[]> {
  return Promise.all(ids.map(async (id) => (await read(api, id)).status));
}

/** Changes something that has an ETag. */
export async function change(api: Api, path: string, body: object): Promise<Body> {
  const { headers } = await api.inject('GET', path);
  return done(api.inject('PATCH', path, { body, headers: { 'if-match': String(headers.etag) } }));
}

/** Mails whose envelope names `address`. */
export const mailsTo = (sink: SmtpSink, address: string): SinkMail[] =>
  sink.mails.filter(({ envelope }) => envelope.to.includes(address));

/** What a reader of the mail sees. */
export const opened = (mail: SinkMail | undefined): Promise<Email> => {
  if (mail === undefined) throw new Error('there is no such mail');
  return PostalMime.parse(mail.raw);
};

/** The SMTP account of the broker: STARTTLS, log-in, and the sink's own authority. */
export function accountOf(sink: SmtpSink, rhythm: object = {}) {
  const settings = {
    host: 'localhost',
    port: sink.port,
    security: 'starttls',
    user: login.user,
    certificateAuthority: sink.certificateAuthority,
  };
  const secrets = { password: login.password };
  return { name: 'SMTP du cabinet', channel: 'mail', driver: 'smtp', settings, secrets, rhythm };
}

/** The broker's sender, box and template. @param archiveBcc of the sender. */
export async function setUp(api: Api, archiveBcc: string[] = sender.archiveBcc): Promise<{ templateId: string }> {
  await done(api.inject('POST', '/v1/senders', { body: { ...sender, archiveBcc } }));
  const box = { key: 'ae-par-mail', title: 'AE par mail', channels: ['mail'], defaultChoice: 'off' };
  await done(api.inject('POST', '/v1/notification-types', { body: box }));
  const templateId = await addTemplate(api, { key: 'avis-echeance', notificationType: 'ae-par-mail' }, noticeTexts);
  return { templateId };
}

/** Adds a template with one published version. @returns its id. */
export async function addTemplate(
  api: Api,
  template: { key: string; [field: string]: unknown },
  texts: object,
): Promise<string> {
  const body = { title: template.key, channel: 'mail', ...template };
  const { id } = await done(api.inject('POST', '/v1/templates', { body }));
  const { version } = await done(api.inject('POST', `/v1/templates/${id}/versions`, { body: texts }));
  await done(api.inject('POST', `/v1/templates/${id}/versions/${version}/publish`, { body: {} }));
  return id;
}

/** A sink that asks for a log-in and offers STARTTLS, closed with the test. */
export async function startSink(t: Test, respond?: SinkOptions['respond']): Promise<SmtpSink> {
  const options: SinkOptions = { tls: 'starttls', auth: login };
  const sink = await startSmtpSink(respond === undefined ? options : { ...options, respond });
  t.teardown(() => sink.close());
  return sink;
}

/** What a test may change. */
export interface BrokerOptions {
  /** Default: a production deployment. */
  config?: Partial<Config>;
  clock?: TestClock;
  rhythm?: object;
  archiveBcc?: string[];
  respond?: SinkOptions['respond'];
  /** False: the broker has no account yet. */
  account?: boolean;
}

/** A broker at work. */
export interface Broker {
  service: TestService;
  sink: SmtpSink;
  templateId: string;
  /** Empty when it has no account. */
  accountId: string;
}

/** Starts a service with the broker's tenant, and its mail server. */
export async function startBroker(t: Test, options: BrokerOptions = {}): Promise<Broker> {
  const sink = await startSink(t, options.respond);
  const { clock, config = { deployment: 'production' } } = options;
  const service = await startService(t, { config, ...(clock === undefined ? {} : { clock }) });
  const { templateId } = await setUp(service, options.archiveBcc);
  const account = { body: accountOf(sink, options.rhythm) };
  const made =
    options.account === false ? { id: '' } : await done(service.inject('POST', '/v1/channel-accounts', account));
  return { service, sink, templateId, accountId: made.id };
}
