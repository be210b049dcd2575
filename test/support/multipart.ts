/** One part of a form, byte for byte as it is to be sent: also what no client would send. */
export interface Part {
  name?: string;
  filename?: string;
  mediaType?: string;
  content?: Buffer | string;
}

/** A multipart body with one part, and its content type. */
export function formOf({ name = 'file', filename = 'avis.pdf', mediaType = 'application/pdf', content = '' }: Part) {
  const boundary = 'part-of-the-test';
  const disposition = `form-data; name="${name}"; filename="${filename}"`;
  const head = `--${boundary}\r\nContent-Disposition: ${disposition}\r\nContent-Type: ${mediaType}\r\n\r\n`;
  return {
    payload: Buffer.concat([Buffer.from(head), Buffer.from(content as string), Buffer.from(`\r\n--${boundary}--\r\n`)]),
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  };
}
