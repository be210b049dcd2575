/**
 * Thousands of subjects, names, addresses and file names through the API and out through SMTP: what arrives has no
 * header and no recipient that was not asked for, and what was refused never arrives.
 * `FUZZ_SEED=… FUZZ_VALUES=100000` repeats or widens a run.
 */
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { done } from '../support/broker.ts';
import { type Sending, type SendingOptions, startSending } from '../support/sending.ts';
import { type Book, place } from './header-intake.ts';
import { type Expected, orders } from './header-orders.ts';
import { faultsOfMail, keepCommands, type Received, recipientOf, serialOf } from './received-mail.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20_261_122);
const wanted = Number(process.env.FUZZ_VALUES ?? 2_000);
t.setTimeout(wanted > 10_000 ? 3_600_000 : 170_000);

const ordersPerRound = 12;

async function addTemplate({ inject }: Sending): Promise<void> {
  const make = (path: string, body: object) => done(inject('POST', path, { body }));
  const { id } = await make('/v1/templates', { key: 'fuzz', title: 'Fuzz', channel: 'mail' });
  const path = `/v1/templates/${id}/versions`;
  await make(path, { subject: '{{ s }}', text: 'row {{ n }} end', html: '<p>row {{ n }} end</p>' });
  await make(`${path}/1/publish`, {});
}

/** Every mail that must arrive, as `serial address`, sorted. */
function deliveriesOf(expected: readonly Expected[], redirect: string | null): string[] {
  return expected
    .flatMap(({ serial, to, cc, hidden }) =>
      [to.address, ...cc.map(({ address }) => address), ...hidden].map((address) => `${serial} ${redirect ?? address}`),
    )
    .sort();
}

async function checkCounts({ counts }: Sending, book: Book, placed: { id: string; expected: Expected[] }) {
  const { OK, V, E, B } = await counts(placed.id);
  if (OK !== placed.expected.length || V + E + B > 0) {
    book.faults.push(`of ${placed.expected.length} accepted messages ${OK} are OK (E ${E}, V ${V}, B ${B})`);
  }
}

async function checkRound(book: Book, received: Received[], expected: Expected[], redirect: string | null) {
  const bySerial = new Map(expected.map((one) => [one.serial, one]));
  for (const mail of received) {
    const own = bySerial.get(serialOf(mail));
    const faults = own === undefined ? ['it was never accepted'] : await faultsOfMail(mail, own, redirect);
    if (faults.length === 0) continue;
    const head = mail.raw.toString('latin1').split('\r\n\r\n')[0];
    book.faults.push(`${mail.to.join(' ')} ${faults.join('; ')}\n${head}`);
  }
  const arrived = received.map((mail) => `${serialOf(mail)} ${recipientOf(mail)}`).sort();
  const due = deliveriesOf(expected, redirect);
  if (arrived.join('\n') === due.join('\n')) return;
  const missing = due.filter((one) => !arrived.includes(one));
  const surplus = arrived.filter((one) => !due.includes(one));
  book.faults.push(`missing: ${JSON.stringify(missing)}, not asked for: ${JSON.stringify(surplus)}`);
}

async function run(t: Test, values: number, options: SendingOptions, redirect: string | null) {
  const received: Received[] = [];
  const service = await startSending(t, { ...options, sink: { respond: keepCommands(received) } });
  await addTemplate(service);
  const book: Book = { faults: [], values: 0, refused: 0, requests: 0, serial: 0 };
  const startedAt = performance.now();
  let mails = 0;
  let messages = 0;
  for (let round = 0; book.values < values && book.faults.length < 20; round += 1) {
    const given = fc.sample(orders, { seed: seed + round, numRuns: ordersPerRound });
    const placed = (await Promise.all(given.map((order) => place(service, book, order)))).filter((one) => one !== null);
    await service.work();
    const expected = placed.flatMap((one) => one.expected);
    await checkRound(book, received, expected, redirect);
    for (const one of placed) await checkCounts(service, book, one);
    mails += received.length;
    messages += expected.length;
    received.length = 0;
    service.sink.mails.length = 0;
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  t.comment(
    `${book.values} values in ${seconds} s: ${book.serial} rows, ${messages} messages, ${mails} mails, ${book.refused} refusals`,
  );
  t.equal(book.faults.length, 0, `faults with FUZZ_SEED=${seed}:\n${book.faults.slice(0, 10).join('\n')}`);
  // A run that reaches nothing proves nothing.
  t.ok(book.values >= values, `${book.values} values were tried`);
  t.ok(mails >= values / 10, `${mails} mails arrived`);
  t.ok(book.refused >= values / 50, `${book.refused} refusals`);
}

t.test(`${wanted} values of headers and envelopes arrive as asked for, or are refused (FUZZ_SEED=${seed})`, (t) =>
  run(t, wanted, {}, null),
);

t.test(`the same where everything is redirected (FUZZ_SEED=${seed})`, (t) => {
  const safe = 'essai@courtage.example';
  return run(t, wanted / 10, { config: { deployment: 'test', safeRecipientEmail: safe } }, safe);
});
