import { sql } from 'drizzle-orm';
import t from 'tap';
import { sweepDispatch } from '../../src/dispatch/release/lanes.ts';
import { addTemplate, done } from '../support/broker.ts';
import { uploadText } from '../support/documents.ts';
import { people, receiverOf, type Sending, setUpContent, smtpAccount, startSending } from '../support/sending.ts';
import { realClock, startWorker, until } from '../support/workers.ts';

t.setTimeout(600_000);

const minutes = 60_000;
const days = 24 * 60 * minutes;
const homeless = { status: 'V', reason: 'no_channel_account', delivery: 'waiting', channelAccount: null };

/** Does something while nobody can write to a table, so that who comes to it stands still there. */
async function whileLocked<Made>(service: Sending, table: string, work: () => Promise<Made>): Promise<Made> {
  const locked = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const holding = service.runtime.db.transaction(async (tx) => {
    await tx.execute(sql`lock table ${sql.identifier(table)} in share mode`);
    locked.resolve();
    await over.promise;
  });
  await Promise.race([locked.promise, holding]);
  try {
    return await work();
  } finally {
    over.resolve();
    await holding;
  }
}

/** Resolves when so many connections stand still for a lock. */
const standing = (service: Sending, count: number) =>
  until(`${count} stand still`, async () => {
    const [row] = await service.execute(sql`
      select count(*)::int as count from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`);
    return row?.count === count;
  });

/** As if the messages had been taken in while the tenant's first account was being made. */
async function takeHome(service: Sending, sendRequest: string): Promise<void> {
  await service.execute(sql`
    update messages set channel_account_id = null, reason = 'no_channel_account' where send_request_id = ${sendRequest}`);
  await service.execute(sql`delete from dispatch_lanes where send_request_id = ${sendRequest}`);
}

t.test('messages that were taken in while the first account was made are sent after the sweep', async (t) => {
  const service = await startSending(t, { account: null });
  const { id, messages } = await service.send(people(3));
  const urgent = await service.send(people(1), { priority: 'urgent' });
  const account = await done(service.post('/v1/channel-accounts', smtpAccount(service.sink)));
  for (const request of [id, urgent.id]) await takeHome(service, request);
  service.clock.advance(31_000);
  await service.work();
  t.equal(service.sink.mails.length, 0, 'they have no account');
  for (const message of [...messages, ...urgent.messages]) t.match(await service.message(message), homeless);
  t.equal(await sweepDispatch(service.runtime), 0, 'they were not lost');
  await service.work();
  t.match([await service.counts(id), await service.counts(urgent.id)], [{ created: 3, OK: 3 }, { OK: 1 }]);
  t.match(await service.message(messages[0] ?? ''), { status: 'OK', reason: null, channelAccount: account.id });
});

t.test('a request that is stored while the first account is made leaves after the sweep', async (t) => {
  const service = await startSending(t, { account: null });
  // It has looked for an account, and found none, when it comes to this table.
  const { sending } = await whileLocked(service, 'send_requests', async () => {
    const sending = service.send(people(2));
    await standing(service, 1);
    await done(service.post('/v1/channel-accounts', smtpAccount(service.sink)));
    return { sending };
  });
  const { id, messages } = await sending;
  await service.work();
  t.match(await service.message(messages[0] ?? ''), homeless);
  await sweepDispatch(service.runtime);
  await service.work();
  t.match(await service.counts(id), { created: 2, OK: 2 });
});

t.test('the sweep of a worker finds them by itself', async (t) => {
  const service = await startSending(t, { clock: realClock });
  const { id } = await service.send(people(2));
  await takeHome(service, id);
  await startWorker(t, service);
  await service.sink.waitFor(2);
  await until('both are settled', async () => (await service.counts(id)).OK === 2);
});

t.test('the sweep gives messages the account of their own tenant and kind only', async (t) => {
  const service = await startSending(t);
  const other = await service.addTenant('Autre cabinet');
  await setUpContent(service, { key: other.key });
  const theirs = await service.send(people(1, 'theirs.test'), {}, { key: other.key });
  const tried = await service.send(people(1, 'tried.test'), {}, { key: service.tenant.testKey });
  await takeHome(service, tried.id);
  await sweepDispatch(service.runtime);
  await service.work();
  const read = async (id: string, key: string) => done(service.inject('GET', `/v1/messages/${id}`, { key }));
  t.match(await read(theirs.messages[0] ?? '', other.key), homeless);
  t.match(await read(tried.messages[0] ?? '', service.tenant.testKey), { status: 'OK', test: true });
  t.equal(service.sink.mails.length, 0, 'neither leaves through the live account of another');
});

t.test('a message whose document is gone stops alone; the others of its window leave', async (t) => {
  const service = await startSending(t);
  const documents = await Promise.all(['kept', 'gone'].map((text) => uploadText(service, `${text}.txt`, text)));
  const cc = [{ address: 'copy@people.test' }];
  const rows = people(5).map((row, index) =>
    index === 2 ? { ...row, cc, documents: [documents[1]] } : { ...row, documents: [documents[0]] },
  );
  const { id, messages } = await service.send(rows);
  const message = messages[2] ?? '';
  await service.execute(sql`
    delete from document_contents where sha256 = (select sha256 from documents where id = ${documents[1]})`);
  await service.work();
  t.match(await service.counts(id), { created: 5, OK: 4, KO: 1 });
  t.match(await service.message(message), { status: 'KO', reason: 'content_gone', copies: [{ outcome: 'skipped' }] });
  t.match(await service.attempts(message), [{ outcome: 'permanent', step: 'prepare', reason: 'content_gone' }]);
  t.strictSame(await service.moves(message), ['·→V', 'V→KO content_gone']);
  t.match(service.sink.mails.map(receiverOf).toSorted().join(), /^p0@[^,]+,p1@[^,]+,p3@[^,]+,p4@[^,]+$/);
  await uploadText(service, 'again.txt', 'gone');
  await done(service.post(`/v1/messages/${message}/resend`, {}));
  await service.work();
  t.match(await service.message(message), { status: 'OK', copies: [{ outcome: 'accepted' }] });
});

t.test('messages whose text or sender is gone stop alone; the others of their window leave', async (t) => {
  const service = await startSending(t);
  const template = await addTemplate(service, { key: 'other' }, { subject: 'S', text: 'T', html: '<p>H</p>' });
  const sender = await done(service.post('/v1/senders', { key: 'second', fromAddress: 'second@broker.test' }));
  const { id } = await service.send(people(3), { template: undefined, templates: ['notice', 'other'] });
  const second = await service.send(people(2), { overrides: { sender: 'second' } });
  await service.execute(sql`delete from template_versions where template_id = ${template}`);
  await service.execute(sql`delete from sender_versions where sender_id = ${sender.id}`);
  await service.work();
  t.match(await service.counts(id), { created: 6, OK: 3, KO: 3 });
  t.match(await service.counts(second.id), { created: 2, KO: 2 });
  const { items } = await done(service.inject('GET', '/v1/messages?status=KO'));
  t.strictSame([...new Set(items.map(({ reason }: { reason: string }) => reason))], ['content_gone']);
  service.clock.advance(2 * days);
  await service.work();
  t.equal(service.sink.mails.length, 3, 'they are not tried again');
});

/** A message whose request was cancelled while the provider had it in hand, and answered "later" so many times. */
async function cancelledInFlight(t: { teardown(fn: () => unknown): void }, later = 1) {
  const reached = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  let left = later;
  const service = await startSending(t, {
    settings: { timeouts: { answerSeconds: 15 } },
    sink: {
      async respond(step) {
        if (step !== 'body' || left === 0) return undefined;
        left -= 1;
        reached.resolve();
        await answer.promise;
        return { code: 451, text: '4.3.0 Later' };
      },
    },
  });
  const { id, messages } = await service.send(people(1));
  const [message = ''] = messages;
  // Moves of one millisecond have no order.
  service.clock.advance(1_000);
  const working = service.work();
  await reached.promise;
  const cancelled = await done(service.post(`/v1/send-requests/${id}/cancel`));
  service.clock.advance(1_000);
  answer.resolve();
  await working;
  return { service, id, message, cancelled };
}

t.test('cancelled in flight, failed for now: there is no second try', async (t) => {
  const { service, id, message, cancelled } = await cancelledInFlight(t);
  t.match(cancelled, { blocked: 0, refused: [{ id: message, code: 'being_sent' }] });
  t.match(await service.message(message), { status: 'V', delivery: 'waiting', attemptCount: 1 });
  service.clock.advance(2 * minutes);
  await service.work();
  t.match(await service.message(message), { status: 'B', reason: 'cancelled', attemptCount: 1 });
  t.strictSame(await service.moves(message), ['·→V', 'V→B cancelled']);
  t.match(await service.attempts(message), [{ outcome: 'transient', finishedAt: String }]);
  t.match(await service.counts(id), { created: 1, B: 1 });
  service.clock.advance(2 * days);
  await service.work();
  t.equal(service.sink.mails.length, 0);
});

t.test('validated again by a person after the cancellation, it leaves, after another failure too', async (t) => {
  for (const later of [1, 2]) {
    const { service, message } = await cancelledInFlight(t, later);
    service.clock.advance(2 * minutes);
    await service.work();
    t.match(await service.message(message), { status: 'B', reason: 'cancelled' });
    await done(service.post(`/v1/messages/${message}/validate`, {}));
    await service.work();
    service.clock.advance(10 * minutes);
    await service.work();
    t.match(await service.message(message), { status: 'OK', reason: null, attemptCount: later + 1 }, `${later} times`);
    t.strictSame(await service.moves(message), ['·→V', 'V→B cancelled', 'B→V', 'V→OK']);
    t.equal(service.sink.mails.length, 1);
  }
});

type Kind = 'channel-accounts' | 'senders' | 'templates';

/** Something that a request pins: its path, and the part of a body that names it. */
async function makePinned(service: Sending, kind: Kind, key: string): Promise<{ path: string; body: object }> {
  if (kind === 'templates') {
    const id = await addTemplate(service, { key }, { subject: 'S', text: 'T', html: '<p>H</p>' });
    return { path: `/v1/templates/${id}`, body: { template: key } };
  }
  const made =
    kind === 'senders' ? { key, fromAddress: `${key}@broker.test` } : smtpAccount(service.sink, { isDefault: true });
  const { id } = await done(service.post(`/v1/${kind}`, made));
  const overrides = kind === 'senders' ? { sender: key } : {};
  return { path: `/v1/${kind}/${id}`, body: { template: 'notice', overrides } };
}

/** Posts a request, whatever the answer. */
const ask = (service: Sending, key: string, body: object) => {
  const request = { validation: 'automatic', recipients: people(10), ...body };
  return service.post('/v1/send-requests', request, { headers: { 'idempotency-key': key } });
};

/** Messages on their way that pin what no longer exists. */
const stranded = (service: Sending) =>
  service.execute(sql`
    select id from messages where status in ('E', 'V') and (
      not exists (select 1 from templates where templates.id = template_id and templates.deleted_at is null)
      or not exists (select 1 from senders where senders.id = sender_id)
      or channel_account_id is not null
        and not exists (select 1 from channel_accounts where channel_accounts.id = channel_account_id))`);

for (const kind of ['channel-accounts', 'senders', 'templates'] as const) {
  t.test(`${kind}: deleted before the messages are stored, the request is refused; after, the deletion`, async (t) => {
    const service = await startSending(t);
    const { path, body } = await makePinned(service, kind, 'first');
    const recipients = people(10).map((row, index) => ({ ...row, dedupeKey: `early-${index}` }));
    const early = await whileLocked(service, 'dedupe_keys', async () => {
      const asked = ask(service, 'early', { ...body, recipients });
      await standing(service, 1);
      t.equal((await service.inject('DELETE', path)).status, 204);
      return { asked };
    });
    t.match(await early.asked, { status: 422, body: { code: 'unprocessable', detail: /was deleted/ } });
    t.match(await service.execute(sql`select count(*)::int as kept from messages`), [{ kept: 0 }]);
    const next = await makePinned(service, kind, 'second');
    const { asked, deleted } = await whileLocked(service, 'messages', async () => {
      const asked = ask(service, 'late', next.body);
      await standing(service, 1);
      const deleted = service.inject('DELETE', next.path);
      await standing(service, 2);
      return { asked, deleted };
    });
    const answer = await asked;
    t.equal(answer.status, 201);
    t.match(await deleted, { status: 409, body: { code: 'in_use' } }, 'it waited for the messages');
    await service.work();
    t.match(await service.counts(answer.body.id), { created: 10, OK: 10 });
  });

  t.test(`${kind}: however a deletion and a request meet, no message is stranded`, async (t) => {
    const service = await startSending(t);
    for (let round = 0; round < 20; round += 1) {
      const { path, body } = await makePinned(service, kind, `pinned-${round}`);
      const asking = ask(service, `round-${round}`, body);
      // A little later in each round.
      for (let turn = 0; turn < round; turn += 1) await service.inject('GET', '/v1/messages?limit=1');
      const [deleted, asked] = await Promise.all([service.inject('DELETE', path), asking]);
      const how = `round ${round}: ${deleted.status} and ${asked.status}`;
      // Without any account messages wait for the next one.
      t.match(how, kind === 'channel-accounts' ? /409 and 201|204 and (422|201)/ : /409 and 201|204 and 422/);
      t.strictSame(await stranded(service), [], how);
      if (kind === 'channel-accounts' && deleted.status === 204) await makePinned(service, kind, 'next');
      await service.work();
      if (asked.status === 201) t.match(await service.counts(asked.body.id), { created: 10, OK: 10 }, how);
    }
  });
}

t.test('an account that is deleted while messages are validated strands none', async (t) => {
  const service = await startSending(t);
  const { messages, id } = await service.send(people(2), { validation: 'manual' });
  const { validated, deleted } = await whileLocked(service, 'transitions', async () => {
    const validated = service.post('/v1/messages/validate', { ids: messages });
    await standing(service, 1);
    const deleted = service.inject('DELETE', `/v1/channel-accounts/${service.accountId}`);
    await Promise.race([deleted, standing(service, 2)]);
    return { validated, deleted };
  });
  const ends = [(await validated).status, (await deleted).status];
  t.strictSame(await stranded(service), [], `validated ${ends[0]}, deleted ${ends[1]}`);
  if (ends[1] === 204) await done(service.post('/v1/channel-accounts', smtpAccount(service.sink)));
  await service.work();
  t.match(await service.counts(id), { created: 2, OK: 2 });
});
