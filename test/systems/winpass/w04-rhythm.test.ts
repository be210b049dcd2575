import t from 'tap';
import { act, client, edit, startBroker, statusesOf } from '../../support/broker.ts';
import { realClock, startWorker, until } from '../../support/workers.ts';

t.setTimeout(600_000);

/** Claim loops of a worker: urgent messages have their own. */
const claimLoops = 2;

/** Stops a worker after each claim, so that each of three is sure to hold a part of the messages. */
function createGate() {
  let reached = 0;
  let open = () => {};
  let closed = new Promise<void>((resolve) => {
    open = resolve;
  });
  let standing = true;
  return {
    reached: () => reached,
    /** Lets every loop go on to its next claim. */
    turn() {
      const release = open;
      closed = new Promise((resolve) => {
        open = resolve;
      });
      release();
    },
    openForGood() {
      standing = false;
      open();
    },
    async probe(step: string) {
      if (step !== 'claimed' || !standing) return;
      reached += 1;
      await closed;
    },
  };
}

t.test('W4 · 800 ms pass between two sends, over three workers that all have messages to send', async (t) => {
  const rhythm = { waitAfterSendMs: 800 };
  const { service, sink } = await startBroker(t, { clock: realClock, rhythm, archiveBcc: [] });
  const clients = Array.from({ length: 9 }, (_, n) => client(n));
  const ids = await edit(service, clients);
  const gates = [createGate(), createGate(), createGate()];
  for (const gate of gates) await startWorker(t, service, gate.probe);
  await until('all workers have claimed nothing', () => gates.every((gate) => gate.reached() === claimLoops));

  const queued = async () => {
    const { body } = await service.inject('GET', '/v1/messages?status=V&limit=100');
    return body.items.filter(({ delivery }: { delivery: string }) => delivery === 'queued').length;
  };
  for (const [index, gate] of gates.entries()) {
    await act(service, 'validate', ids.slice(index * 3, index * 3 + 3));
    await until('three more are released', async () => (await queued()) === (index + 1) * 3);
    gate.turn();
    await until('they are claimed', () => gate.reached() === 2 * claimLoops);
  }
  t.same(sink.mails, [], 'nothing leaves while the workers stand');
  for (const gate of gates) gate.openForGood();

  const mails = [...(await sink.waitFor(9, 40_000))];
  t.same(new Set(mails.map(({ envelope }) => envelope.to[0])).size, 9, 'every client gets one');
  t.equal(
    new Set(mails.map(({ connection }) => connection)).size,
    3,
    'each worker sent its part, by its own connection',
  );
  const gaps = mails.slice(1).map(({ arrivedAt }, index) => arrivedAt - (mails[index]?.arrivedAt ?? 0));
  t.ok(
    gaps.every((gap) => gap >= 800),
    `the gaps at the mail server are ${gaps.join(', ')} ms`,
  );
  // Slower than its rhythm it need not be: a hand-over between workers costs a look, not a minute.
  t.ok(Math.max(...gaps) < 8_000, 'the robot does not stand still between two of them');
  await until('all are known as sent', async () => (await statusesOf(service, ids)).every((status) => status === 'OK'));
  t.equal(sink.mails.length, 9, 'nobody gets a second copy');
});
