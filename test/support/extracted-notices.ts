import { randomUUID } from 'node:crypto';
import type { Answer, TestService } from './service.ts';
import { addExtraction, addSource, createSourceDatabase, type SourceDatabase } from './source-database.ts';
import { addTemplate, must } from './templates.ts';

/** An office that writes to beneficiaries, whose fields an extraction gives. */
export interface ExtractedNotices {
  database: SourceDatabase;
  source: string;
  /** Paths. */
  extraction: string;
  template: string;
  /** Asks to send rows. */
  send(recipients: object[], changes?: Record<string, unknown>, key?: string): Promise<Answer>;
  /** What a message would say. */
  text(id: string): Promise<string>;
}

interface Test {
  teardown(fn: () => unknown): void;
}

/** Makes source, extraction, sender, account, and the template `courrier` that names the extraction. */
export async function makeExtractedNotices(
  t: Test,
  service: TestService,
  options: { extraction?: Record<string, unknown>; texts?: Record<string, string> } = {},
): Promise<ExtractedNotices> {
  const { inject } = service;
  const database = await createSourceDatabase(t);
  const source = await addSource(service, database);
  const extraction = await addExtraction(service, { pages: ['beneficiaire'], ...options.extraction });
  const sender = { key: 'mutuelle', fromAddress: 'mutuelle@armor.example', isDefault: true };
  must(await inject('POST', '/v1/senders', { body: sender }), 201);
  const account = { name: 'Fichiers', channel: 'mail', driver: 'outbox' };
  must(await inject('POST', '/v1/channel-accounts', { body: account }), 201);
  const texts = { subject: 'Bonjour {{ nom_benef }}', text: '{{ nom_benef }}', html: '<p>{{ nom_benef }}</p>' };
  const template = await addTemplate(service, { key: 'courrier', extraction: 'benef' }, { ...texts, ...options.texts });
  return {
    database,
    source,
    extraction,
    template,
    send: (recipients, changes = {}, key = undefined) =>
      inject('POST', '/v1/send-requests', {
        ...(key === undefined ? {} : { key }),
        body: { template: 'courrier', recipients, ...changes },
        headers: { 'idempotency-key': randomUUID() },
      }),
    text: async (id) => (await inject('GET', `/v1/messages/${id}/preview.txt`)).raw.toString('utf8').trim(),
  };
}
