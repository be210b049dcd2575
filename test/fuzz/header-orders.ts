/** Senders, files and send requests made of fuzzed values; what is refused is taken out until the rest is accepted. */
import { randomUUID } from 'node:crypto';
import fc, { type Arbitrary } from 'fast-check';
import { formOf } from '../support/multipart.ts';
import type { Answer, TestService } from '../support/service.ts';
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

interface Row {
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
  rows: Row[];
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

/** What was seen, and what was wrong. */
export interface Book {
  faults: string[];
  values: number;
  refused: number;
  requests: number;
  serial: number;
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

const show = ({ text }: Value) => JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}… (${text.length})` : text);
const errorsOf = ({ body }: Answer): { pointer: string }[] => body?.errors ?? [];
const rounds = 40;

/** Holds what an answer names against the values that stand there. @returns whether it names one that may be refused. */
function checkPointer(book: Book, what: string, pointer: string, places: ReadonlyMap<string, Value>): boolean {
  const named = [...places].filter(([place]) => place === pointer || place.startsWith(`${pointer}/`));
  if (named.some(([, { hope }]) => hope !== 'good')) return true;
  const values = named.map(([place, value]) => `${place} ${show(value)}`).join(', ');
  book.faults.push(`${what} refuses ${pointer}, where nothing is wrong: ${values || 'nothing is there'}`);
  return false;
}

function checkTaken(book: Book, what: string, places: ReadonlyMap<string, Value>): void {
  for (const [place, value] of places) {
    if (value.hope === 'bad') book.faults.push(`${what} takes ${place} ${show(value)}`);
  }
}

const put = (places: Map<string, Value>, place: string, value: Value | null | undefined) =>
  value == null ? undefined : places.set(place, value);

/** Posts until the answer is a success, without what each refusal names. Null: it could not be made acceptable. */
async function insist(
  book: Book,
  what: string,
  post: () => Promise<Answer>,
  places: () => Map<string, Value>,
  drop: (named: ReadonlySet<string>) => void,
): Promise<Answer | null> {
  for (let round = 0; round < rounds; round += 1) {
    const answer = await post();
    book.requests += 1;
    if (answer.status < 300) return answer;
    const errors = errorsOf(answer);
    const named = new Set(errors.map(({ pointer }) => pointer));
    if (answer.status >= 500 || named.size === 0) {
      book.faults.push(`${what} answers ${answer.status} ${answer.raw.toString('utf8').slice(0, 300)}`);
      return null;
    }
    const there = places();
    for (const pointer of named) if (!checkPointer(book, what, pointer, there)) return null;
    book.refused += named.size;
    drop(named);
  }
  book.faults.push(`${what} is still refused after ${rounds} corrections`);
  return null;
}

type Sender = Order['sender'];

async function makeSender(
  { inject }: TestService,
  book: Book,
  given: Sender,
): Promise<{ id: string; sender: Sender } | null> {
  const sender: Sender = { ...given };
  const places = () => {
    const there = new Map<string, Value>();
    put(there, '/fromAddress', sender.fromAddress);
    put(there, '/fromName', sender.fromName);
    put(there, '/replyTo', sender.replyTo);
    for (const [index, value] of sender.archiveBcc.entries()) put(there, `/archiveBcc/${index}`, value);
    return there;
  };
  const post = () =>
    inject('POST', '/v1/senders', {
      body: {
        key: `s-${randomUUID()}`,
        fromAddress: sender.fromAddress.text,
        fromName: sender.fromName?.text ?? null,
        replyTo: sender.replyTo?.text ?? null,
        archiveBcc: sender.archiveBcc.map(({ text }) => text),
      },
    });
  const drop = (named: ReadonlySet<string>) => {
    if (named.has('/fromAddress')) sender.fromAddress = sender.fallback;
    if (named.has('/fromName')) sender.fromName = null;
    if (named.has('/replyTo')) sender.replyTo = null;
    sender.archiveBcc = sender.archiveBcc.filter((_, index) => !named.has(`/archiveBcc/${index}`));
  };
  book.values += places().size;
  const made = await insist(book, 'POST /v1/senders', post, places, drop);
  if (made === null) return null;
  checkTaken(book, 'POST /v1/senders', places());
  return { id: made.body.id, sender };
}

/** As browsers write a name into a form, but with quotes as RFC 2045 has them. */
const inForm = (name: string) => name.replace(/["\\]/g, '\\$&').replace(/\r/g, '%0D').replace(/\n/g, '%0A');

async function makeFiles({ inject }: TestService, book: Book, files: readonly Value[]) {
  const kept: { id: string; name: string }[] = [];
  for (const file of files) {
    book.values += 1;
    const form = formOf({ filename: inForm(file.text), mediaType: 'text/plain', content: 'Bonjour.\r\n' });
    const answer = await inject('POST', '/v1/documents', form);
    book.requests += 1;
    if (answer.status === 201) {
      if (file.hope === 'bad' || answer.body.filename !== file.arrives) {
        book.faults.push(`POST /v1/documents takes ${show(file)} as ${JSON.stringify(answer.body.filename)}`);
      }
      kept.push({ id: answer.body.id, name: answer.body.filename });
    } else {
      if (answer.status < 500 && file.hope !== 'good' && errorsOf(answer).length > 0) book.refused += 1;
      else book.faults.push(`POST /v1/documents answers ${answer.status} ${answer.raw} to ${show(file)}`);
    }
  }
  return kept;
}

function placesOfRow(at: string, { subject, to, cc, bcc }: Row, merged: boolean): Map<string, Value> {
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

const boxBody = ({ address, name }: Box) => ({ address: address.text, ...(name === null ? {} : { name: name.text }) });
const mailboxOf = ({ address, name }: Box): Mailbox => ({ name: name?.arrives ?? '', address: address.arrives });

/** In the place of rows that were all refused: a request has at least one. */
function lastRow(book: Book): Numbered {
  book.serial += 1;
  const address: Value = { text: 'a@b.example', hope: 'good', arrives: 'a@b.example' };
  return { subject: plainSubject, to: { address, name: null }, cc: [], bcc: [], serial: book.serial };
}

type Numbered = Row & { serial: number };

/** What a request still asks for: refusals take from it. */
interface Asked {
  replyTo: Value | null;
  subject: Value | null;
  rows: Numbered[];
}

function bodyOf(asked: Asked, sender: string, files: readonly { id: string }[], highPriority: boolean) {
  const { replyTo, subject, rows } = asked;
  return {
    template: 'fuzz',
    validation: 'automatic',
    highPriority,
    documents: files.map(({ id }) => id),
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

const plainSubject: Value = { text: 'Avis', hope: 'good', arrives: 'Avis' };

function dropFrom(asked: Asked, named: ReadonlySet<string>): void {
  const indexes = new Set([...named].map((pointer) => /^\/recipients\/(\d+)\//.exec(pointer)?.[1]));
  asked.rows = asked.rows.filter((_, index) => !indexes.has(String(index)));
  if (named.has('/overrides/replyTo')) asked.replyTo = null;
  if (named.has('/overrides/subject')) asked.subject = plainSubject;
}

/** Gives an order to the service. @returns its id and the messages that must arrive; null when nothing could be asked. */
export async function place(
  service: TestService,
  book: Book,
  order: Order,
): Promise<{ id: string; expected: Expected[] } | null> {
  const sending = await makeSender(service, book, order.sender);
  if (sending === null) return null;
  const files = await makeFiles(service, book, order.files);
  const rows = order.rows.map((row): Numbered => {
    book.serial += 1;
    return { ...row, serial: book.serial };
  });
  const asked: Asked = { replyTo: order.replyTo, subject: order.subject, rows };
  const places = () => {
    const merged = asked.subject === null;
    const there = asked.rows.flatMap((row, index) => [...placesOfRow(`/recipients/${index}`, row, merged)]);
    const all = new Map(there);
    put(all, '/overrides/replyTo', asked.replyTo);
    put(all, '/overrides/subject', asked.subject);
    return all;
  };
  book.values += places().size;
  const post = async (): Promise<Answer> => {
    if (asked.rows.length === 0) asked.rows = [lastRow(book)];
    return service.inject('POST', '/v1/send-requests', {
      headers: { 'idempotency-key': randomUUID() },
      body: bodyOf(asked, sending.id, files, order.highPriority),
    });
  };
  const what = 'POST /v1/send-requests';
  const answer = await insist(book, what, post, places, (named) => dropFrom(asked, named));
  if (answer === null) return null;
  const { sender } = sending;
  const expected: Expected[] = [];
  for (const [index, row] of asked.rows.entries()) {
    const there = placesOfRow(`/recipients/${index}`, row, asked.subject === null);
    const { status, id } = answer.body.messages[index];
    if (status === 'V') {
      checkTaken(book, what, there);
      expected.push({
        serial: row.serial,
        messageId: id,
        from: { name: sender.fromName?.arrives ?? '', address: sender.fromAddress.arrives },
        replyTo: (asked.replyTo ?? sender.replyTo)?.arrives ?? null,
        to: mailboxOf(row.to),
        cc: row.cc.map(mailboxOf),
        hidden: [...row.bcc.map(mailboxOf), ...sender.archiveBcc.map((value) => ({ address: value.arrives }))].map(
          ({ address }) => address,
        ),
        subject: (asked.subject ?? row.subject).arrives,
        files: files.map(({ name }) => name),
        highPriority: order.highPriority,
      });
      continue;
    }
    const own = errorsOf(answer).filter((error) => (error as { index?: number }).index === index);
    if (status !== 'KO' || own.length === 0) book.faults.push(`${what}: row ${index} is ${status} without an error`);
    for (const { pointer } of own) if (checkPointer(book, what, pointer, there)) book.refused += 1;
  }
  return { id: answer.body.id, expected };
}
