/** The benches' code, in a small run: their figures mean nothing here. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { typicalFilters } from '../../bench/people.ts';

t.setTimeout(600_000);

t.test('npm run bench -- --quick --json prints one object and nothing else', async (t) => {
  const program = fileURLToPath(new URL('../../bench/run.ts', import.meta.url));
  const run = promisify(execFile)(process.execPath, [program, '--quick', '--json'], { maxBuffer: 10_000_000 });
  const { stdout } = await run;
  const { machine, results } = JSON.parse(stdout);
  t.match(machine, { durability: { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' }, cpus: Number });
  const filters = Object.keys(typicalFilters);
  const names = results.map(({ name }: { name: string }) => name);
  t.strictSame(names, [
    'dispatch',
    'dispatch-slow',
    'dispatch-2',
    'intake',
    'single',
    'validate',
    'growth, dispatch',
    'growth, search',
    'growth, counts',
    'urgent, same account',
    'urgent, another tenant',
    'fair',
    'memory',
    'render',
    'convert',
    ...filters.flatMap((filter) => [`audience, ${filter}, count`, `audience, ${filter}, page`]),
    'import',
    'import, memory',
  ]);
  for (const { name, ours, against, ratio } of results) {
    t.ok(Number.isFinite(ours) && ours >= 0, `${name}: ${ours}`);
    if (against !== null) t.ok(against > 0 && Math.abs(ratio - ours / against) < 1e-9, `${name}: ratio ${ratio}`);
  }
});
