import { startBarePool } from '../children.ts';
import { check, inPairs, type Result, type Run, secondsOf } from '../measure.ts';
import { type Organisation, type Stage, setStage } from '../stage.ts';

const connections = 10;

interface Size {
  count: number;
  delayMs: number;
}

/** Sends `count` prepared messages through the running workers. @returns mails per second, until the last is committed. */
export async function drain(stage: Stage, organisation: Organisation, size: Size & { from: number }): Promise<number> {
  const { count, from, delayMs } = size;
  await stage.pause(organisation);
  await stage.makeMessages(organisation, from, count);
  await stage.settleDown();
  await stage.sink.reset(delayMs);
  const before = await stage.count(organisation, 'OK');
  const seconds = await secondsOf(async () => {
    await stage.resume(organisation);
    await stage.drained(organisation);
  });
  const report = await stage.sink.report();
  check('mails in the sink', report.mails, count);
  check('mails that came twice', report.repeated, 0);
  check('messages in OK', (await stage.count(organisation, 'OK')) - before, count);
  return count / seconds;
}

async function againstPool(run: Run, name: string, size: Size, profile?: string): Promise<Result> {
  const stage = await setStage();
  const pool = await startBarePool();
  try {
    const organisation = await stage.addOrganisation('Courtage', connections);
    await stage.startWorker(profile === undefined ? {} : { profile });
    // Modules loaded, code compiled, connections open: on both sides.
    await drain(stage, organisation, { ...size, from: 0, count: Math.ceil(size.count / 20) });
    await stage.sink.reset(size.delayMs);
    await pool.send({ port: stage.sink.port, connections, count: Math.ceil(size.count / 20) });
    let from = size.count;
    const ours = () => {
      from += size.count;
      return drain(stage, organisation, { ...size, from });
    };
    const against = async () => {
      await stage.sink.reset(size.delayMs);
      const milliseconds = await pool.send({ port: stage.sink.port, connections, count: size.count });
      const report = await stage.sink.report();
      check('mails of the pool', report.mails, size.count);
      return (size.count / milliseconds) * 1_000;
    };
    return await inPairs(run, name, 'mails/s', ours, against);
  } finally {
    await pool.end();
    await stage.close();
  }
}

/** A sink at wire speed. */
export function dispatch(run: Run): Promise<Result> {
  return againstPool(
    run,
    'dispatch',
    { count: run.quick ? 400 : Number(process.env.BENCH_COUNT ?? 20_000), delayMs: 0 },
    process.env.BENCH_PROFILE,
  );
}

/** A sink that takes 20 ms for each mail: as a provider not far away does. */
export function dispatchSlow(run: Run): Promise<Result> {
  return againstPool(run, 'dispatch-slow', { count: run.quick ? 400 : 20_000, delayMs: 20 });
}
