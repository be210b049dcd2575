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

async function secondsToSink(stage: Stage, sent: readonly Sent[]): Promise<number[]> {
  const { arrivals } = await stage.sink.report();
  const arrived = new Map(arrivals);
  return sent.map(({ receiver, at }) => {
    const time = arrived.get(receiver);
    if (time === undefined) throw new Error(`${receiver} has not arrived`);
    return Math.max(0, time - at) / 1_000;
  });
}

/** Whether something was left to drain when the last single was sent: else nothing was measured. */
async function stillDraining(stage: Stage, organisation: Organisation): Promise<void> {
  if ((await stage.count(organisation, 'V')) === 0) throw new Error('the others had drained before the last single');
}

/** p95 from acknowledgement to the sink of urgent messages while bulk drains, on the same account and another one. */
export async function urgent(run: Run): Promise<Result[]> {
  const stage = await setStage();
  const [bulk, singles] = run.quick ? [1_500, 5] : [50_000, 60];
  try {
    const first = await stage.addOrganisation('Courtage');
    const second = await stage.addOrganisation('Université');
    await stage.startWorker();
    await stage.pause(first);
    await stage.makeMessages(first, 0, bulk, { priority: 'bulk' });
    await stage.settleDown();
    await stage.sink.reset(0);
    await stage.resume(first);
    const options = { count: singles, everyMs: run.quick ? 20 : 100, priority: 'urgent' };
    const [same, other] = await Promise.all([
      sendSingles(stage, first, { ...options, name: 'same' }),
      sendSingles(stage, second, { ...options, name: 'other' }),
    ]);
    await stillDraining(stage, first);
    await stage.drained(first);
    await stage.drained(second);
    const result = async (name: string, sent: Sent[]): Promise<Result> => {
      const ours = percentile(await secondsToSink(stage, sent), 0.95);
      return { name, ours, against: null, ratio: null, unit: 's' };
    };
    check('mails in the sink', (await stage.sink.report()).mails, bulk + 2 * singles);
    return [await result('urgent, same account', same), await result('urgent, another tenant', other)];
  } finally {
    await stage.close();
  }
}

/** p95 from acknowledgement to the sink of normal messages of one tenant while another has 50,000 waiting. */
export async function fair(run: Run): Promise<Result> {
  const stage = await setStage();
  const [waiting, singles] = run.quick ? [1_500, 5] : [50_000, 60];
  try {
    const first = await stage.addOrganisation('Courtage');
    const second = await stage.addOrganisation('Université');
    await stage.startWorker();
    await stage.pause(first);
    await stage.makeMessages(first, 0, waiting);
    await stage.settleDown();
    await stage.sink.reset(0);
    await stage.resume(first);
    const everyMs = run.quick ? 20 : 150;
    const sent = await sendSingles(stage, second, { count: singles, everyMs, priority: 'normal', name: 'fair' });
    await stillDraining(stage, first);
    await stage.drained(first);
    await stage.drained(second);
    check('mails in the sink', (await stage.sink.report()).mails, waiting + singles);
    const ours = percentile(await secondsToSink(stage, sent), 0.95);
    return { name: 'fair', ours, against: null, ratio: null, unit: 's' };
  } finally {
    await stage.close();
  }
}
