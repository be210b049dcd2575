import { people, receiverOf, startSending } from '../support/sending.ts';
import type { SinkAction, SinkStep } from '../support/smtp-sink.ts';
import { type Findings, must } from './ledger.ts';
import type { Random } from './random.ts';

const messages = 60;
const steps: readonly SinkStep[] = ['connect', 'ehlo', 'mail', 'rcpt', 'data', 'bodyStart', 'body'];
const angers: readonly [SinkAction, ...SinkAction[]] = [
  { code: 451, text: '4.3.0 Not now' },
  { code: 452, text: '4.5.3 Too many' },
  { code: 550, text: '5.1.1 Unknown' },
  { code: 554, text: '5.7.1 Refused' },
  { code: 421, text: '4.3.2 Going down' },
  'cut',
];

/**
 * A mail server that refuses, hangs and cuts at every stage. Each message ends `OK` and arrived once, or `KO` and never
 * arrived, or is held because the content had been written: nothing is lost and nothing comes twice.
 */
export async function angryServer(t: { teardown(fn: () => unknown): void }, random: Random): Promise<Findings> {
  let hangs = 3;
  const service = await startSending(t, {
    account: { onUncertain: 'hold', rhythm: { concurrency: 4 } },
    sink: {
      respond(step) {
        if (!steps.includes(step) || random.whole(1, 12) > 1) return undefined;
        if (hangs > 0 && random.whole(1, 8) === 1) {
          hangs -= 1;
          return 'hang';
        }
        const anger = random.pick(angers);
        // Before the greeting and in the middle of the content a server can only hang up.
        return step === 'connect' || step === 'bodyStart' ? 'cut' : anger;
      },
    },
  });
  const rows = people(messages);
  const { id, messages: ids } = await service.send(rows);
  for (let turn = 0; turn < 60; turn += 1) {
    await service.work();
    if ((await service.counts(id)).V === 0) break;
    // A refusal of the greeting is the account's trouble: a person looks, and lets it go on.
    await service.post(`/v1/channel-accounts/${service.accountId}/resume`);
    service.clock.advance(70 * 60_000);
  }
  const arrived = Map.groupBy(service.sink.mails, receiverOf);
  const findings = { accepted: messages, sent: 0, refused: 0, duplicates: 0, uncertain: 0 };
  for (const [index, message] of ids.entries()) {
    const { status, reason } = await service.message(message);
    const mails = arrived.get(rows[index]?.to.address ?? '')?.length ?? 0;
    must(mails <= 1, `a message came ${mails} times`);
    must(status !== 'V', 'a message is tried for ever');
    if (status === 'OK') must(mails === 1, 'a message is OK and never arrived');
    if (status === 'KO' && reason !== 'outcome_unknown') must(mails === 0, `a message is KO ${reason} and arrived`);
    if (status === 'OK') findings.sent += 1;
    else if (reason === 'outcome_unknown') findings.uncertain += 1;
    else findings.refused += 1;
  }
  return findings;
}
