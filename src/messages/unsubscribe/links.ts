/** Links by which the owner of an address unsubscribes: no log-in, no end, one message each. */
import { timingSafeEqual } from 'node:crypto';
import type { Config } from '../../config.ts';
import type { Secrets } from '../../tenants/secrets.ts';

/** What a link is about. */
export interface LinkedMessage {
  tenantId: string;
  messageId: string;
  /** It was sent to a tester, or to nobody: it works and changes nothing. */
  trial: boolean;
}

/** Makes and reads links. */
export interface UnsubscribeLinks {
  /** Null where the service cannot give one that mail programs follow: in production without a public https address. */
  urlOf(message: LinkedMessage): string | null;
  /** Whether it can give any. */
  available: boolean;
  /** What a token of a link is about; null for whatever this service did not make. */
  read(token: string): LinkedMessage | null;
}

const idBytes = 16;
const flagAt = 2 * idBytes;
const bodyBytes = flagAt + 1;
const flags = { live: 0, trial: 1 } as const;
const tokenPattern = /^[\w-]{66}$/;

const bytesOf = (id: string) => Buffer.from(id.replaceAll('-', ''), 'hex');

const idOf = (bytes: Buffer) => bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** Where links lead to; null: nowhere that people reach. Outside production any address is good enough to try. */
function baseOf({ deployment, publicUrl, host, port }: LinkSettings): string | null {
  if (deployment === 'production') return publicUrl?.startsWith('https:') ? publicUrl : null;
  return publicUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

type LinkSettings = Pick<Config, 'deployment' | 'publicUrl' | 'host' | 'port'>;

/**
 * Makes the links of one process. A token has 66 characters of base64url: tenant, message, whether it is a trial, and
 * 16 bytes that only the service can make of them.
 */
export function createUnsubscribeLinks(config: LinkSettings, secrets: Secrets): UnsubscribeLinks {
  const base = baseOf(config);
  return {
    available: base !== null,
    urlOf({ tenantId, messageId, trial }) {
      if (base === null) return null;
      const flag = Buffer.of(trial ? flags.trial : flags.live);
      const body = Buffer.concat([bytesOf(tenantId), bytesOf(messageId), flag]);
      return `${base}/u/${Buffer.concat([body, secrets.authenticateLink(body)]).toString('base64url')}`;
    },
    read(token) {
      if (!tokenPattern.test(token)) return null;
      const bytes = Buffer.from(token, 'base64url');
      const body = bytes.subarray(0, bodyBytes);
      if (!timingSafeEqual(bytes.subarray(bodyBytes), secrets.authenticateLink(body))) return null;
      // The last character has bits to spare: one spelling only.
      if (bytes.toString('base64url') !== token) return null;
      const [tenantId, messageId] = [body.subarray(0, idBytes), body.subarray(idBytes, flagAt)];
      return { tenantId: idOf(tenantId), messageId: idOf(messageId), trial: body[flagAt] !== flags.live };
    },
  };
}
