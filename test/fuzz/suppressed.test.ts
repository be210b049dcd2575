/**
 * Short lives made by chance: addresses are suppressed and lifted, messages sent, validated and worked off. Whatever the
 * order, nothing arrives for an address that is suppressed when it leaves, and all else does.
 * `FUZZ_SEED=… FUZZ_RUNS=…` repeats or widens a run.
 */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { done } from '../support/broker.ts';
import { receiverOf, type Sending, startSending } from '../support/sending.ts';

const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
const runs = Number(process.env.FUZZ_RUNS ?? 100);

t.setTimeout(Math.max(170_000, runs * 2_000));

/** The same person in several spellings, in the place of each number. */
const spellings = [
  ['ann@people.test', 'ANN@People.test'],
  ['bob@bücher.test', 'Bob@xn--bcher-kva.test', 'bob@BÜCHER.test'],
  ['cid@people.test'],
] as const;

const person = fc.nat({ max: spellings.length - 1 });
const spelling = fc.nat({ max: 2 });

type Command =
  | { kind: 'suppress' | 'lift'; person: number; spelling: number }
  | { kind: 'send'; person: number; spelling: number; copy: number | null; automatic: boolean }
  | { kind: 'validate' | 'work' };

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('suppress' as const), person, spelling }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lift' as const), person, spelling }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      person,
      spelling,
      copy: fc.option(person),
      automatic: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('validate' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('work' as const) }) },
);

const spellingOf = (who: number, how: number) => spellings[who]?.[how % (spellings[who]?.length ?? 1)] ?? '';
/** Each life has people of its own: what waits at its end is not of the next. */
const addressOf = ({ number }: Life, who: number, how: number) => spellingOf(who, how).replace('@', `.${number}@`);
const personOf = (address: string) =>
  spellings.findIndex((list) => list.some((one) => one.slice(0, 3) === address.toLowerCase().slice(0, 3)));

/** One message as it ought to be. */
interface Known {
  id: string;
  person: number;
  status: 'E' | 'V' | 'B' | 'OK';
}

/** What ought to be so, beside the service. */
interface Life {
  number: number;
  service: Sending;
  suppressed: Map<number, string>;
  messages: Known[];
}

async function suppress(life: Life, who: number, how: number): Promise<void> {
  const { service, suppressed, messages } = life;
  const body = { address: addressOf(life, who, how), cause: 'manual' };
  const { status, body: made } = await service.post('/v1/suppressions', body);
  if (status !== (suppressed.has(who) ? 409 : 201)) throw new Error(`suppressing was answered with ${status}`);
  if (status === 409) return;
  suppressed.set(who, made.id);
  const waiting = messages.filter((one) => one.person === who && (one.status === 'E' || one.status === 'V'));
  if (made.blocked !== waiting.length) throw new Error(`${made.blocked} were blocked, not ${waiting.length}`);
  for (const one of waiting) one.status = 'B';
}

async function lift({ service, suppressed }: Life, who: number): Promise<void> {
  const id = suppressed.get(who);
  if (id === undefined) return;
  await service.inject('DELETE', `/v1/suppressions/${id}`);
  suppressed.delete(who);
}

async function send(life: Life, { person: who, spelling: how, copy, automatic }: Command & { kind: 'send' }) {
  const cc = copy === null ? {} : { cc: [{ address: addressOf(life, copy, how) }] };
  const row = { to: { address: addressOf(life, who, how) }, data: { name: 'N' }, ...cc };
  const { messages } = await life.service.send([row], { validation: automatic ? 'automatic' : 'manual' });
  const status = life.suppressed.has(who) ? 'B' : automatic ? 'V' : 'E';
  life.messages.push({ id: messages[0] ?? '', person: who, status });
}

async function validate({ service, suppressed, messages }: Life): Promise<void> {
  const asked = messages.filter(({ status }) => status === 'E' || status === 'B');
  if (asked.length === 0) return;
  await done(service.post('/v1/messages/validate', { ids: asked.map(({ id }) => id) }));
  for (const one of asked) one.status = suppressed.has(one.person) ? 'B' : 'V';
}

async function work({ service, suppressed, messages }: Life): Promise<void> {
  const before = service.sink.mails.length;
  await service.work();
  const arrived = service.sink.mails.slice(before).map((mail) => personOf(receiverOf(mail)));
  const wrong = arrived.filter((who) => suppressed.has(who));
  if (wrong.length > 0) throw new Error(`a mail arrived for the suppressed ${wrong}`);
  for (const one of messages) {
    if (one.status !== 'V') continue;
    one.status = 'OK';
    const place = arrived.indexOf(one.person);
    if (place === -1) throw new Error(`nothing arrived for ${one.person}, who is not suppressed`);
    arrived.splice(place, 1);
  }
}

async function live(service: Sending, number: number, commands: readonly Command[]): Promise<void> {
  const life: Life = { number, service, suppressed: new Map(), messages: [] };
  for (const one of [...commands, { kind: 'work' } as const]) {
    if (one.kind === 'suppress') await suppress(life, one.person, one.spelling);
    else if (one.kind === 'lift') await lift(life, one.person);
    else if (one.kind === 'send') await send(life, one);
    else if (one.kind === 'validate') await validate(life);
    else await work(life);
    service.clock.advance(1_000);
  }
  for (const { id, status } of life.messages) {
    const now = await service.message(id);
    if (now.status !== status) throw new Error(`${id} is ${now.status} ${now.reason}, not ${status}`);
  }
}

t.test(`${runs} lives with suppressed addresses (FUZZ_SEED=${seed})`, async (t) => {
  const service = await startSending(t);
  const commands = fc.array(command, { minLength: 2, maxLength: 9 });
  let number = 0;
  const result = await fc.check(
    fc.asyncProperty(commands, (list) => {
      number += 1;
      return live(service, number, list);
    }),
    { seed, numRuns: runs, endOnFailure: true },
  );
  const { counterexample, errorInstance } = result;
  if (result.failed) t.comment(JSON.stringify(counterexample), String((errorInstance as Error).message));
  t.notOk(result.failed, `FUZZ_SEED=${seed} FUZZ_RUNS=${runs}`);
  t.ok(
    result.failed || runs < 25 || service.sink.mails.length > runs / 2,
    `${service.sink.mails.length} mails arrived`,
  );
});
