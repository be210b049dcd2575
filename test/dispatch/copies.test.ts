import t from 'tap';
import { done } from '../support/broker.ts';
import { messageIdOf, people, receiverOf, startSending } from '../support/sending.ts';
import type { SinkAction } from '../support/smtp-sink.ts';

const minutes = 60_000;
const row = {
  ...people(1)[0],
  cc: [{ address: 'cc@people.test', name: 'Cc' }],
  bcc: [{ address: 'bcc@people.test' }],
};
const all = ['archive@broker.test', 'bcc@people.test', 'cc@people.test', 'p0@people.test'];

/** Outcomes of a message's copies by address. */
const outcomes = (message: { copies: { address: string; outcome: string }[] }) =>
  Object.fromEntries(message.copies.map(({ address, outcome }) => [address.split('@')[0], outcome]));

/** A sink that answers RCPT by its address, as often as the list is long. */
const byReceiver = (script: Record<string, SinkAction[]>) => ({
  respond: (step: string, { command }: { command: string }) => {
    const name = /<([^@>]+)@/.exec(command)?.[1] ?? '';
    return step === 'rcpt' ? script[name]?.shift() : undefined;
  },
});

t.test('cc, bcc and archive leave each in a transaction of their own, the same mail byte for byte', async (t) => {
  const service = await startSending(t, { archiveBcc: ['archive@broker.test'] });
  const [id = ''] = (await service.send([row])).messages;
  await service.work();
  const { mails } = service.sink;
  t.strictSame(mails.map(receiverOf).toSorted(), all);
  t.ok(mails.every(({ envelope }) => envelope.to.length === 1));
  t.equal(receiverOf(mails[0] as never), 'p0@people.test', 'the to comes first');
  t.equal(new Set(mails.map(({ raw }) => raw.toString())).size, 1);
  t.equal(new Set(mails.map(messageIdOf)).size, 1);
  t.notMatch(mails[0]?.raw.toString(), /bcc@people|archive@/, 'hidden copies are not named');
  const message = await service.message(id);
  t.match(message, { status: 'OK', attemptCount: 1 });
  t.strictSame(outcomes(message), { cc: 'accepted', bcc: 'accepted', archive: 'accepted' });
  const [attempt] = await service.attempts(id);
  t.strictSame(
    attempt.copies.map(({ outcome, code }: { outcome: string; code: number }) => `${outcome} ${code}`),
    Array.from({ length: 3 }, () => 'accepted 250'),
  );
});

t.test('a copy that is refused does not fail the message, and is told', async (t) => {
  const service = await startSending(t, {
    archiveBcc: ['archive@broker.test'],
    sink: byReceiver({ cc: [{ code: 550, text: '5.1.1 Unknown' }] }),
  });
  const [id = ''] = (await service.send([row])).messages;
  await service.work();
  const message = await service.message(id);
  t.match(message, { status: 'OK', reason: null });
  t.strictSame(outcomes(message), { cc: 'failed', bcc: 'accepted', archive: 'accepted' });
  t.match(
    message.copies.find(({ kind }: { kind: string }) => kind === 'cc'),
    { reason: 'mailbox_unknown', code: 550 },
  );
  t.match(await service.events('message.copy-failed'), [{ resourceId: id }]);
  service.clock.advance(48 * 60 * minutes);
  await service.work();
  t.equal(service.sink.mails.length, 3, 'nothing is sent again');
});

t.test('a copy that is refused for now is tried again alone', async (t) => {
  const service = await startSending(t, {
    archiveBcc: ['archive@broker.test'],
    sink: byReceiver({
      bcc: [
        { code: 451, text: '4.3.0 Later' },
        { code: 451, text: '4.3.0 Later' },
      ],
    }),
  });
  const { id: request, messages } = await service.send([row]);
  const [id = ''] = messages;
  await service.work();
  t.match(await service.message(id), { status: 'OK' });
  t.strictSame(outcomes(await service.message(id)), { cc: 'accepted', bcc: 'pending', archive: 'accepted' });
  t.match(await service.counts(request), { created: 1, OK: 1 });
  service.clock.advance(50_000);
  await service.work();
  t.equal((await service.attempts(id)).length, 1, 'not before a minute');
  for (let turn = 0; turn < 2; turn += 1) {
    service.clock.advance(10 * minutes);
    await service.work();
  }
  t.strictSame(outcomes(await service.message(id)), { cc: 'accepted', bcc: 'accepted', archive: 'accepted' });
  t.strictSame(service.sink.mails.map(receiverOf).toSorted(), all, 'each exactly once');
  const attempts = await service.attempts(id);
  t.strictSame(
    attempts.map(({ copies }) => copies.length),
    [3, 1, 1],
  );
  t.strictSame(await service.moves(id), ['·→V', 'V→OK'], 'the message itself did not move');
});

t.test('a copy that is never taken is given up after a day; the message stays OK', async (t) => {
  const service = await startSending(t, {
    sink: byReceiver({ bcc: Array.from({ length: 100 }, () => ({ code: 451, text: '4.3.0 Later' })) }),
  });
  const [id = ''] = (await service.send([row])).messages;
  for (let turn = 0; turn < 30; turn += 1) {
    await service.work();
    service.clock.advance(70 * minutes);
  }
  const message = await service.message(id);
  t.match(message, { status: 'OK' });
  t.strictSame(outcomes(message), { cc: 'accepted', bcc: 'failed' });
  t.equal((await service.events('message.copy-failed')).length, 1);
  t.equal(service.sink.mails.length, 2);
});

t.test('a to that is refused takes its copies with it; sent again, only what was not accepted leaves', async (t) => {
  const service = await startSending(t, { sink: byReceiver({ p0: [{ code: 550, text: '5.1.1 Unknown' }] }) });
  const [id = ''] = (await service.send([row])).messages;
  await service.work();
  t.match(await service.message(id), { status: 'KO', reason: 'mailbox_unknown' });
  t.strictSame(outcomes(await service.message(id)), { cc: 'skipped', bcc: 'skipped' });
  t.equal(service.sink.mails.length, 0, 'no copy of what did not leave');
  await done(service.post(`/v1/messages/${id}/resend`, {}));
  await service.work();
  t.match(await service.message(id), { status: 'OK' });
  t.strictSame(service.sink.mails.map(receiverOf).toSorted(), all.slice(1));
});

/** Keeps a person with this address and what they chose. */
async function keepPerson(service: Awaited<ReturnType<typeof startSending>>, address: string, accepted: boolean) {
  const path = `/v1/recipients/external:client:${address.split('@')[0]}`;
  const body = { displayName: address, addresses: [{ kind: 'mail', value: address }] };
  await done(service.inject('PUT', path, { body }));
  const choices = [{ notificationType: 'box', channel: 'mail', accepted, source: 'test' }];
  await done(service.inject('PUT', `${path}/choices`, { body: { choices } }));
}

t.test('a copy to a person who refused is left out', async (t) => {
  const service = await startSending(t, { notificationType: 'box' });
  await keepPerson(service, 'cc@people.test', false);
  const [id = ''] = (await service.send([row])).messages;
  await service.work();
  const message = await service.message(id);
  t.match(message, { status: 'OK' });
  t.strictSame(outcomes(message), { cc: 'blocked', bcc: 'accepted' });
  t.strictSame(service.sink.mails.map(receiverOf).toSorted(), ['bcc@people.test', 'p0@people.test']);
  t.notMatch(service.sink.mails[0]?.raw.toString(), /cc@people/, 'and is not named');
});

t.test('a person who refuses while their copy waits for another try gets none', async (t) => {
  const service = await startSending(t, {
    notificationType: 'box',
    sink: byReceiver({ cc: [{ code: 451, text: '4.3.0 Later' }] }),
  });
  await keepPerson(service, 'cc@people.test', true);
  const [id = ''] = (await service.send([row])).messages;
  await service.work();
  t.strictSame(outcomes(await service.message(id)), { cc: 'pending', bcc: 'accepted' });
  await keepPerson(service, 'cc@people.test', false);
  service.clock.advance(2 * minutes);
  await service.work();
  t.match(await service.message(id), { status: 'OK' });
  t.strictSame(outcomes(await service.message(id)), { cc: 'skipped', bcc: 'accepted' });
  t.strictSame(service.sink.mails.map(receiverOf).toSorted(), ['bcc@people.test', 'p0@people.test']);
});
