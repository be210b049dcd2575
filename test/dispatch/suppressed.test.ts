import t from 'tap';
import { done } from '../support/broker.ts';
import { mail, startPeople } from '../support/people.ts';
import { addDispatcher, receiverOf, type Sending, startSending } from '../support/sending.ts';

t.setTimeout(600_000);

const minutes = 60_000;
const manual = { validation: 'manual' };
const stopped = { status: 'B', reason: 'suppressed' };
const to = (address: string, more: object = {}) => ({ to: { address }, data: { name: 'N' }, ...more });

/** Suppresses an address. @returns what was made. */
const suppress = (service: Sending, address: string, cause = 'manual') =>
  done(service.post('/v1/suppressions', { address, cause }));
const lift = (service: Sending, { id }: { id: string }) => service.inject('DELETE', `/v1/suppressions/${id}`);
const received = ({ sink }: Sending) => sink.mails.map(receiverOf).sort();

t.test('at intake a message to a suppressed address is B, in any spelling, whoever has the address', async (t) => {
  const service = await startSending(t, { notificationType: 'notice' });
  await suppress(service, 'ann@bücher.test');
  const path = '/v1/recipients/external:client:C-1';
  const addresses = [{ kind: 'mail', value: 'Ann@Bücher.test' }];
  const person = await done(service.inject('PUT', path, { body: { displayName: 'Ann', addresses } }));
  const choices = [{ notificationType: 'notice', channel: 'mail', accepted: true }];
  await done(service.inject('PUT', `${path}/choices`, { body: { choices } }));
  const spellings = ['ann@bücher.test', 'ANN@BÜCHER.TEST', 'Ann@xn--bcher-kva.test', 'ann@XN--BCHER-KVA.test'];
  const rows = [
    ...spellings.map((one) => to(one)),
    { recipient: person.id, data: { name: 'Ann' } },
    to('bob@people.test'),
  ];
  const { id, messages } = await service.send(rows);
  for (const message of messages.slice(0, -1)) t.match(await service.message(message), stopped);
  t.match(await service.message(messages[0] ?? ''), { reasonText: /not to be written to/ });
  t.match(await service.counts(id), { created: 6, B: 5, V: 1 });
  await service.work();
  t.same(received(service), ['bob@people.test']);
  t.strictSame(await service.moves(messages[0] ?? ''), ['·→B suppressed']);

  const off = [{ notificationType: 'notice', channel: 'mail', accepted: false }];
  await done(service.inject('PUT', `${path}/choices`, { body: { choices: off } }));
  const [again = ''] = (await service.send([to('ann@bücher.test')])).messages;
  t.match(await service.message(again), stopped, 'it comes before the choice');
  const tried = await service.send([to('ann@bücher.test')], {}, { key: service.tenant.testKey });
  t.match(await service.message(tried.messages[0] ?? ''), { ...stopped, test: true }, 'a test message is no exception');
});

t.test('a dead mailbox gives way to another address of the record; what somebody refused does not', async (t) => {
  const service = await startPeople(t);
  const { put, write, arrived, post } = service;
  const dead = (name: string, more: object = {}) => mail(`dead.${name}@people.test`, { preferred: true, ...more });
  const [no, suppressed] = [{ acceptsContact: false }, 'B suppressed'];
  await put('client:two', { addresses: [dead('two'), mail('two@people.test')] });
  await put('client:one', { addresses: [dead('one')] });
  await put('client:no', { addresses: [dead('no'), mail('no@people.test', no)] });
  await put('client:asked', { addresses: [dead('asked'), mail('asked@people.test')] });
  await put('member:1', { addresses: [dead('member')] });
  await put('dependant:1', { householdOf: 'external:member:1', addresses: [mail('child@people.test')] });
  await put('student:1', {
    addresses: [dead('student', { role: 'personal' }), mail('uni@people.test', { role: 'institutional' })],
  });
  for (const name of ['two', 'one', 'no', 'member', 'student']) {
    await done(post('/v1/suppressions', { address: `dead.${name}@people.test`, cause: 'bounce' }));
  }
  await done(post('/v1/suppressions', { address: 'dead.asked@people.test', cause: 'unsubscribed' }));
  const people = ['two', 'one', 'no', 'asked'].map((name) => `client:${name}`);
  const { outcomes } = await write([...people, 'dependant:1', { to: { address: 'dead.two@people.test' } }]);
  t.same(outcomes, ['OK', suppressed, suppressed, suppressed, 'OK', suppressed]);
  t.same(arrived().sort(), ['child@people.test', 'two@people.test']);
  t.same((await write(['student:1'], { addressPolicy: 'both' })).outcomes, ['OK'], 'both: each that is not dead');
  t.same((await write(['client:two'], { addressPolicy: 'role:none' })).outcomes, ['KO address_missing']);
  t.same(arrived(), ['uni@people.test']);
  await done(post('/v1/suppressions', { address: 'uni@people.test', cause: 'bounce' }));
  const both = await write(['student:1'], { addressPolicy: 'both' });
  t.same(both.outcomes, [suppressed, suppressed], 'nothing is left: as without any other');
});

t.test('what waits in E or V is stopped at once, and nobody validates over it', async (t) => {
  const service = await startSending(t);
  const later = { sendAt: '2026-12-01T09:00:00Z' };
  const waiting = await service.send([to('ann@people.test'), to('bob@people.test')], manual);
  const planned = await service.send([to('Ann@people.test'), to('bob@people.test')], later);
  const queued = await service.send([to('ANN@people.test')]);
  const tested = await service.send([to('ann@people.test')], manual, { key: service.tenant.testKey });
  const copied = await service.send([to('cid@people.test', { cc: [{ address: 'ann@people.test' }] })], manual);
  const other = await service.addTenant('Mutuelle Armor');
  const theirs = { address: 'ann@people.test', cause: 'manual' };
  const elsewhere = await service.post('/v1/suppressions', theirs, { key: other.key });
  t.match(elsewhere, { status: 201, body: { blocked: 0 } }, 'another tenant stops nothing here');

  const made = await suppress(service, 'ann@people.test');
  t.match(made, { blocked: 4, beingSent: 0 });
  for (const { messages } of [waiting, planned, queued, tested]) {
    t.match(await service.message(messages[0] ?? ''), { ...stopped, delivery: 'none' });
  }
  t.strictSame(await service.moves(planned.messages[0] ?? ''), ['·→V', 'V→B suppressed']);
  t.match(await service.message(waiting.messages[1] ?? ''), { status: 'E' }, 'others wait on');
  t.match(await service.message(copied.messages[0] ?? ''), { status: 'E' });
  for (const { messages } of [waiting, planned]) {
    const refused = { status: 409, body: { code: 'blocked_by_rule', currentStatus: 'B', reason: 'suppressed' } };
    t.match(await service.post(`/v1/messages/${messages[0]}/validate`, {}), refused);
  }
  await service.work();
  t.same(received(service), [], 'nothing has left');
  const blocked = (await service.events('message.blocked')).filter(({ data }) => data.reason === 'suppressed');
  t.equal(blocked.length, 4);

  t.equal((await lift(service, made)).status, 204);
  await service.work();
  t.match(await service.message(queued.messages[0] ?? ''), stopped, 'lifting changes nothing by itself');
  await done(service.post(`/v1/messages/${queued.messages[0]}/validate`, {}));
  await service.work();
  t.same(received(service), ['ANN@people.test']);
  t.strictSame(await service.moves(queued.messages[0] ?? ''), ['·→V', 'V→B suppressed', 'B→V', 'V→OK']);
});

t.test('a correction to a suppressed address stops an E, and a KO cannot be sent again to one', async (t) => {
  const service = await startSending(t);
  await suppress(service, 'ann@people.test');
  const { messages } = await service.send([to('bob@people.test'), to('no address')], manual);
  const [waiting = '', failed = ''] = messages;
  for (const message of messages) {
    const ask = { body: { to: { address: 'Ann@People.test' } }, headers: { 'if-match': '*' } };
    await done(service.inject('PATCH', `/v1/messages/${message}`, ask));
  }
  t.match(await service.message(waiting), stopped);
  const refused = { status: 409, body: { code: 'blocked_by_rule', reason: 'suppressed' } };
  t.match(await service.post(`/v1/messages/${failed}/resend`, {}), refused);
  t.match(await service.message(failed), { status: 'KO' });
});

t.test('a copy that is suppressed is left out, the archive too, while the message leaves', async (t) => {
  const archive = 'archive@broker.test';
  const service = await startSending(t, { archiveBcc: [archive] });
  const copies = {
    cc: [{ address: 'Ann@people.test' }, { address: 'cid@people.test' }],
    bcc: [{ address: 'dan@people.test' }],
  };
  const waiting = await service.send([to('bob@people.test', copies)], { ...manual });
  for (const one of ['ann@people.test', 'dan@people.test', archive]) await suppress(service, one);
  const { messages } = await service.send([to('eva@people.test', copies)]);
  const outcome = (message: { copies: { address: string; outcome: string; reason: string | null }[] }) =>
    message.copies.map(({ address, outcome, reason }) => [address.toLowerCase(), outcome, reason]);
  t.same(outcome(await service.message(messages[0] ?? '')), [
    ['ann@people.test', 'blocked', 'suppressed'],
    ['cid@people.test', 'pending', null],
    ['dan@people.test', 'blocked', 'suppressed'],
    [archive, 'blocked', 'suppressed'],
  ]);
  await done(service.post(`/v1/messages/${waiting.messages[0]}/validate`, {}));
  await service.work();
  t.same(received(service), ['bob@people.test', 'cid@people.test', 'cid@people.test', 'eva@people.test']);
  t.match(await service.message(waiting.messages[0] ?? ''), { status: 'OK', reason: null });
  t.same(
    outcome(await service.message(waiting.messages[0] ?? '')).map(([, what]) => what),
    ['skipped', 'accepted', 'skipped', 'skipped'],
  );
});

t.test('suppressed between the claim and the leaving, it is not sent; the others of its window are', async (t) => {
  const service = await startSending(t);
  const { messages } = await service.send(
    [to('ann@people.test'), to('bob@people.test'), to('cid@people.test', { cc: [{ address: 'dan@people.test' }] })],
    { priority: 'urgent' },
  );
  let made: { blocked: number; beingSent: number } | null = null;
  const dispatcher = await addDispatcher(t, service, async (step) => {
    if (step !== 'settle.begin' || made !== null) return;
    made = { blocked: -1, beingSent: -1 };
    made = await suppress(service, 'ann@people.test');
    await suppress(service, 'dan@people.test');
  });
  t.equal(await dispatcher.pass(), 3, 'all three were claimed');
  t.match(made, { blocked: 1, beingSent: 0 });
  t.same(received(service), ['bob@people.test', 'cid@people.test']);
  t.match(await service.message(messages[0] ?? ''), { ...stopped, attemptCount: 0 });
  t.match(await service.message(messages[2] ?? ''), {
    status: 'OK',
    copies: [{ outcome: 'skipped', reason: 'suppressed' }],
  });
});

t.test('stored after its address was suppressed, by an intake that had looked before, it does not leave', async (t) => {
  const service = await startSending(t);
  const { prepare } = service.runtime.addressHashes;
  await prepare(service.runtime.db, service.tenant.id);
  // Behind the back of the verb that stops what waits: as if the message had not been stored yet.
  const { messages } = await service.send([to('ann@people.test')]);
  const { createSuppression } = await import('../../src/suppressions/store.ts');
  const given = { channel: 'mail', address: 'ann@people.test', cause: 'bounce', since: null, note: null } as const;
  const target = { tenantId: service.tenant.id, actor: { kind: 'service' } } as const;
  await service.runtime.db.transaction((tx) => createSuppression(service.runtime, tx, target, given));
  await service.work();
  t.same(received(service), []);
  t.strictSame(await service.moves(messages[0] ?? ''), ['·→V', 'V→B suppressed']);
  t.match(await service.message(messages[0] ?? ''), { ...stopped, attemptCount: 0 });
});

t.test('being sent when it is suppressed: that try ends, and there is no other', async (t) => {
  const reached = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const service = await startSending(t, {
    settings: { timeouts: { answerSeconds: 15 } },
    sink: {
      async respond(step) {
        if (step !== 'body') return undefined;
        reached.resolve();
        await answer.promise;
        return { code: 451, text: '4.3.0 Later' };
      },
    },
  });
  const { messages } = await service.send([to('ann@people.test')]);
  const working = service.work();
  await reached.promise;
  t.match(await suppress(service, 'ann@people.test'), { blocked: 0, beingSent: 1 });
  answer.resolve();
  await working;
  t.match(await service.message(messages[0] ?? ''), { status: 'V', delivery: 'waiting', attemptCount: 1 });
  service.clock.advance(2 * minutes);
  await service.work();
  t.match(await service.message(messages[0] ?? ''), { ...stopped, attemptCount: 1 });
});

t.test('more messages than one step are stopped, in one go', async (t) => {
  const service = await startSending(t);
  const rows = Array.from({ length: 1_203 }, () => to('ann@people.test'));
  const { id } = await service.send([...rows, to('bob@people.test')], manual);
  t.match(await suppress(service, 'ann@people.test'), { blocked: 1_203 });
  t.match(await service.counts(id), { created: 1_204, B: 1_203, E: 1 });
});
