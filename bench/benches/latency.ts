import { setTimeout as wait } from 'node:timers/promises';
import { rowOf } from '../mails.ts';
import { check, percentile, type Result, type Run } from '../measure.ts';
import { type Organisation, type Stage, setStage } from '../stage.ts';

interface Sent {
  receiver: string;
  at: number;
}

/** Sends single messages, one each interval, and answers when each was acknowledged. */
async function sendSingles(
  stage: Stage,
  organisation: Organisation,
  options: { count: number; everyMs: number; priority: string; name: string },
): Promise<Sent[]> {
  const sent: Sent[] = [];
  for (let number = 0; number < options.count; number += 1) {
    const receiver = `${options.name}${number}@single.test`;
    const row = { ...rowOf(number), to: { address: receiver } };
    const body = { template: 'notice', validation: 'automatic', priority: options.priority, recipients: [row] };
    await stage.call(organisation.key, 'POST', '/v1/send-requests', body);
    sent.push({ receiver, at: Date.now() });
    await wait(options.everyMs);
  }
  return sent;
}

function secondsToSink(arrived: ReadonlyMap<string, number>, sent: readonly Sent[]): number[] {
  return sent.map(({ receiver, at }) => {
    const time = arrived.get(receiver);
    if (time === undefined) throw new Error(`${receiver} has not arrived`);
    return Math.max(0, time - at) / 1_000;
  });
}

/**
 * Sends singles while so many messages of a first organisation drain; a second one has nothing waiting.
 * @returns the p95 from acknowledgement to the sink, in seconds, of each list of singles.
 */
async function whileDraining(
  count: number,
  priority: string,
  send: (stage: Stage, first: Organisation, second: Organisation) => Promise<Sent[][]>,
): Promise<number[]> {
  const stage = await setStage();
  try {
    const first = await stage.addOrganisation('Courtage');
    const second = await stage.addOrganisation('Université');
    await stage.startWorker();
    await stage.pause(first);
    await stage.makeMessages(first, 0, count, { priority });
    await stage.settleDown();
    await stage.sink.reset(0);
    await stage.resume(first);
    const lists = await send(stage, first, second);
    // Else nothing was measured.
    if ((await stage.count(first, 'V')) === 0) throw new Error('the others had drained before the last single');
    await stage.drained(first);
    await stage.drained(second);
    const { mails, arrivals } = await stage.sink.report();
    check('mails in the sink', mails, count + lists.flat().length);
    return lists.map((sent) => percentile(secondsToSink(new Map(arrivals), sent), 0.95));
  } finally {
    await stage.close();
  }
}

const absolute = (name: string, ours = Number.NaN): Result => ({ name, ours, against: null, ratio: null, unit: 's' });

/** p95 from acknowledgement to the sink of urgent messages while bulk drains, on the same account and another one. */
export async function urgent(run: Run): Promise<Result[]> {
  const [bulk, count] = run.quick ? [1_500, 5] : [50_000, 60];
  const options = { count, everyMs: run.quick ? 20 : 100, priority: 'urgent' };
  const [same, other] = await whileDraining(bulk, 'bulk', (stage, first, second) =>
    Promise.all([
      sendSingles(stage, first, { ...options, name: 'same' }),
      sendSingles(stage, second, { ...options, name: 'other' }),
    ]),
  );
  return [absolute('urgent, same account', same), absolute('urgent, another tenant', other)];
}

/** p95 from acknowledgement to the sink of normal messages of one tenant while another has 50,000 waiting. */
export async function fair(run: Run): Promise<Result> {
  const [waiting, count] = run.quick ? [1_500, 5] : [50_000, 60];
  const options = { count, everyMs: run.quick ? 20 : 150, priority: 'normal', name: 'fair' };
  const [seconds] = await whileDraining(waiting, 'normal', async (stage, _first, second) => [
    await sendSingles(stage, second, options),
  ]);
  return absolute('fair', seconds);
}
