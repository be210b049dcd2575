import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { createReleaser } from '../../src/dispatch/release/release.ts';
import { addDispatcher, people, receiverOf, type Sending, startSending } from '../support/sending.ts';
import { type Findings, must } from './ledger.ts';
import type { Random } from './random.ts';

const messages = 40;

const release = ({ runtime }: Sending) => createReleaser(runtime).release();

/**
 * People block, cancel and correct messages while a worker has claimed them, at every step before the hand-over.
 * Nothing leaves from `B`; who is refused is told that it is being sent, and then it was.
 */
export async function racesWithClaim(t: { teardown(fn: () => unknown): void }, random: Random): Promise<Findings> {
  const service = await startSending(t, { account: { rhythm: { concurrency: 3 } } });
  const rows = people(messages);
  const { id, messages: ids } = await service.send(rows);
  const other = await service.send(people(5, 'cancelled.test'));
  const third = await service.send(people(8, 'in-flight.test'));
  let cancelledInFlight: { blocked: number; refused: { code: string }[] } | null = null;
  let cancelling = false;
  const blocked = new Set<string>();
  const beingSent = new Set<string>();
  let cancelled = false;
  const act = async (): Promise<void> => {
    const message = ids[random.whole(0, ids.length - 1)] ?? '';
    if (!cancelled && random.whole(1, 10) === 1) {
      cancelled = true;
      await service.post(`/v1/send-requests/${other.id}/cancel`, {}, { headers: { 'idempotency-key': randomUUID() } });
      return;
    }
    const answer = await service.post(`/v1/messages/${message}/block`, {});
    if (answer.status === 200) blocked.add(message);
    else if (answer.body.code === 'being_sent') beingSent.add(message);
    else must(answer.body.code === 'illegal_move', `a block was answered ${answer.status} ${answer.body.code}`);
  };
  /** Cancels the third request while some of it is being sent, whenever that is. */
  const cancelInFlight = async (): Promise<void> => {
    const inFlight = await service.execute(sql`
      select 1 from messages where send_request_id = ${third.id}::uuid and dispatch_state = 'sending'`);
    if (cancelling || inFlight.length === 0) return;
    cancelling = true;
    const headers = { 'idempotency-key': randomUUID() };
    const answer = await service.post(`/v1/send-requests/${third.id}/cancel`, {}, { headers });
    must(answer.status === 200, `a cancellation was answered ${answer.status} ${answer.body.code}`);
    cancelledInFlight = answer.body as { blocked: number; refused: { code: string }[] };
  };
  const dispatcher = await addDispatcher(t, service, async (step) => {
    if (step === 'handover.begin') await cancelInFlight();
    if (step === 'fetched' || step === 'window.opened' || step === 'handover.begin') await act();
  });
  for (let turn = 0; turn < 20; turn += 1) {
    await release(service);
    await dispatcher.pass();
    const left = await Promise.all([id, other.id, third.id].map(async (request) => (await service.counts(request)).V));
    if (left.every((count) => count === 0)) break;
    service.clock.advance(1_000);
  }
  const arrived = new Set(service.sink.mails.map(receiverOf));
  for (const [index, message] of ids.entries()) {
    const receiver = rows[index]?.to.address ?? '';
    const { status } = await service.message(message);
    must(status === (blocked.has(message) ? 'B' : 'OK'), `a message ended ${status}`);
    must(
      arrived.has(receiver) !== blocked.has(message),
      `a message in ${status} ${arrived.has(receiver) ? 'left' : 'did not leave'}`,
    );
    if (beingSent.has(message)) must(arrived.has(receiver), 'a message was "being sent" and never left');
  }
  for (const [index, message] of other.messages.entries()) {
    const left = arrived.has(`p${index}@cancelled.test`);
    const { status } = await service.message(message);
    must(
      left === (status === 'OK'),
      `a message of the cancelled request in ${status} ${left ? 'left' : 'did not leave'}`,
    );
  }
  must(blocked.size > 0, 'nothing was blocked');
  const { blocked: stopped, refused } = cancelledInFlight ?? { blocked: 0, refused: [] };
  must(refused.length > 0 && refused.every(({ code }) => code === 'being_sent'), 'nothing was being sent');
  const inFlight = [...arrived].filter((receiver) => receiver.endsWith('@in-flight.test')).length;
  must(inFlight === third.messages.length - stopped, `${inFlight} left though ${stopped} were stopped`);
  const accepted = messages + other.messages.length + third.messages.length;
  return { accepted, sent: arrived.size, refused: accepted - arrived.size, duplicates: 0, uncertain: 0 };
}
