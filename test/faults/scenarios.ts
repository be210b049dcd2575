/** Every fault, by name: what `npm run test:faults` runs again and again, and the suite once, under one of the policies. */
import { angryServer } from './angry-server.ts';
import { freezeSteps, freezeWorker } from './freeze-worker.ts';
import { killApi, sameKeyAHundredTimes } from './kill-api.ts';
import { killSteps, killWorkerAt } from './kill-worker.ts';
import type { Findings } from './ledger.ts';
import { lostJobs } from './lost-jobs.ts';
import { racesWithClaim } from './races.ts';
import type { Random } from './random.ts';
import { restartPostgres } from './restart-postgres.ts';
import { troubleBeforeDatabase, troubleBeforeSmtp } from './wires.ts';

/** One fault. */
export interface Scenario {
  name: string;
  run(t: { teardown(fn: () => unknown): void }, random: Random): Promise<Findings>;
}

const policies = ['resend', 'hold'] as const;
const troubles = ['cut', 'delay', 'hole'] as const;

/** All of them. */
export const scenarios: readonly Scenario[] = [
  ...killSteps.flatMap((step) =>
    policies.map((policy) => ({
      name: `worker killed ${step.name}, ${policy}`,
      run: (t: Parameters<Scenario['run']>[0], random: Random) => killWorkerAt(t, step, policy, random),
    })),
  ),
  ...troubles.flatMap((trouble): Scenario[] => [
    { name: `${trouble} before the database`, run: (t, random) => troubleBeforeDatabase(t, trouble, random) },
    {
      name: `${trouble} before the mail server, hold`,
      run: (t, random) => troubleBeforeSmtp(t, trouble, 'hold', random),
    },
    {
      name: `${trouble} before the mail server, resend`,
      run: (t, random) => troubleBeforeSmtp(t, trouble, 'resend', random),
    },
  ]),
  { name: 'API killed under requests that are repeated', run: killApi },
  { name: 'the same key a hundred times', run: sameKeyAHundredTimes },
  { name: 'PostgreSQL restarted at once', run: restartPostgres },
  { name: 'mail server that refuses, hangs and cuts', run: angryServer },
  { name: 'block and cancel racing with a claim', run: racesWithClaim },
  { name: 'jobs deleted behind the service', run: lostJobs },
  ...freezeSteps.flatMap((step) =>
    policies.map((policy) => ({
      name: `worker frozen ${step.name}, ${policy}`,
      run: (t: Parameters<Scenario['run']>[0], random: Random) => freezeWorker(t, step, policy, random),
    })),
  ),
];

/** Every fault once: of those that are tried under both policies, the one that is drawn. */
export function onceEach(random: Random): readonly Scenario[] {
  const faults = Map.groupBy(scenarios, ({ name }) => name.replace(/, (resend|hold)$/, ''));
  return [...faults.values()].map((variants) => random.pick(variants as [Scenario, ...Scenario[]]));
}
