import type { Answer, TestService } from '../support/service.ts';

/** Who sends, and with what: a template of three fields on an account that reaches nobody. */
export interface Notices {
  template: { id: string; key: string };
  /** Asks to send to these addresses, and answers the ids of the messages in their order. */
  send(addresses: readonly string[], extra?: Record<string, unknown>): Promise<string[]>;
  message(id: string): Promise<Answer>;
  act(id: string, action: string, body?: object, headers?: Record<string, string>): Promise<Answer>;
  correct(id: string, change: object): Promise<Answer>;
}

const texts = {
  subject: 'Échéance {{ contrat }}',
  text: 'Bonjour {{ nom }}, votre échéance du contrat {{ contrat }}.',
  html: '<p>Bonjour {{ nom }}, votre échéance du contrat {{ contrat }}.</p>',
};

/** Makes sender, template and account of a tenant. @param key whose messages they are; default: the tenant's live key. */
export async function makeNotices(
  service: TestService,
  options: { key?: string; template?: Record<string, unknown>; outbox?: boolean } = {},
): Promise<Notices> {
  const { inject, tenant } = service;
  const made = async (path: string, body: object) => {
    const answer = await inject('POST', path, { body });
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const key = options.key ?? tenant.key;
  await made('/v1/senders', {
    key: 'gestion',
    fromAddress: 'gestion@courtage.example',
    fromName: 'Gestion',
    isDefault: true,
  });
  const template = await made('/v1/templates', { key: 'avis', title: 'Avis', channel: 'mail', ...options.template });
  await made(`/v1/templates/${template.id}/versions`, texts);
  const published = await inject('POST', `/v1/templates/${template.id}/versions/1/publish`);
  if (published.status !== 200) throw new Error(`publish: ${published.status} ${JSON.stringify(published.body)}`);
  if (options.outbox !== false) {
    await made('/v1/channel-accounts', { name: 'Outbox', channel: 'mail', driver: 'outbox' });
  }
  let requests = 0;
  return {
    template,
    async send(addresses, extra = {}) {
      requests += 1;
      const recipients = addresses.map((address, index) => ({
        to: { address, name: `Client ${index}` },
        data: { nom: `Client ${index}`, contrat: `C-${index}` },
      }));
      const body = { template: 'avis', recipients, ...extra };
      const headers = { 'idempotency-key': `notices-${requests}` };
      const answer = await inject('POST', '/v1/send-requests', { key, body, headers });
      if (answer.status !== 201) throw new Error(`send: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body.messages.map(({ id }: { id: string }) => id);
    },
    message: (id) => inject('GET', `/v1/messages/${id}`, { key }),
    act: (id, action, body = {}, headers = {}) =>
      inject('POST', `/v1/messages/${id}/${action}`, { key, body, headers }),
    correct: (id, body) => inject('PATCH', `/v1/messages/${id}`, { key, body, headers: { 'if-match': '*' } }),
  };
}
