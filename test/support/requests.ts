import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { Test } from 'tap';
import { type Answer, type Ask, startService, type TestService } from './service.ts';

const texts = {
  subject: 'Avis {{ contrat }}',
  text: 'Bonjour {{ nom }}, échéance du contrat {{ contrat }}.',
  html: '<p>Bonjour {{ nom }}, échéance du contrat {{ contrat }}.</p>',
};

/** A row of a request: an inline recipient with the data of the template `avis`. */
export const row = (number: number, more: object = {}) => ({
  to: { address: `client.${number}@courriel.example`, name: `Client n° ${number}` },
  data: { nom: `D’Hérouville ${number}`, contrat: `C-${number}` },
  ...more,
});
/** `count` such rows. */
export const rows = (count: number) => Array.from({ length: count }, (_, index) => row(index));
/** A row whose address is not one. */
export const badAddress = (number: number) => row(number, { to: { address: 'Jean <jean@courriel.example>' } });
/** A row without a field that the template uses. */
export const missingField = (number: number) => row(number, { data: { contrat: `C-${number}` } });

/** What these tests do with the service. */
export interface Broker extends TestService {
  /** Posts a send request of the template `avis` unless the body says otherwise. */
  post(body: object, ask?: Ask): Promise<Answer>;
  act(id: string, action: 'confirm' | 'cancel', body?: object, ask?: Ask): Promise<Answer>;
  counts(id: string): Promise<object>;
  keyWith(scopes: string[], kind?: 'live' | 'test'): Promise<string>;
  addTemplate(key: string, more?: object): Promise<void>;
}

/** A service with a sender, an outbox account and the template `avis`. */
export async function startBroker(t: Test): Promise<Broker> {
  const service = await startService(t);
  const { inject } = service;
  const addTemplate = async (key: string, more: object = {}) => {
    const made = await inject('POST', '/v1/templates', { body: { key, title: key, channel: 'mail', ...more } });
    t.equal(made.status, 201, `template ${key}`);
    const path = `/v1/templates/${made.body.id}/versions`;
    await inject('POST', path, { body: texts });
    t.equal((await inject('POST', `${path}/1/publish`)).status, 200, `${key} is published`);
  };
  const sender = { key: 'gestion', fromAddress: 'gestion@courtage.example' };
  t.equal((await inject('POST', '/v1/senders', { body: sender })).status, 201, 'sender');
  const account = { name: 'Outbox', channel: 'mail', driver: 'outbox', isDefault: true };
  t.equal((await inject('POST', '/v1/channel-accounts', { body: account })).status, 201, 'account');
  await addTemplate('avis');
  return {
    ...service,
    addTemplate,
    post: (body, { headers = {}, ...ask } = {}) => {
      const named = ['template', 'templates', 'documentType'].some((name) => name in body);
      return inject('POST', '/v1/send-requests', {
        body: { ...(named ? {} : { template: 'avis' }), ...body },
        headers: { 'idempotency-key': randomUUID(), ...headers },
        ...ask,
      });
    },
    act: (id, action, body, ask = {}) =>
      inject('POST', `/v1/send-requests/${id}/${action}`, { ...(body === undefined ? {} : { body }), ...ask }),
    counts: async (id) => (await inject('GET', `/v1/send-requests/${id}`)).body.counts,
    async keyWith(scopes, kind = 'live') {
      const made = await inject('POST', '/v1/api-keys', { body: { name: scopes.join(), kind, scopes } });
      t.equal(made.status, 201, `key with ${scopes}`);
      return made.body.secret;
    },
  };
}

/** Counts of a request without messages. */
export const empty = { created: 0, E: 0, V: 0, OK: 0, KO: 0, B: 0 };
/** How many messages there are in all. */
export const messageCount = async ({ runtime }: TestService) => {
  const [found] = await runtime.db.execute<{ count: number }>(sql`select count(*)::int as count from messages`);
  return found?.count;
};
