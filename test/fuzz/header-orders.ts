/** Senders, files and send requests made of fuzzed values, and what must arrive of them. */
import fc, { type Arbitrary } from 'fast-check';
import {
  addresses,
  fileNames,
  goodAddresses,
  literalSubjects,
  mergedSubjects,
  names,
  type Value,
} from './header-values.ts';

interface Box {
  address: Value;
  name: Value | null;
}

/** One recipient of an order, with the data that makes its subject. */
export interface Row {
  /** Its number in the whole run: it stands in the mail's text. */
  serial: number;
  subject: Value;
  to: Box;
  cc: Box[];
  bcc: Box[];
}

/** One send request with the sender and the files of its own. */
export interface Order {
  sender: { fromAddress: Value; fallback: Value; fromName: Value | null; replyTo: Value | null; archiveBcc: Value[] };
  replyTo: Value | null;
  subject: Value | null;
  files: Value[];
  highPriority: boolean;
  rows: Omit<Row, 'serial'>[];
}

/** A mailbox as it must arrive; no name: the address alone. */
export interface Mailbox {
  name: string;
  address: string;
}

/** A message that was accepted, as each of its mails must be. */
export interface Expected {
  serial: number;
  messageId: string;
  from: Mailbox;
  replyTo: string | null;
  to: Mailbox;
  cc: Mailbox[];
  /** Hidden copies: addresses of the envelope that no header may tell. */
  hidden: string[];
  subject: string;
  files: string[];
  highPriority: boolean;
}

const maybe = <T>(value: Arbitrary<T>, freq = 1) => fc.option(value, { nil: null, freq });
const boxes: Arbitrary<Box> = fc.record({ address: addresses, name: maybe(names, 3) });
const few = (maxLength: number) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant<Box[]>([]) }, fc.array(boxes, { minLength: 1, maxLength }));

/** Orders of 6 to 14 rows. */
export const orders: Arbitrary<Order> = fc.record({
  sender: fc.record({
    fromAddress: addresses,
    fallback: goodAddresses,
    fromName: maybe(names, 3),
    replyTo: maybe(addresses),
    archiveBcc: fc.oneof(
      { weight: 4, arbitrary: fc.constant<Value[]>([]) },
      fc.uniqueArray(addresses, { maxLength: 1, selector: ({ text }) => text }),
    ),
  }),
  replyTo: maybe(addresses),
  subject: maybe(literalSubjects),
  files: fc.array(fileNames, { maxLength: 4 }),
  highPriority: fc.boolean(),
  rows: fc.array(fc.record({ subject: mergedSubjects, to: boxes, cc: few(2), bcc: few(1) }), {
    minLength: 6,
    maxLength: 14,
  }),
});

/** A value that nothing is wrong with. */
export const plain = (text: string): Value => ({ text, hope: 'good', arrives: text });

/** What a request still asks for: refusals take from it. */
export interface Asked {
  replyTo: Value | null;
  subject: Value | null;
  rows: Row[];
}

/** Adds a value under its JSON pointer, if there is one. */
export function put(places: Map<string, Value>, place: string, value: Value | null): void {
  if (value !== null) places.set(place, value);
}

/** The values of a row by their pointers. `merged`: its subject is used, too. */
export function placesOfRow(at: string, { subject, to, cc, bcc }: Row, merged: boolean): Map<string, Value> {
  const there = new Map<string, Value>();
  if (merged) put(there, `${at}/data/s`, subject);
  const all: [string, Box][] = [['to', to]];
  for (const [index, box] of cc.entries()) all.push([`cc/${index}`, box]);
  for (const [index, box] of bcc.entries()) all.push([`bcc/${index}`, box]);
  for (const [place, { address, name }] of all) {
    put(there, `${at}/${place}/address`, address);
    put(there, `${at}/${place}/name`, name);
  }
  return there;
}

/** All values of a request by their pointers. */
export function placesOfRequest({ rows, subject, replyTo }: Asked): Map<string, Value> {
  const merged = subject === null;
  const there = new Map(rows.flatMap((row, index) => [...placesOfRow(`/recipients/${index}`, row, merged)]));
  put(there, '/overrides/replyTo', replyTo);
  put(there, '/overrides/subject', subject);
  return there;
}

const boxBody = ({ address, name }: Box) => ({ address: address.text, ...(name === null ? {} : { name: name.text }) });

/** The body of a send request of the template `fuzz`. */
export function bodyOf({ replyTo, subject, rows }: Asked, sender: string, documents: string[], highPriority: boolean) {
  return {
    template: 'fuzz',
    validation: 'automatic',
    highPriority,
    documents,
    overrides: {
      sender,
      ...(replyTo === null ? {} : { replyTo: replyTo.text }),
      ...(subject === null ? {} : { subject: subject.text }),
    },
    recipients: rows.map((row) => ({
      to: boxBody(row.to),
      cc: row.cc.map(boxBody),
      bcc: row.bcc.map(boxBody),
      data: { n: row.serial, s: subject === null ? row.subject.text : 'Avis' },
    })),
  };
}

const mailboxOf = ({ address, name }: Box): Mailbox => ({ name: name?.arrives ?? '', address: address.arrives });

/** What must arrive of an accepted row, the parts of all rows aside. */
export function expectedOf(
  asked: Asked,
  row: Row,
  sender: Order['sender'],
): Omit<Expected, 'messageId' | 'files' | 'highPriority'> {
  return {
    serial: row.serial,
    from: { name: sender.fromName?.arrives ?? '', address: sender.fromAddress.arrives },
    replyTo: (asked.replyTo ?? sender.replyTo)?.arrives ?? null,
    to: mailboxOf(row.to),
    cc: row.cc.map(mailboxOf),
    hidden: [...row.bcc.map(({ address }) => address), ...sender.archiveBcc].map(({ arrives }) => arrives),
    subject: (asked.subject ?? row.subject).arrives,
  };
}
