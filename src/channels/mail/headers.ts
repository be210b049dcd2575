/** Header fields of a mail: checked, encoded (RFC 2047) and folded, so that no value can become a second field. */
import { encodeWord, foldLines, quoteString } from 'nodemailer/lib/mime-funcs';
import MimeNode from 'nodemailer/lib/mime-node';
import { controlCharacter } from '../../text-patterns.ts';
import type { Mailbox } from './content.ts';

const ADDRESS = /^(?:"[^"\\]+"|[^\s"(),:;<>@[\\\]]+)@(?:[^\s"(),:;<>@[\\\]]+|\[[0-9A-Fa-f:.IPv]+\])$/;
const RESERVED = new Set([
  'from',
  'sender',
  'to',
  'cc',
  'bcc',
  'reply-to',
  'subject',
  'date',
  'message-id',
  'mime-version',
  'auto-submitted',
  'x-original-to',
  'x-priority',
  'importance',
  'priority',
]);

/** Gives `value` back as well-formed text. @throws Error when it holds CR, LF or another control character: callers check before. */
export function singleLine(value: string, what: string): string {
  if (controlCharacter.test(value)) throw new Error(`${what} contains a control character`);
  return value.toWellFormed();
}

/** Text that every reader gives back unchanged: no run of spaces to fold away, no look of an encoded word, no unfoldable word. */
function survivesAsWritten(value: string): boolean {
  return /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(value) && !value.includes('=?') && !/[^ ]{60}/.test(value);
}

function encodedWords(value: string): string {
  const latin = value.match(/[A-Za-z ]/g)?.length ?? 0;
  return encodeWord(value, latin * 2 > value.length ? 'Q' : 'B', 52);
}

/** One folded field line. @throws Error for a name that is no field name, or a value whose line would pass 998 octets (RFC 5322 §2.1.1). */
export function headerField(name: string, value: string): string {
  if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(name)) throw new Error('invalid header name');
  const field = foldLines(`${name}: ${value}`, 76);
  for (const line of field.split('\r\n')) {
    if (line.length > 998) throw new Error(`header ${name} has a line over 998 octets`);
  }
  return field;
}

/** A field of free text, e.g. Subject. */
export function textField(name: string, value: string): string {
  const text = singleLine(value, `header ${name}`);
  return headerField(name, survivesAsWritten(text) ? text : encodedWords(text));
}

/** A field the caller adds: printable ASCII goes out as it is (it may be structured), the rest as encoded words. */
export function extraField(name: string, value: string): string {
  if (RESERVED.has(name.toLowerCase()) || /^content-/i.test(name)) throw new Error(`header ${name} may not be set`);
  const text = singleLine(value, `header ${name}`).trim();
  return headerField(name, /^[\x20-\x7e]*$/.test(text) ? text : encodedWords(text));
}

function mailboxText({ name, address }: Mailbox): string {
  if (!ADDRESS.test(singleLine(address, 'address'))) throw new Error('address is not one addr-spec');
  // The library writes international domains as the envelope will name them.
  const written = MimeNode.encodeHeaderValue('To', { name: '', address }).replace(/^<|>$/g, '');
  const phrase = singleLine(name ?? '', 'display name').trim();
  if (phrase === '') return written;
  if (!survivesAsWritten(phrase)) return `${encodedWords(phrase)} <${written}>`;
  return `${/^[\w ]+$/.test(phrase) ? phrase : quoteString(phrase)} <${written}>`;
}

/** A field of mailboxes, e.g. To. Each is one name and one address: nothing is parsed. */
export function mailboxField(name: string, mailboxes: readonly Mailbox[]): string {
  return headerField(name, mailboxes.map(mailboxText).join(', '));
}
