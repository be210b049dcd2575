import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/** The service's keys, derived from `SECRETS_KEY`. The first encrypts; all decrypt, so that a key can be changed. */
export interface Secrets {
  /** AES-256-GCM with a fresh nonce; the answer names the key that made it. */
  seal(plain: string): string;
  /** @throws Error when the key is gone or the text was changed. */
  open(sealed: string): string;
  /** Whether the newest key made it: else it is lost with the key that did. */
  isCurrent(sealed: string): boolean;
  /** Hash of an API key's secret part. High entropy: a peppered SHA-256 is enough. */
  hashKey(secret: string): string;
  /** Base64url signature of a short text, for cursors. */
  sign(text: string): string;
  /** Compares in constant time. */
  verify(text: string, signature: string): boolean;
  /**
   * 16 bytes that only this service can make of some bytes, for links in mails. They hold for as long as the oldest key
   * is kept: links have no end.
   */
  authenticateLink(bytes: Uint8Array): Buffer;
}

const keyId = (key: Buffer) => createHash('sha256').update(key).digest('hex').slice(0, 8);

/** Makes the service's keys from base64 keys of 32 bytes, newest first. */
export function createSecrets(base64Keys: readonly string[]): Secrets {
  const keys = new Map(base64Keys.map((text) => Buffer.from(text, 'base64')).map((key) => [keyId(key), key]));
  const [first] = keys;
  if (first === undefined) throw new Error('at least one key is needed');
  const [currentId, current] = first;
  // The oldest key, so that adding a new one in front does not make every API key and cursor invalid.
  const root = [...keys.values()].at(-1) ?? current;
  // As key objects: bytes would be made into one for each hash.
  const derive = (purpose: string) => createSecretKey(Buffer.from(hkdfSync('sha256', root, '', purpose, 32)));
  const pepper = derive('api-keys');
  const signing = derive('cursors');
  const linking = derive('unsubscribe-links');
  const sign = (text: string) => createHmac('sha256', signing).update(text).digest('base64url').slice(0, 22);
  return {
    seal(plain) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', current, nonce);
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return [
        currentId,
        nonce.toString('base64'),
        body.toString('base64'),
        cipher.getAuthTag().toString('base64'),
      ].join('.');
    },
    open(sealed) {
      const [id = '', nonce = '', body = '', tag = ''] = sealed.split('.');
      const key = keys.get(id);
      if (key === undefined) throw new Error(`the key ${id} that sealed a secret is not in SECRETS_KEY`);
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64'));
      decipher.setAuthTag(Buffer.from(tag, 'base64'));
      return Buffer.concat([decipher.update(Buffer.from(body, 'base64')), decipher.final()]).toString('utf8');
    },
    isCurrent: (sealed) => sealed.startsWith(`${currentId}.`),
    hashKey: (secret) => createHmac('sha256', pepper).update(secret).digest('hex'),
    sign,
    verify(text, signature) {
      const expected = Buffer.from(sign(text));
      const given = Buffer.from(signature);
      return expected.length === given.length && timingSafeEqual(expected, given);
    },
    authenticateLink: (bytes) => createHmac('sha256', linking).update(bytes).digest().subarray(0, 16),
  };
}

/** The secrets of an account or a data source, as its row keeps them. */
interface Sealed {
  sealedSecrets: string | null;
}

/** Named secrets as one sealed text; null without any. */
export function sealSecrets(secrets: Secrets, named: Record<string, string>): string | null {
  return Object.keys(named).length === 0 ? null : secrets.seal(JSON.stringify(named));
}

/** The secrets of a row, opened. @throws Error when the key that sealed them is gone. */
export function openSecrets(secrets: Secrets, { sealedSecrets }: Sealed): Record<string, string> {
  return sealedSecrets === null ? {} : JSON.parse(secrets.open(sealedSecrets));
}

/** The same; null when the key that sealed them is gone: they can be set again, or it may come back. */
export function readableSecrets(secrets: Secrets, row: Sealed): Record<string, string> | null {
  try {
    return openSecrets(secrets, row);
  } catch {
    return null;
  }
}
