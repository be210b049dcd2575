/** A service with a sender, a template and an SMTP account that leads to a sink: what tests of the dispatcher begin with. */
import { randomUUID } from 'node:crypto';
import type { SQL } from 'drizzle-orm';
import { createWorkerDispatcher } from '../../src/background.ts';
import type { Dispatcher } from '../../src/dispatch/dispatcher.ts';
import type { Status } from '../../src/messages/status.ts';
import { createRuntime, type Probe } from '../../src/runtime.ts';
import { done } from './broker.ts';
import { type Answer, type Ask, type ServiceOptions, startService, type TestService } from './service.ts';
import { type SinkMail, type SinkOptions, type SmtpSink, startSmtpSink } from './smtp-sink.ts';

/** Real recipients: outside production everything would be redirected, or paused. */
const production = { deployment: 'production', publicUrl: 'https://notices.test' } as const;
/** Long enough for a busy machine, short enough that a hang is seen soon. */
const timeouts = { connectSeconds: 5, greetingSeconds: 2, answerSeconds: 1.5 };

export interface SendingOptions extends ServiceOptions {
  sink?: SinkOptions;
  /** Parts of the account's body; `account: null` makes none. */
  account?: Record<string, unknown> | null;
  /** Settings of the account beside host, port and security. */
  settings?: Record<string, unknown>;
  archiveBcc?: string[];
  /** Key of a notification type that the template belongs to. */
  notificationType?: string;
}

type Ways = Pick<TestService, 'inject'>;

interface Teardown {
  teardown(fn: () => unknown): void;
}

/** Messages of a send request by status. */
type Counts = Record<'created' | Status, number>;

/** What can be asked and done in the name of one tenant. */
export interface Sending extends TestService {
  sink: SmtpSink;
  /** Id of the SMTP account. */
  accountId: string;
  post(path: string, body?: unknown, ask?: Ask): Promise<Answer>;
  /** Posts a send request; automatic validation unless told otherwise. Fails when it is refused. */
  send(recipients: unknown[], more?: Record<string, unknown>, ask?: Ask): Promise<{ id: string; messages: string[] }>;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the answer holds, and asserts it.
  message(id: string): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: the same.
  attempts(id: string): Promise<any[]>;
  /** `from→to reason` of each move, in order. */
  moves(id: string): Promise<string[]>;
  /** Counts of a send request; throws when created is not the sum. */
  counts(sendRequest: string): Promise<Counts>;
  /** Numbered events of the tenant, of one type if given. */
  // biome-ignore lint/suspicious/noExplicitAny: the same.
  events(type?: string): Promise<any[]>;
  /** Another way to the database, behind the service's back. */
  execute(statement: SQL): Promise<Record<string, unknown>[]>;
}

/** The body of an SMTP account that leads to `sink`. */
export function smtpAccount(
  sink: SmtpSink,
  more: Record<string, unknown> = {},
  settings: Record<string, unknown> = {},
) {
  const reach = { host: sink.host, port: sink.port, security: 'none', name: 'client.test', timeouts, ...settings };
  return { name: 'SMTP', channel: 'mail', driver: 'smtp', settings: reach, ...more };
}

/** `n` inline recipients with addresses of their own. */
export const people = (n: number, domain = 'people.test') =>
  Array.from({ length: n }, (_, index) => ({ to: { address: `p${index}@${domain}` }, data: { name: `P${index}` } }));

/** The address a mail was handed over for. */
export const receiverOf = (mail: SinkMail): string => mail.envelope.to.join(' ');

/** The Message-ID of a mail. */
export function messageIdOf(mail: Pick<SinkMail, 'raw'>): string {
  return /^message-id:\s*(<[^>]+>)/im.exec(mail.raw.toString())?.[1] ?? 'none';
}

/** Mails that arrived more than once: Message-ID and receiver of each further one. */
export function repeated(mails: readonly SinkMail[]): string[] {
  const keys = mails.map((mail) => `${messageIdOf(mail)} ${receiverOf(mail)}`);
  return keys.filter((key, index) => keys.indexOf(key) !== index);
}

/** A further worker that claims and sends when told to, on the service's own clock. */
export async function addDispatcher(t: Teardown, service: TestService, probe?: Probe): Promise<Dispatcher> {
  const { runtime, databaseUrl, clock } = service;
  const options = { databaseUrl, name: 'further', supervise: false, clock, log: runtime.log };
  const further = await createRuntime(runtime.config, { ...options, ...(probe === undefined ? {} : { probe }) });
  const dispatcher = createWorkerDispatcher(further, null);
  t.teardown(async () => {
    await dispatcher.stop();
    await further.close();
  });
  return dispatcher;
}

/** A sender and a published template with the key `notice`. */
export async function setUpContent(
  { inject }: Ways,
  { key, archiveBcc = [], notificationType }: { key?: string; archiveBcc?: string[]; notificationType?: string } = {},
): Promise<void> {
  const ask = key === undefined ? {} : { key };
  const make = async (path: string, body: unknown) => done(inject('POST', path, { ...ask, body }));
  await make('/v1/senders', { key: 'office', fromAddress: 'office@broker.test', archiveBcc, isDefault: true });
  if (notificationType !== undefined) {
    const type = { key: notificationType, title: 'Notice', active: true, channels: ['mail'], defaultChoice: 'on' };
    await make('/v1/notification-types', type);
  }
  const template = await make('/v1/templates', {
    key: 'notice',
    title: 'Notice',
    channel: 'mail',
    ...(notificationType === undefined ? {} : { notificationType }),
  });
  const path = `/v1/templates/${template.id}/versions`;
  await make(path, { subject: 'For {{ name }}', text: 'Dear {{ name }}', html: '<p>Dear {{ name }}</p>' });
  await make(`${path}/1/publish`, {});
}

/** What a test asks of a service, in the name of its tenant. */
export function waysOf(service: TestService): Omit<Sending, keyof TestService | 'sink' | 'accountId'> {
  const { inject, runtime } = service;
  const items = async (path: string) => (await done(inject('GET', `${path}?limit=250`))).items;
  return {
    post: (path, body, ask = {}) => inject('POST', path, { ...ask, ...(body === undefined ? {} : { body }) }),
    async send(recipients, more = {}, ask = {}) {
      const body = { template: 'notice', validation: 'automatic', recipients, ...more };
      const headers = { 'idempotency-key': randomUUID(), ...ask.headers };
      const { id, messages } = await done(inject('POST', '/v1/send-requests', { ...ask, headers, body }));
      return { id, messages: messages.map((message: { id: string }) => message.id) };
    },
    message: async (id) => done(inject('GET', `/v1/messages/${id}`)),
    attempts: async (id) => items(`/v1/messages/${id}/attempts`),
    async moves(id) {
      const moves = await items(`/v1/messages/${id}/transitions`);
      return moves.map((move: { from: string | null; to: string; reason: string | null }) =>
        [`${move.from ?? '·'}→${move.to}`, move.reason].filter(Boolean).join(' '),
      );
    },
    async counts(sendRequest) {
      const { counts } = await done(inject('GET', `/v1/send-requests/${sendRequest}`));
      const { created, ...byStatus } = counts;
      const sum = Object.values<number>(byStatus).reduce((a, b) => a + b, 0);
      if (sum !== created) throw new Error(`created ${created} is not the sum of ${JSON.stringify(byStatus)}`);
      return counts;
    },
    async events(type) {
      const { items: list } = await done(inject('GET', '/v1/events?limit=250'));
      return type === undefined ? list : list.filter((event: { type: string }) => event.type === type);
    },
    execute: async (statement) => [...(await runtime.db.execute(statement))],
  };
}

/** Starts all of it, ended with the test. */
export async function startSending(t: Teardown, options: SendingOptions = {}): Promise<Sending> {
  const { sink: sinkOptions, account = {}, settings, archiveBcc, notificationType, config, ...rest } = options;
  const sink = await startSmtpSink(sinkOptions);
  t.teardown(() => sink.close());
  const service = await startService(t, { ...rest, config: { ...production, ...config } });
  await setUpContent(service, {
    ...(archiveBcc === undefined ? {} : { archiveBcc }),
    ...(notificationType === undefined ? {} : { notificationType }),
  });
  let accountId = '';
  if (account !== null) {
    const body = smtpAccount(sink, account, settings);
    accountId = (await done(service.inject('POST', '/v1/channel-accounts', { body }))).id;
  }
  return { ...service, ...waysOf(service), sink, accountId };
}
