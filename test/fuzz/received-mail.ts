/** What arrived, held against what was asked for: one envelope, a closed list of header fields, nothing else. */
import PostalMime from 'postal-mime';
import type { SinkOptions } from '../support/smtp-sink.ts';
import type { Expected, Mailbox } from './header-orders.ts';

/** A mail with the commands that came before it, as they were written. */
export interface Received {
  from: string;
  to: string[];
  raw: Buffer;
}

/** A sink's `respond` that keeps the envelope's own lines: the server itself rewrites international domains. */
export function keepCommands(received: Received[]): NonNullable<SinkOptions['respond']> {
  const open = new Map<number, { from: string; to: string[] }>();
  return (step, { connection, command, raw }) => {
    if (step === 'mail') open.set(connection, { from: command, to: [] });
    if (step === 'rcpt') open.get(connection)?.to.push(command);
    if (step === 'body' && raw !== null) {
      received.push({ ...(open.get(connection) ?? { from: '', to: [] }), raw });
      open.delete(connection);
    }
    return undefined;
  };
}

/** The address of `RCPT TO:<…>`, when there is exactly one such command and nothing behind its address. */
export function recipientOf({ to }: Received): string | null {
  const [first = '', ...more] = to;
  return more.length > 0 ? null : (/^RCPT TO:<([^<>\s]+)>$/.exec(first)?.[1] ?? null);
}

/** The number of the row that a mail is of: it stands in the body, which no header can reach. */
export function serialOf({ raw }: Received): number {
  return Number(/\r\nrow (\d+) end\r\n/.exec(raw.toString('latin1'))?.[1] ?? Number.NaN);
}

const always = ['from', 'to', 'subject', 'auto-submitted', 'message-id', 'date', 'mime-version', 'content-type'];
const important = ['x-priority', 'importance', 'priority'];
const ofParts = ['content-type', 'content-transfer-encoding', 'content-disposition'];

/** The fields of a header block, by name; a line that is neither a field nor folded is a fault. */
function fieldsOf(block: string, faults: string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of block.split(/\r\n(?![ \t])/)) {
    const [, name, value = ''] = /^([A-Za-z][A-Za-z0-9-]*):([\s\S]*)$/.exec(field) ?? [];
    if (name === undefined) faults.push(`a line that is no header field: ${JSON.stringify(field)}`);
    else if (fields.has(name.toLowerCase())) faults.push(`the field ${name} is there twice`);
    else fields.set(name.toLowerCase(), value.replace(/\r\n(?=[ \t])/g, ''));
    if (field.split('\r\n').some((line) => line.trim() === ''))
      faults.push(`a folded line of spaces alone: ${JSON.stringify(field)}`);
  }
  return fields;
}

function checkLines(text: string, faults: string[]): void {
  if (/\r(?!\n)|(?<!\r)\n/.test(text)) faults.push('a bare CR or LF');
  if (/[^\t\r\n\x20-\x7e]/.test(text)) faults.push('a byte that is not printable ASCII');
  if (text.split('\r\n').some((line) => line.length > 998)) faults.push('a line over 998 octets');
}

/** The file name of a part: RFC 2231 read by hand, as parsers also decode what only looks like an encoded word. */
function fileNameOf(disposition: string): string | null {
  const pieces = [...disposition.matchAll(/;\s*filename(?:\*(\d+))?(\*)?=(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))/g)];
  if (pieces.length === 0) return null;
  const bytes = pieces
    .map(([, index = '0', encoded, quoted, plain = '']) => ({
      index: Number(index),
      bytes:
        encoded === undefined
          ? Buffer.from((quoted ?? plain).replace(/\\(.)/g, '$1'))
          : Buffer.from(
              plain
                .replace(index === '0' ? /^[^']*'[^']*'/ : '', '')
                .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
              'latin1',
            ),
    }))
    .sort((left, right) => left.index - right.index);
  return Buffer.concat(bytes.map((piece) => piece.bytes)).toString('utf8');
}

/** The header blocks of the parts, in order: what stands between a boundary and the next empty line. */
function partBlocks(text: string): string[] {
  const boundaries = [...text.matchAll(/boundary="([^"\r\n]+)"/g)].map(([, boundary]) => boundary ?? '');
  const starts = boundaries.flatMap((boundary) => text.split(`\r\n--${boundary}\r\n`).slice(1));
  return starts.map((start) => start.slice(0, start.indexOf('\r\n\r\n')));
}

function checkHeaders(text: string, expected: Expected, redirect: string | null, faults: string[]): void {
  const fields = fieldsOf(text.slice(0, text.indexOf('\r\n\r\n')), faults);
  const wanted = [
    ...always,
    ...(expected.replyTo === null ? [] : ['reply-to']),
    ...(redirect === null ? (expected.cc.length === 0 ? [] : ['cc']) : ['x-original-to']),
    ...(expected.highPriority ? important : []),
  ];
  const names = [...fields.keys()];
  for (const name of names) if (!wanted.includes(name)) faults.push(`the field ${name} was not asked for`);
  for (const name of wanted) if (!names.includes(name)) faults.push(`the field ${name} is missing`);
  const host = expected.from.address.slice(expected.from.address.lastIndexOf('@'));
  compare('Message-ID', fields.get('message-id')?.trim(), `<${expected.messageId}.1${host}>`, faults);
  const files: string[] = [];
  for (const block of partBlocks(text)) {
    const own = fieldsOf(block, faults);
    for (const name of own.keys())
      if (!ofParts.includes(name)) faults.push(`the part's field ${name} was not asked for`);
    const name = fileNameOf(own.get('content-disposition') ?? '');
    if (name !== null) files.push(name);
  }
  compare('file names', files, expected.files, faults);
}

function compare(what: string, found: unknown, wanted: unknown, faults: string[]): void {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (left !== right) faults.push(`${what}: ${left} arrived, ${right} was asked for`);
}

/** The parser takes U+FEFF at the beginning of an encoded word for a byte order mark. */
const withoutMarks = (text: string) => text.replaceAll('\ufeff', '');

type Read = readonly { name?: string | undefined; address?: string | undefined }[] | undefined;

function compareMailboxes(what: string, list: Read, wanted: readonly Mailbox[], faults: string[]): void {
  const found = (list ?? []).map(({ name = '', address = '' }, index): Mailbox => {
    // The parser makes a name of a local part that looks like an encoded word: RFC 2047 §5 says that it is none.
    const invented = address.includes('=?') && wanted[index]?.name === '';
    return { name: invented ? '' : withoutMarks(name), address };
  });
  const due = wanted.map(({ name, address }): Mailbox => ({ name: withoutMarks(name), address }));
  compare(what, found, due, faults);
}

/** Everything that is wrong with a mail. `redirect`: the one address that all mails of the service go to. */
export async function faultsOfMail(mail: Received, expected: Expected, redirect: string | null): Promise<string[]> {
  const faults: string[] = [];
  const text = mail.raw.toString('latin1');
  checkLines(text, faults);
  checkHeaders(text, expected, redirect, faults);
  const sender = /^MAIL FROM:<([^<>\s]+)>(?: SIZE=\d+)?$/.exec(mail.from)?.[1];
  compare('MAIL FROM', sender, expected.from.address, faults);
  const read = await PostalMime.parse(mail.raw);
  const plain = redirect === null;
  compareMailboxes('From', read.from && [read.from], [expected.from], faults);
  compareMailboxes('To', read.to, [plain ? expected.to : { name: '', address: redirect }], faults);
  compareMailboxes('Cc', read.cc, plain ? expected.cc : [], faults);
  compareMailboxes('Bcc', read.bcc, [], faults);
  const replyTo = expected.replyTo === null ? [] : [{ name: '', address: expected.replyTo }];
  compareMailboxes('Reply-To', read.replyTo, replyTo, faults);
  compare('Subject', withoutMarks(read.subject ?? ''), withoutMarks(expected.subject), faults);
  if (!plain) {
    const all = [expected.to, ...expected.cc].map(({ address }) => address);
    const original = read.headers.find(({ key }) => key === 'x-original-to')?.value;
    compare('X-Original-To', original, [...all, ...expected.hidden].join(', '), faults);
  }
  return faults;
}
