/**
 * `npm run test:faults [-- --rounds N] [--seed S] [--only text]`: every fault, so many times, with its seed. Ends with the
 * counts, and with 1 when a rule was broken.
 */
import { parseArgs } from 'node:util';
import { createRandom } from './random.ts';
import { type Scenario, scenarios } from './scenarios.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string', default: '' },
    jobs: { type: 'string', default: '4' },
  },
});
const seed = Number(values.seed);
const rounds = Number(values.rounds);

/** Ends what a scenario has started, the last first, whatever became of it. */
async function withTeardown<Result>(
  work: (t: { teardown(fn: () => unknown): void }) => Promise<Result>,
): Promise<Result> {
  const ends: (() => unknown)[] = [];
  try {
    return await work({ teardown: (fn) => ends.push(fn) });
  } finally {
    for (const end of ends.reverse()) await Promise.resolve(end()).catch((error: unknown) => console.error(error));
  }
}

const counts = ['rounds', 'accepted', 'sent', 'refused', 'uncertain', 'duplicates'] as const;
type Row = { scenario: string } & Record<(typeof counts)[number], number>;

const chosen = scenarios.filter(({ name }) => name.includes(values.only));
const rows: Row[] = [];
const broken: string[] = [];

async function repeat({ name, run }: Scenario): Promise<void> {
  const row: Row = { scenario: name, rounds: 0, accepted: 0, sent: 0, refused: 0, uncertain: 0, duplicates: 0 };
  rows.push(row);
  for (let round = 1; round <= rounds; round += 1) {
    try {
      const found = { rounds: 1, ...(await withTeardown((t) => run(t, createRandom(seed + round, name)))) };
      for (const count of counts) row[count] += found[count];
    } catch (error) {
      broken.push(`${name}, round ${round}: ${(error as Error).message}`);
      console.error(broken.at(-1));
    }
  }
  console.error(`${name}: ${row.rounds} of ${rounds}`);
}

console.error(`seed ${seed}, ${rounds} rounds of ${chosen.length} faults`);
const left = [...chosen];
const work = async (): Promise<void> => {
  for (let next = left.shift(); next !== undefined; next = left.shift()) await repeat(next);
};
await Promise.all(Array.from({ length: Number(values.jobs) }, work));
console.table(rows);
const sum = (count: (typeof counts)[number]) => rows.reduce((total, row) => total + row[count], 0);
const lost = sum('accepted') - sum('sent') - sum('refused') - sum('uncertain');
console.log(
  `seed ${seed}: ${sum('rounds')} faults, ${sum('accepted')} messages accepted, ${lost} lost, ${sum('sent')} sent, ` +
    `${sum('refused')} refused or blocked, ${sum('uncertain')} held as uncertain, ${sum('duplicates')} second copies; ` +
    `${broken.length} rounds broken`,
);
process.exit(broken.length === 0 && lost === 0 ? 0 : 1);
