/** Attachments, put into the mails that were composed without them. */

/** A mail's bytes but for its attachments: each comes at its place, encoded. */
export interface ComposedMail {
  bytes: Uint8Array;
  /** In the order of their places. */
  attachments: { at: number; sha256: string }[];
}

const lineLength = 76;

/** A file as it stands in a mail: base64 in lines of 76 characters, CRLF between them (RFC 2045 §6.8). */
export function encodeAttachment(content: Uint8Array): Uint8Array {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('base64');
  const encoded = Buffer.from(text, 'latin1');
  const breaks = Math.max(0, Math.ceil(encoded.length / lineLength) - 1);
  const lines = new Uint8Array(encoded.length + 2 * breaks);
  let at = 0;
  for (let index = 0; index < encoded.length; index += 1) {
    if (index > 0 && index % lineLength === 0) {
      lines[at++] = 13;
      lines[at++] = 10;
    }
    lines[at++] = encoded[index] as number;
  }
  return lines;
}

/**
 * The whole mail, in pieces that follow one another: a file that many mails carry stands in memory once.
 * @returns null when one of its attachments is not among the encoded ones.
 */
export function assembleMail(
  { bytes, attachments }: ComposedMail,
  encoded: ReadonlyMap<string, Uint8Array>,
): Uint8Array[] | null {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const { at, sha256 } of attachments) {
    const content = encoded.get(sha256);
    if (content === undefined) return null;
    pieces.push(bytes.subarray(from, at), content);
    from = at;
  }
  return [...pieces, bytes.subarray(from)];
}
