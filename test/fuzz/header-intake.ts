/** Gives orders to the service: what is refused must deserve it, and is taken out until the rest is accepted. */
import { randomUUID } from 'node:crypto';
import { formOf } from '../support/multipart.ts';
import type { Answer, TestService } from '../support/service.ts';
import {
  type Asked,
  bodyOf,
  type Expected,
  expectedOf,
  type Order,
  placesOfRequest,
  placesOfRow,
  plain,
  put,
  type Row,
} from './header-orders.ts';
import type { Value } from './header-values.ts';

/** What was seen, and what was wrong. */
export interface Book {
  faults: string[];
  values: number;
  refused: number;
  requests: number;
  serial: number;
}

const show = ({ text }: Value) => JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}… (${text.length})` : text);
const errorsOf = ({ body }: Answer): { pointer: string; index?: number }[] => body?.errors ?? [];
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

/** In the place of rows that were all refused: a request has at least one. */
const lastRow = (serial: number): Row => ({
  serial,
  subject: plain('Avis'),
  to: { address: plain('a@b.example'), name: null },
  cc: [],
  bcc: [],
});

function dropFrom(asked: Asked, named: ReadonlySet<string>, newSerial: () => number): void {
  const indexes = new Set([...named].map((pointer) => /^\/recipients\/(\d+)\//.exec(pointer)?.[1]));
  asked.rows = asked.rows.filter((_, index) => !indexes.has(String(index)));
  if (asked.rows.length === 0) asked.rows = [lastRow(newSerial())];
  if (named.has('/overrides/replyTo')) asked.replyTo = null;
  if (named.has('/overrides/subject')) asked.subject = plain('Avis');
}

/** Holds an accepted request against what each of its rows holds. @returns the rows that must arrive, with their ids. */
function acceptedRows(book: Book, what: string, asked: Asked, answer: Answer): { row: Row; messageId: string }[] {
  const accepted: { row: Row; messageId: string }[] = [];
  for (const [index, row] of asked.rows.entries()) {
    const there = placesOfRow(`/recipients/${index}`, row, asked.subject === null);
    const { status, id } = answer.body.messages[index];
    if (status === 'V') {
      checkTaken(book, what, there);
      accepted.push({ row, messageId: id });
      continue;
    }
    const own = errorsOf(answer).filter((error) => error.index === index);
    if (status !== 'KO' || own.length === 0) book.faults.push(`${what}: row ${index} is ${status} without an error`);
    for (const { pointer } of own) if (checkPointer(book, what, pointer, there)) book.refused += 1;
  }
  return accepted;
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
  const documents = files.map(({ id }) => id);
  const newSerial = () => {
    book.serial += 1;
    return book.serial;
  };
  const { replyTo, subject, highPriority } = order;
  const asked: Asked = { replyTo, subject, rows: order.rows.map((row) => ({ ...row, serial: newSerial() })) };
  book.values += placesOfRequest(asked).size;
  const what = 'POST /v1/send-requests';
  const post = () =>
    service.inject('POST', '/v1/send-requests', {
      headers: { 'idempotency-key': randomUUID() },
      body: bodyOf(asked, sending.id, documents, highPriority),
    });
  const drop = (named: ReadonlySet<string>) => dropFrom(asked, named, newSerial);
  const answer = await insist(book, what, post, () => placesOfRequest(asked), drop);
  if (answer === null) return null;
  const expected = acceptedRows(book, what, asked, answer).map(({ row, messageId }) => ({
    ...expectedOf(asked, row, sending.sender),
    messageId,
    files: files.map(({ name }) => name),
    highPriority,
  }));
  return { id: answer.body.id, expected };
}
