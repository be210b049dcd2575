/**
 * Lives of messages, made by chance: requests, people's actions, the clock, the worker, and a provider that answers as
 * it likes. After every command the service must show what a small model says, and only legal moves.
 * `FUZZ_SEED=… FUZZ_RUNS=…` repeats or widens a run.
 */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { deeds, leastCommands, lives, providerAnswers } from './lifecycle-commands.ts';
import { cutDown, live } from './lifecycle-life.ts';
import { setTheStage } from './lifecycle-stage.ts';

const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
const runs = Number(process.env.FUZZ_RUNS ?? 12);
const cutDownMs = 40_000;

t.setTimeout(Math.max(600_000, runs * 10_000));

/** Every way a status may change, and how messages are born. */
const common = ['·→E', '·→V', '·→KO', '·→B', 'E→V', 'E→B', 'V→B', 'V→OK', 'V→KO', 'B→V', 'KO→V'];
const rare = ['E→KO', 'KO→OK', 'KO→KO'];

t.test(`${runs} lives of messages go as the model says (FUZZ_SEED=${seed})`, async (t) => {
  const stage = await setTheStage(t);
  let commands = 0;
  const startedAt = performance.now();
  const property = fc.asyncProperty(lives, async (life) => {
    commands += life.commands.length;
    if (life.commands.length < leastCommands) throw new Error(`a life of ${life.commands.length} commands`);
    await live(stage, life);
  });
  const result = await fc.check(property, { seed, numRuns: runs, endOnFailure: true });
  const seconds = (performance.now() - startedAt) / 1_000;
  t.comment(`${result.numRuns} lives of ${commands} commands in ${seconds.toFixed(1)} s, seed ${seed}`);
  const seen = [...stage.seen].sort(([left], [right]) => (left < right ? -1 : 1));
  t.comment(JSON.stringify(Object.fromEntries(seen)));
  if (result.failed) {
    const [life] = result.counterexample ?? [];
    const { message } = result.errorInstance as Error;
    const fault = life === undefined ? message : await cutDown(stage, life, message, cutDownMs);
    for (const line of fault.split('\n')) t.comment(line);
    t.fail(`life ${result.numRuns} of FUZZ_SEED=${seed} FUZZ_RUNS=${runs} went another way: ${fault.split('\n')[0]}`);
    return;
  }
  // Lives in which little happens prove little. Few of them may miss what is rare.
  const wanted = [
    ...(runs < 25 ? [] : common),
    ...(runs < 200
      ? []
      : [...rare, ...providerAnswers.map((one) => `answered ${one}`), ...deeds.map((one) => `beside ${one}`)]),
  ];
  for (const one of wanted) t.ok(stage.seen.has(one), `${one} was seen`);
});
