import type { TestService } from './service.ts';

/** Uploads a text as a document of the tenant. @returns its id. */
export async function uploadText(service: TestService, filename: string, content: string): Promise<string> {
  const form = new FormData();
  form.append('file', new Blob([content], { type: 'text/plain' }), filename);
  const encoded = new Response(form);
  const answer = await service.inject('POST', '/v1/documents', {
    payload: Buffer.from(await encoded.arrayBuffer()),
    headers: { 'content-type': encoded.headers.get('content-type') ?? '' },
  });
  if (answer.status !== 201) throw new Error(`upload: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body.id;
}
