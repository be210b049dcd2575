/**
 * An organisation with one of everything: what the examples of the OpenAPI document speak of, and a resource for
 * every id that a path can hold.
 */
import { randomUUID } from 'node:crypto';
import { addTemplate, done, pdf, upload } from './broker.ts';
import type { Answer, Ask, TestService, TestTenant } from './service.ts';

/** What was made, by what it is. Ids of the live part unless the name says otherwise. */
export interface Seeds {
  tenant: TestTenant;
  /** Asks with the tenant's live key unless `ask` says otherwise. */
  inject(method: string, path: string, ask?: Ask): Promise<Answer>;
  template: string;
  /** Version 1 is published, version 2 is a draft. */
  unusedTemplate: string;
  fieldList: string;
  layout: string;
  /** Its source is the service's own database; nothing asks the other source. */
  extraction: string;
  unusedExtraction: string;
  source: string;
  unusedSource: string;
  sender: string;
  unusedSender: string;
  document: string;
  recipientType: string;
  recipient: string;
  unusedRecipient: string;
  response: string;
  notificationType: string;
  unusedNotificationType: string;
  suppression: string;
  account: string;
  unusedAccount: string;
  apiKey: string;
  draft: string;
  /** Accepted, planned for later: its one message is `planned`. */
  sendRequest: string;
  export: string;
  messages: { E: string; B: string; OK: string; planned: string };
  /** Of a link to unsubscribe that changes nothing. */
  token: string;
  /** Of a test key. */
  test: { sendRequest: string; OK: string; failed: string; unknown: string };
}

const texts = {
  subject: 'Votre avis d’échéance {{ contrat }}',
  text: 'Bonjour {{ Adr_Titre }} {{ Adr_Nom }}, {{ montant }} avant le {{ echeance }}.',
  html: '<p>Bonjour {{ Adr_Titre }} {{ Adr_Nom }}, {{ montant }} avant le {{ echeance }}.</p>',
};

/** Data for every field of the seeded template. */
export const noticeData = {
  Adr_Titre: 'Madame',
  Adr_Nom: 'D’Hérouville',
  contrat: 'C-88',
  montant: '1 234,56 €',
  echeance: '1er janvier 2027',
};

const row = (name: string, changes: object = {}) => ({
  to: { address: `${name}@courriel.example` },
  data: noticeData,
  context: { type: 'dossier', ref: 'D-2026-000123' },
  ...changes,
});

type Api = Pick<Seeds, 'inject'>;

async function post(api: Api, path: string, body: object, ask: Ask = {}) {
  return done(api.inject('POST', path, { ...ask, body, headers: { 'idempotency-key': randomUUID() } }));
}

/** Posts a send request of the seeded template. */
export const send = (api: Api, recipients: object[], changes: object = {}, ask: Ask = {}) =>
  post(api, '/v1/send-requests', { template: 'avis-echeance', recipients, ...changes }, ask);

async function seedContent(api: Api, databaseUrl: string) {
  const sender = await post(api, '/v1/senders', { key: 'accueil', fromAddress: 'accueil@courtage-dupont.example' });
  const unusedSender = await post(api, '/v1/senders', { key: 'second', fromAddress: 'second@courtage-dupont.example' });
  const template = await addTemplate(
    api,
    { key: 'avis-echeance', documentTypes: ['avis-echeance'] } as { key: string },
    texts,
  );
  const unusedTemplate = await addTemplate(api, { key: 'inutile' }, texts);
  await post(api, `/v1/templates/${unusedTemplate}/versions`, { ...texts, senderId: 'accueil' });
  const document = await upload(api, 'avis.pdf', pdf('avis'));
  const properties = { numero: { type: 'string', title: 'Numéro', examples: ['D-2026-000123'] } };
  const fieldList = await post(api, '/v1/field-lists', {
    key: 'dossier',
    title: 'Champs du dossier',
    pages: ['dossier'],
    fields: { type: 'object', properties },
  });
  const layout = await post(api, '/v1/layouts', { key: 'central', title: 'Scolarité centrale' });
  return {
    ...(await seedExtractions(api, databaseUrl)),
    sender: sender.id,
    unusedSender: unusedSender.id,
    template,
    unusedTemplate,
    fieldList: fieldList.id,
    layout: layout.id as string,
    document,
  };
}

async function seedExtractions(api: Api, databaseUrl: string) {
  const { hostname, port, pathname, username, password } = new URL(databaseUrl);
  const database = { database: pathname.slice(1), user: decodeURIComponent(username), tls: 'none' };
  const source = await post(api, '/v1/data-sources', {
    key: 'seeded',
    title: 'Base de gestion',
    kind: 'postgresql',
    settings: { host: hostname, port: Number(port || 5432), ...database },
    secrets: password === '' ? {} : { password: decodeURIComponent(password) },
  });
  const unusedSource = await post(api, '/v1/data-sources', {
    key: 'seeded-unused',
    title: 'Autre base',
    kind: 'http',
    settings: { url: 'https://autre.mutuelle-armor.example/' },
  });
  const extraction = (key: string) =>
    post(api, '/v1/extractions', {
      key,
      title: 'Bénéficiaires',
      dataSource: 'seeded',
      query: 'select key as cle from unnest(:keys) as key',
      keyColumn: 'cle',
      pages: ['seeded'],
      fields: { type: 'object', properties: { cle: { type: 'string' } } },
    });
  return {
    extraction: (await extraction('seeded')).id as string,
    unusedExtraction: (await extraction('seeded-unused')).id as string,
    source: source.id as string,
    unusedSource: unusedSource.id as string,
  };
}

async function seedPeople(api: Api) {
  const types = '/v1/notification-types';
  const box = { title: 'Avis par mail', channels: ['mail'], defaultChoice: 'off' };
  const notificationType = await post(api, types, { ...box, key: 'ae-par-mail' });
  const unused = await post(api, types, { ...box, key: 'avis-echeance', defaultChoice: 'on' });
  const recipientType = await post(api, '/v1/recipient-types', { key: 'unused', title: 'Sans personne' });
  const recipient = await post(api, '/v1/recipients', {
    type: 'client',
    externalId: 'C-1001',
    displayName: 'Jürgen Müller',
    addresses: [{ kind: 'mail', value: 'jurgen.muller@courriel.example' }],
  });
  const unusedRecipient = await post(api, '/v1/recipients', { type: 'client', externalId: 'C-1002' });
  const context = { type: 'questionnaire', ref: 'Q-2026-16' };
  const response = await post(api, `/v1/recipients/${recipient.id}/responses`, { context });
  const choices = [{ notificationType: 'avis-echeance', channel: 'mail', accepted: true }];
  await done(api.inject('PUT', `/v1/recipients/${recipient.id}/choices`, { body: { choices } }));
  const suppression = await post(api, '/v1/suppressions', { address: 'jamais@courriel.example', cause: 'manual' });
  return {
    suppression: suppression.id as string,
    notificationType: notificationType.id as string,
    unusedNotificationType: unused.id as string,
    recipientType: recipientType.id as string,
    recipient: recipient.id as string,
    unusedRecipient: unusedRecipient.id as string,
    response: response.id as string,
  };
}

async function seedChannels(api: Api) {
  const outbox = { name: 'Fichiers', channel: 'mail', driver: 'outbox' };
  const account = await post(api, '/v1/channel-accounts', outbox);
  const unusedAccount = await post(api, '/v1/channel-accounts', { ...outbox, name: 'Autres', isDefault: false });
  const { items } = await done(api.inject('GET', '/v1/channel-accounts'));
  const simulator = items.find(({ driver }: { driver: string }) => driver === 'simulator');
  const ask = { body: { onUncertain: 'hold' }, headers: { 'if-match': '*' } };
  await done(api.inject('PATCH', `/v1/channel-accounts/${simulator.id}`, ask));
  return { account: account.id, unusedAccount: unusedAccount.id };
}

async function seedMessages(api: Api, testKey: string, document: string) {
  const automatic = { validation: 'automatic' };
  const waiting = await send(api, [row('e'), row('b')], { documents: [document] });
  const [E, B] = waiting.messages.map(({ id }: { id: string }) => id);
  await post(api, `/v1/messages/${B}/block`, {});
  const sent = await send(api, [row('ok', { recipient: 'external:client:C-1001' })], automatic);
  const planned = await send(api, [row('plus-tard')], { ...automatic, sendAt: '2026-12-24T09:00:00Z' });
  const draft = await send(api, [row('brouillon')], { confirm: false });
  const names = ['ok', 'simulate-permanent', 'simulate-uncertain'];
  const test = await send(
    api,
    names.map((name) => row(name)),
    automatic,
    { key: testKey },
  );
  return {
    draft: draft.id,
    sendRequest: planned.id,
    messages: { E, B, OK: sent.messages[0].id, planned: planned.messages[0].id },
    test: {
      sendRequest: test.id,
      OK: test.messages[0].id,
      failed: test.messages[1].id,
      unknown: test.messages[2].id,
    },
  };
}

/** Fills an organisation through the API, and lets its messages leave. */
export async function seedTenant(service: TestService, tenant: TestTenant): Promise<Seeds> {
  const inject: Seeds['inject'] = (method, path, ask = {}) => service.inject(method, path, { key: tenant.key, ...ask });
  const api = { inject };
  const content = await seedContent(api, service.databaseUrl);
  const people = await seedPeople(api);
  const accounts = await seedChannels(api);
  const apiKey = await post(api, '/v1/api-keys', { name: 'Autre', kind: 'test', scopes: ['messages:read'] });
  const messages = await seedMessages(api, tenant.testKey, content.document);
  const link = { tenantId: tenant.id, messageId: messages.messages.OK, trial: true };
  const started = await post(api, '/v1/exports', { kind: 'messages', format: 'csv' });
  await service.work();
  return {
    tenant,
    inject,
    ...content,
    ...people,
    ...accounts,
    ...messages,
    apiKey: apiKey.id,
    token: service.runtime.links.urlOf(link)?.split('/').at(-1) ?? '',
    export: started.operation,
  };
}

/** The id of a path for each operation that needs another than the usual one of its resource. */
const special: Record<string, (seeds: Seeds) => string> = {
  deleteTemplate: (seeds) => seeds.unusedTemplate,
  deleteSender: (seeds) => seeds.unusedSender,
  deleteDataSource: (seeds) => seeds.unusedSource,
  deleteExtraction: (seeds) => seeds.unusedExtraction,
  deleteRecipient: (seeds) => seeds.unusedRecipient,
  eraseRecipient: (seeds) => seeds.unusedRecipient,
  deleteNotificationType: (seeds) => seeds.unusedNotificationType,
  deleteChannelAccount: (seeds) => seeds.unusedAccount,
  publishTemplateVersion: (seeds) => seeds.unusedTemplate,
  confirmSendRequest: (seeds) => seeds.draft,
  correctMessage: (seeds) => seeds.messages.E,
  validateMessage: (seeds) => seeds.messages.E,
  blockMessage: (seeds) => seeds.messages.E,
  resendMessage: (seeds) => seeds.test.failed,
  resolveMessage: (seeds) => seeds.test.unknown,
};

const usual: Record<string, (seeds: Seeds) => string> = {
  tenants: (seeds) => seeds.tenant.id,
  'api-keys': (seeds) => seeds.apiKey,
  templates: (seeds) => seeds.template,
  'field-lists': (seeds) => seeds.fieldList,
  layouts: (seeds) => seeds.layout,
  'data-sources': (seeds) => seeds.source,
  extractions: (seeds) => seeds.extraction,
  senders: (seeds) => seeds.sender,
  documents: (seeds) => seeds.document,
  'recipient-types': (seeds) => seeds.recipientType,
  recipients: (seeds) => seeds.recipient,
  'notification-types': (seeds) => seeds.notificationType,
  suppressions: (seeds) => seeds.suppression,
  'send-requests': (seeds) => seeds.sendRequest,
  messages: (seeds) => seeds.messages.OK,
  'channel-accounts': (seeds) => seeds.account,
  operations: (seeds) => seeds.export,
  exports: (seeds) => seeds.export,
};

/** The id that an operation can be tried with. Throws for a resource that nothing is seeded of. */
export function idFor(seeds: Seeds, operation: { id: string; path: string }): string {
  const [, , resource = ''] = operation.path.split('/');
  const pick = special[operation.id] ?? usual[resource];
  if (pick === undefined) throw new Error(`nothing is seeded for ${operation.path}`);
  return pick(seeds);
}

/** The path of an operation with its ids filled in; `id` in the place of the seeded one, if given. */
export function pathFor(seeds: Seeds, operation: { id: string; path: string }, id?: string): string {
  const version = operation.id === 'publishTemplateVersion' ? '2' : '1';
  const filled = operation.path
    .replace('{version}', version)
    .replace('{token}', seeds.token)
    .replace('{response}', seeds.response);
  return filled.includes('{id}') ? filled.replace('{id}', id ?? idFor(seeds, operation)) : filled;
}
