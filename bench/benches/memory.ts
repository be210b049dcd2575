import { check, type Result, type Run } from '../measure.ts';
import { setStage } from '../stage.ts';

/** Most memory that a worker has had once it has sent 100,000 messages, every fifth with a PDF. */
export async function memory(run: Run): Promise<Result> {
  const stage = await setStage();
  const count = run.quick ? 1_000 : 100_000;
  try {
    const organisation = await stage.addOrganisation('Courtage');
    await stage.pause(organisation);
    await stage.makeMessages(organisation, 0, count);
    await stage.settleDown();
    await stage.sink.reset(0);
    const worker = await stage.startWorker();
    await stage.resume(organisation);
    await stage.drained(organisation);
    check('mails in the sink', (await stage.sink.report()).mails, count);
    check('messages in OK', await stage.count(organisation, 'OK'), count);
    return { name: 'memory', ours: worker.peakMemory() / 1e6, against: null, ratio: null, unit: 'MB' };
  } finally {
    await stage.close();
  }
}
