import type { Api } from './broker.ts';

/** A file as somebody uploads it. */
export interface TestFile {
  filename: string;
  mediaType: string;
  content: Buffer | string;
}

/** Uploads a file as a document of the tenant. @returns the answer, whatever it is. */
export async function postFile(api: Api, { filename, mediaType, content }: TestFile) {
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(Buffer.from(content as string))], { type: mediaType }), filename);
  const encoded = new Response(form);
  return api.inject('POST', '/v1/documents', {
    payload: Buffer.from(await encoded.arrayBuffer()),
    headers: { 'content-type': encoded.headers.get('content-type') ?? '' },
  });
}

/** Uploads a file as a document of the tenant. @returns its id. */
export async function uploadFile(api: Api, file: TestFile): Promise<string> {
  const answer = await postFile(api, file);
  if (answer.status !== 201) throw new Error(`upload: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body.id;
}

/** Uploads a text as a document of the tenant. @returns its id. */
export const uploadText = (api: Api, filename: string, content: string): Promise<string> =>
  uploadFile(api, { filename, mediaType: 'text/plain', content });
