/**
 * One strict mail address, and nothing that could be read as two.
 *
 * Mail libraries parse and repair address text (`b@x.fr, evil@y.fr` goes to both), so text from
 * outside is checked here once and only the result travels further.
 */
import { domainToASCII } from 'node:url';

/** One address, or why the text is not one. `why` is English and never repeats the text. */
export type AddrSpecResult =
  | {
      kind: 'address';
      /** Local part as written, domain in lower-case A-labels: what goes into the envelope. */
      address: string;
      /** Everything in lower case: what addresses are compared by. */
      normalized: string;
    }
  | { kind: 'invalid'; code: 'address_invalid'; why: string };

const LOCAL_LIMIT = 64;
const TOTAL_LIMIT = 254;
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const NON_ASCII = /\P{ASCII}/u;
const NOT_DOMAIN_ASCII = /(?![A-Za-z0-9.-])\p{ASCII}/u;
const FULL_STOPS = /[\u3002\uff0e\uff61]/g;

/**
 * Reads one addr-spec (RFC 5321 §4.1.2, `Dot-string "@" Domain` only).
 *
 * Refused although some RFC allows it: quoted local parts, comments, address literals, non-ASCII
 * local parts (RFC 6531), domains of one label. Refused because it is something else: display
 * names, lists, groups, white space (also around), control characters. A Unicode domain becomes
 * A-labels (UTS 46). Limits: local part 64 octets, label 63, whole 254 (RFC 5321 §4.5.3.1).
 */
export function parseAddrSpec(text: string): AddrSpecResult {
  const at = text.lastIndexOf('@');
  if (at < 1) return invalid('it has no local part followed by @');
  const local = text.slice(0, at);
  if (local.length > LOCAL_LIMIT) return invalid('the part before @ is longer than 64 characters');
  if (!LOCAL_PART.test(local)) return invalid('the part before @ is not a plain name');
  const domain = asciiDomain(text.slice(at + 1));
  if (domain === null) return invalid('the part after @ is not a domain name');
  const address = `${local}@${domain}`;
  if (address.length > TOTAL_LIMIT) return invalid('it is longer than 254 characters');
  return { kind: 'address', address, normalized: address.toLowerCase() };
}

/** The domain in lower-case A-labels, or null. */
function asciiDomain(text: string): string | null {
  if (text.length === 0 || text.length > TOTAL_LIMIT) return null;
  // domainToASCII is a URL host parser: it cuts "a/b.fr" to "a" and turns "127.1" into an IP
  // address. Compatibility forms (a full-width slash) reach it too, hence the check after NFKC.
  const plain = text.normalize('NFKC').replace(FULL_STOPS, '.');
  if (NOT_DOMAIN_ASCII.test(text) || NOT_DOMAIN_ASCII.test(plain)) return null;
  const ascii = NON_ASCII.test(text) ? domainToASCII(text) : text.toLowerCase();
  const labels = ascii.split('.');
  if (labels.length < 2 || labels.length !== plain.split('.').length) return null;
  if (!labels.every((label) => LABEL.test(label))) return null;
  // "1.2.3.4" is an address literal without its brackets, not a name.
  return /^\d+$/.test(labels.at(-1) ?? '') ? null : ascii;
}

function invalid(why: string): AddrSpecResult {
  return { kind: 'invalid', code: 'address_invalid', why };
}
