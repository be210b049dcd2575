import { inPairs, type Result, type Run } from '../measure.ts';
import { type Organisation, type Stage, setStage } from '../stage.ts';
import { drain } from './dispatch.ts';

const connectionsEach = 10;
const delayMs = 20;

/** One side: so many workers on a stage of their own, ten connections each. */
async function setSide(workers: number): Promise<{ stage: Stage; organisation: Organisation }> {
  const stage = await setStage();
  const organisation = await stage.addOrganisation('Courtage', connectionsEach * workers);
  for (let worker = 0; worker < workers; worker += 1) await stage.startWorker();
  await drain(stage, organisation, { from: 0, count: 200, delayMs });
  return { stage, organisation };
}

/** Two workers against one, with a sink that takes 20 ms for each mail. */
export async function dispatchTwo(run: Run): Promise<Result> {
  const two = await setSide(2);
  const one = await setSide(1);
  const count = run.quick ? 400 : 20_000;
  let from = 1_000;
  const next = ({ stage, organisation }: typeof two) => {
    from += count;
    return drain(stage, organisation, { from, count, delayMs });
  };
  try {
    return await inPairs(
      run,
      'dispatch-2',
      'mails/s',
      () => next(two),
      () => next(one),
    );
  } finally {
    await two.stage.close();
    await one.stage.close();
  }
}
