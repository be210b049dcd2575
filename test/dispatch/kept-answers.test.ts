import { type AddressInfo, createServer, type Socket } from 'node:net';
import { sql } from 'drizzle-orm';
import t from 'tap';
import { done } from '../support/broker.ts';
import { type Sending, smtpAccount, startSending } from '../support/sending.ts';

t.setTimeout(600_000);

type Verb = 'AUTH' | 'RCPT' | 'BODY';
/** The bytes that go back instead of the usual answer: to which command, about which receiver. */
type Answering = (verb: Verb, receiver: string, line: string) => Buffer | undefined;

const usual: Record<string, string> = {
  EHLO: '250-raw.test\r\n250 AUTH LOGIN PLAIN',
  DATA: '354 go on',
  QUIT: '221 bye',
};

/** Reads commands and contents as they come. */
function converse(socket: Socket, answer: Answering): void {
  let waiting = '';
  let receiver = '';
  let inBody = false;
  const reply = (verb: string, line: string): void => {
    const own = verb === 'AUTH' || verb === 'RCPT' || verb === 'BODY' ? answer(verb, receiver, line) : undefined;
    socket.write(Buffer.concat([own ?? Buffer.from(usual[verb] ?? '250 2.0.0 ok'), Buffer.from('\r\n')]));
  };
  socket.on('error', () => {});
  socket.on('data', (piece) => {
    waiting += piece.toString('latin1');
    for (let end = waiting.indexOf('\r\n'); end >= 0; end = waiting.indexOf('\r\n')) {
      const line = waiting.slice(0, end);
      waiting = waiting.slice(end + 2);
      const verb = line.slice(0, 4).toUpperCase();
      if (!inBody) {
        receiver = verb === 'RCPT' ? (/<(.+)>/.exec(line)?.[1] ?? '') : receiver;
        inBody = verb === 'DATA';
        reply(verb, line);
      } else if (line === '.') {
        inBody = false;
        reply('BODY', line);
      }
    }
  });
  socket.write('220 raw.test\r\n');
}

/** A service whose account leads to a server that says any bytes: that of other tests answers in clean text only. */
async function startWithRawServer(
  t: { teardown(fn: () => unknown): void },
  answer: Answering,
  account: { settings?: object; secrets?: object } = {},
): Promise<Sending> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    converse(socket, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const service = await startSending(t, { account: null });
  const { port } = server.address() as AddressInfo;
  const { settings, ...more } = account;
  const body = smtpAccount({ ...service.sink, port }, { onUncertain: 'hold', ...more }, { ...settings });
  const { id } = await done(service.inject('POST', '/v1/channel-accounts', { body }));
  return { ...service, accountId: id };
}

const addressOf = (name: string) => `${name}@people.test`;
const text = (words: string) => Buffer.from(words);

/** What providers say after their code, by a name. Each repeats the address, as most do. */
const sayings: Record<string, Buffer> = {
  nul: text(`<${addressOf('nul')}>: no\u0000body \u0000`),
  controls: text(`\u0007 ${addressOf('controls')} \u001b[31mred\u001b[0m\u007f \u0085 \u009b tab\there`),
  direction: text(`${addressOf('direction')} \u202egnp.exe \u2066 \ufeff \u200b`),
  bytes: Buffer.concat([text(`${addressOf('bytes')} `), Buffer.from([0xc3, 0x28, 0xff, 0xfe, 0xed, 0xa0, 0x80])]),
  accents: text(`${addressOf('accents')} boîte inconnue à l’adresse indiquée`),
  long: text(`${addressOf('long')} ${'x'.repeat(100_000)} ${addressOf('long')}`),
  pairs: text(`${addressOf('pairs')} ${'😀'.repeat(2_000)}`),
  "d'herouville": text(`<${addressOf("d'herouville")}>: unknown`),
  silence: text('\u0000 \u001b \u200b'),
};
const names = Object.keys(sayings);
const recipients = names.map((name) => ({ to: { address: addressOf(name) }, data: { name: 'P' } }));
const sayingTo = (receiver: string) => sayings[receiver.split('@')[0] ?? ''] ?? text('');

/** Why a text is not fit to be kept and shown; none: it is. */
function faultsOf(kept: string | null, name: string): string[] {
  if (kept === null) return [];
  return [
    kept.length > 500 && `${kept.length} characters`,
    /[\p{Cc}\p{Cf}]/u.test(kept) && 'control or format characters',
    !kept.isWellFormed() && 'half a character',
    kept.trim() !== kept && 'blanks around',
    kept.includes('people.test') && 'the address',
    kept.includes(`${name}@`) && 'the name before @',
  ].filter((fault) => fault !== false);
}

/** Nothing is open, on its way, or kept in doubt. */
async function nothingInDoubt(t: { match: (a: unknown, b: unknown) => unknown }, service: Sending): Promise<void> {
  const [left] = await service.execute(sql`select
    (select count(*)::int from attempts where finished_at is null) as open,
    (select count(*)::int from attempts where outcome = 'uncertain') as doubts,
    (select count(*)::int from pgboss.job where name like 'dispatch.%') as jobs`);
  t.match(left, { open: 0, doubts: 0, jobs: 0 });
}

const refusals = [
  { verb: 'RCPT', start: '550 5.1.1 ', expected: { status: 'KO', reason: 'mailbox_unknown' }, outcome: 'permanent' },
  { verb: 'BODY', start: '554 5.6.0 ', expected: { status: 'KO', reason: 'content_refused' }, outcome: 'permanent' },
  { verb: 'BODY', start: '451 4.3.0 ', expected: { status: 'V', delivery: 'waiting' }, outcome: 'transient' },
] as const;

for (const { verb, start, expected, outcome } of refusals) {
  t.test(`${start.trim()} at ${verb}, in whatever words: the attempt is closed and its words are clean`, async (t) => {
    const service = await startWithRawServer(t, (asked, receiver) =>
      asked === verb ? Buffer.concat([text(start), sayingTo(receiver)]) : undefined,
    );
    const { messages, id } = await service.send(recipients);
    await service.work();
    const code = Number(start.slice(0, 3));
    for (const [index, message] of messages.entries()) {
      const name = names[index] ?? '';
      const [attempt, ...others] = await service.attempts(message);
      t.strictSame(others, [], name);
      t.match(attempt, { outcome, code, enhancedCode: start.slice(4, 9), finishedAt: String }, name);
      t.strictSame(faultsOf(attempt.answer, name), [], name);
      t.equal(attempt.answer === null, name === 'silence', `${name}: what was said is kept`);
      const kept = await service.message(message);
      t.match(kept, { ...expected, reasonDetail: { code } }, name);
      t.equal(kept.reasonDetail.answer, attempt.answer, name);
    }
    const [long = '', accents = ''] = [messages[names.indexOf('long')], messages[names.indexOf('accents')]];
    t.equal((await service.attempts(long))[0].answer.length, 500);
    t.match(await service.attempts(accents), [{ answer: '… boîte inconnue à l’adresse indiquée' }]);
    t.match(await service.counts(id), { created: names.length, [expected.status]: names.length });
    t.notMatch(JSON.stringify(await service.events()), 'people.test');
    await nothingInDoubt(t, service);
  });
}

t.test('an acceptance in whatever words is an acceptance', async (t) => {
  const service = await startWithRawServer(t, (verb, receiver) =>
    verb === 'BODY' ? Buffer.concat([text('250 2.0.0 '), sayingTo(receiver)]) : undefined,
  );
  const { messages, id } = await service.send(recipients);
  await service.work();
  for (const [index, message] of messages.entries()) {
    const name = names[index] ?? '';
    const [attempt] = await service.attempts(message);
    t.match(attempt, { outcome: 'accepted', code: 250, finishedAt: String }, name);
    t.strictSame(faultsOf(attempt.answer, name), [], name);
    t.match(await service.message(message), { status: 'OK', sentAt: String, reason: null }, name);
  }
  t.match(await service.counts(id), { OK: names.length });
  await nothingInDoubt(t, service);
});

t.test('an answer of two thousand lines is one answer', async (t) => {
  const lines = Array.from({ length: 2_000 }, (_, line) => `550-5.1.1 line ${line}\u0000`).join('\r\n');
  const service = await startWithRawServer(t, (verb, receiver) =>
    verb === 'BODY' ? text(`${lines}\r\n550 5.1.1 <${receiver}> is unknown`) : undefined,
  );
  const [message = ''] = (await service.send(recipients.slice(0, 1))).messages;
  await service.work();
  t.match(await service.message(message), { status: 'KO', reason: 'mailbox_unknown' });
  const [attempt] = await service.attempts(message);
  t.match(attempt, { outcome: 'permanent', code: 550, enhancedCode: '5.1.1', answer: /^line 0 line 1 / });
  t.strictSame(faultsOf(attempt.answer, 'nul'), []);
  await nothingInDoubt(t, service);
});

for (const [name, mark] of [
  ['a lone carriage return', '\r'],
  ['a line separator', '\u2028'],
  ['a paragraph separator', '\u2029'],
] as const) {
  t.test(`${name} within an answer does not make it none: a refusal of the content is no doubt`, async (t) => {
    const service = await startWithRawServer(t, (verb) =>
      verb === 'BODY' ? text(`554 5.6.0 refused${mark}for its content`) : undefined,
    );
    const [message = ''] = (await service.send(recipients.slice(0, 1))).messages;
    await service.work();
    t.match(await service.attempts(message), [{ outcome: 'permanent', code: 554, answer: 'refused for its content' }]);
    t.match(await service.message(message), { status: 'KO', reason: 'content_refused' });
    await nothingInDoubt(t, service);
  });
}

t.test('a copy that is refused in bad words fails alone, and is closed too', async (t) => {
  const service = await startWithRawServer(t, (verb, receiver) =>
    verb === 'RCPT' && receiver === addressOf('copy') ? text(`550 5.1.1 <${receiver}> \u0000`) : undefined,
  );
  const row = { to: { address: addressOf('to') }, data: { name: 'P' }, cc: [{ address: addressOf('copy') }] };
  const [message = ''] = (await service.send([row])).messages;
  await service.work();
  const copies = [{ outcome: 'failed', reason: 'mailbox_unknown', code: 550 }];
  t.match(await service.message(message), { status: 'OK', copies });
  await nothingInDoubt(t, service);
});

for (const [kind, user] of [
  ['the password and the user', 'courtier'],
  ['a password that has the user in it', 'robot'],
] as const) {
  t.test(`words that repeat ${kind} are kept without them, in a try and in a test`, async (t) => {
    const password = 'mot-de-passe-du-robot';
    const said = [user, password, Buffer.from(password).toString('base64'), '127.0.0.1'].join(' ');
    const answer: Answering = (verb) => (verb === 'AUTH' ? text(`535 5.7.8 \u0000${said}`) : undefined);
    const service = await startWithRawServer(t, answer, { settings: { user }, secrets: { password } });
    const [message = ''] = (await service.send(recipients.slice(0, 1))).messages;
    await service.work();
    const clean = { code: 535, answer: '… … … …' };
    t.match(await service.attempts(message), [{ outcome: 'account_fault', reason: 'authentication_failed', ...clean }]);
    t.match(await service.message(message), { status: 'V', attemptCount: 0, reasonDetail: clean });
    const path = `/v1/channel-accounts/${service.accountId}`;
    t.match(await done(service.inject('GET', path)), { pauseReason: 'authentication_failed' });
    t.match(await done(service.post(`${path}/test`)), { ok: false, ...clean });
    await nothingInDoubt(t, service);
  });
}

t.test('words that repeat the command of the log-in are kept without the password in it', async (t) => {
  const password = 'mot-de-passe-du-robot';
  const commands: string[] = [];
  const answer: Answering = (verb, _receiver, line) => {
    if (verb !== 'AUTH') return undefined;
    commands.push(line);
    return text(`535 5.7.8 not understood: ${line}`);
  };
  const account = { settings: { user: 'courtier', authMethod: 'PLAIN' }, secrets: { password } };
  const service = await startWithRawServer(t, answer, account);
  const [message = ''] = (await service.send(recipients.slice(0, 1))).messages;
  await service.work();
  const given = commands[0]?.split(' ').at(-1) ?? '';
  t.match(Buffer.from(given, 'base64').toString(), password, 'the command holds it');
  const [attempt] = await service.attempts(message);
  t.match(attempt, { outcome: 'account_fault', answer: /^not understood: AUTH PLAIN/ });
  t.notOk(attempt.answer.includes(given), 'what is kept does not');
});
