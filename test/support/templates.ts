import type { Answer, TestService } from './service.ts';

/** What an answer must be, or the test ends with what it was. */
export function must({ status, body }: Answer, wanted: number): Answer['body'] {
  if (status !== wanted) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body;
}

/** Makes a template with its published texts. @returns its path. */
export async function addTemplate(
  { inject }: TestService,
  template: { key: string } & Record<string, unknown>,
  texts: Record<string, unknown> = {},
): Promise<string> {
  const made = must(
    await inject('POST', '/v1/templates', { body: { title: 'Avis', channel: 'mail', ...template } }),
    201,
  );
  const path = `/v1/templates/${made.id}`;
  const parts = { subject: 'Avis', text: 'Bonjour {{ nom }}', html: '<p>Bonjour {{ nom }}</p>', ...texts };
  must(await inject('POST', `${path}/versions`, { body: parts }), 201);
  must(await inject('POST', `${path}/versions/1/publish`), 200);
  return path;
}

/** Keys of the templates that a query finds, the oldest first. */
export async function templatesFound({ inject }: TestService, query: string): Promise<string[]> {
  const { items } = must(await inject('GET', `/v1/templates?${query}`), 200);
  return items.map(({ key }: { key: string }) => key).reverse();
}
