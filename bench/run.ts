/** `npm run bench [-- names] [--quick] [--json]`: runs the benches and says how they compare. See README.md. */
import { arch, cpus, platform, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { audience } from './benches/audience.ts';
import { convert } from './benches/convert.ts';
import { dispatch, dispatchSlow } from './benches/dispatch.ts';
import { dispatchTwo } from './benches/dispatch-two.ts';
import { growth } from './benches/growth.ts';
import { importing } from './benches/import.ts';
import { intake } from './benches/intake.ts';
import { fair, urgent } from './benches/latency.ts';
import { memory } from './benches/memory.ts';
import { render } from './benches/render.ts';
import { single } from './benches/single.ts';
import { validate } from './benches/validate.ts';
import type { Result, Run } from './measure.ts';
import { durable } from './stage.ts';

interface Bench {
  run(run: Run): Promise<Result | Result[]>;
  /** The bar: at least this ratio, or at most this value. */
  bar: { ratio: number } | { most: number };
  /** The bar of those of its results that are compared with nothing. */
  alone?: { most: number };
}

const benches: Record<string, Bench> = {
  dispatch: { run: dispatch, bar: { ratio: 0.8 } },
  'dispatch-slow': { run: dispatchSlow, bar: { ratio: 0.95 } },
  'dispatch-2': { run: dispatchTwo, bar: { ratio: 1.8 } },
  intake: { run: intake, bar: { ratio: 0.4 } },
  single: { run: single, bar: { ratio: 0.5 } },
  validate: { run: validate, bar: { ratio: 0.4 } },
  growth: { run: growth, bar: { ratio: 0.85 } },
  urgent: { run: urgent, bar: { most: 2 } },
  fair: { run: fair, bar: { most: 5 } },
  memory: { run: memory, bar: { most: 300 } },
  render: { run: render, bar: { ratio: 1 } },
  convert: { run: convert, bar: { most: 10 } },
  audience: { run: audience, bar: { ratio: 0.8 } },
  import: { run: importing, bar: { ratio: 0.25 }, alone: { most: 100 } },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
const unknown = positionals.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(', ')}. There are: ${Object.keys(benches).join(', ')}.`);
  process.exit(2);
}

const machine = {
  node: process.version,
  platform: `${platform()} ${arch()}`,
  cpus: cpus().length,
  model: cpus()[0]?.model ?? 'unknown',
  memoryGigabytes: Math.round(totalmem() / 2 ** 30),
};

function show(number: number): string {
  return number >= 100 ? number.toFixed(0) : number.toFixed(2);
}

function row(result: Result, bench: Bench): string[] {
  const { name, ours, against, ratio, unit } = result;
  const bar = ratio === null ? (bench.alone ?? bench.bar) : bench.bar;
  const met = 'ratio' in bar ? (ratio ?? 0) >= bar.ratio : ours <= bar.most;
  const wanted = 'ratio' in bar ? `≥ ${bar.ratio}` : `≤ ${bar.most} ${unit}`;
  const shown = [show(ours), against === null ? '' : show(against), ratio === null ? '' : ratio.toFixed(2)];
  // Small runs are for the code: their figures mean nothing.
  return [name, ...shown, unit, wanted, values.quick ? 'not judged' : met ? 'met' : 'NOT met'];
}

const table = new Table({ head: ['bench', 'ours', 'against', 'ratio', 'unit', 'bar', ''], style: { head: [] } });
const results: Result[] = [];
const tell = (line: string) => console.error(line);
for (const [name, bench] of Object.entries(benches)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const found = [await bench.run({ quick: values.quick, tell })].flat();
  results.push(...found);
  for (const result of found) table.push(row(result, bench));
}
// Each stage asserts that these are on; told here as the server said it.
const told = { ...machine, durability: durable.settings };
if (values.json) console.log(JSON.stringify({ machine: told, results }));
else console.log(`${JSON.stringify(told)}\n${table.toString()}`);
