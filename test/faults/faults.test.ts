/**
 * The short form of `npm run test:faults`: every fault once, under one of the policies, four at a time. The seed is in the
 * name; `FAULTS_SEED=…` repeats a run.
 */
import t from 'tap';
import { createRandom } from './random.ts';
import { onceEach } from './scenarios.ts';

const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000);

t.setTimeout(900_000);
t.jobs = 4;
for (const { name, run } of onceEach(createRandom(seed, 'policies'))) {
  t.test(`${name} (seed ${seed})`, { buffered: true, timeout: 180_000 }, async (t) => {
    const { accepted, sent, uncertain } = await run(t, createRandom(seed, name));
    t.ok(accepted > 0 && sent + uncertain <= accepted, `${sent} of ${accepted} sent, ${uncertain} in doubt`);
  });
}
