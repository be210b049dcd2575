import { sql } from 'drizzle-orm';
import t from 'tap';
import { databaseError } from '../../src/db/client.ts';
import { isLegalMove, type Status, statuses } from '../../src/messages/status.ts';
import { done } from '../support/broker.ts';
import { people, type Sending, startSending } from '../support/sending.ts';

/** A refusing sink for addresses that say so. */
const refusing = {
  respond: (step: string, { command }: { command: string }) =>
    step === 'rcpt' && command.includes('@refused.test') ? { code: 550, text: '5.1.1 Unknown' } : undefined,
};

interface OneOfEach extends Record<Status, string> {
  request: string;
}

/** One request with a message in each status, reached through the API and the sink. */
async function oneOfEach(service: Sending): Promise<OneOfEach> {
  const rows = [...people(4), ...people(1, 'refused.test')];
  const { id, messages } = await service.send(rows, { validation: 'manual' });
  const [E = '', V = '', OK = '', B = '', KO = ''] = messages;
  t.match(await service.counts(id), { created: 5, E: 5 });
  await done(service.post('/v1/messages/validate', { ids: [OK, KO] }));
  t.match(await service.counts(id), { created: 5, E: 3, V: 2 });
  await service.work();
  t.match(await service.counts(id), { created: 5, E: 3, OK: 1, KO: 1 });
  await done(service.post(`/v1/messages/${B}/block`, {}));
  await done(service.post(`/v1/channel-accounts/${service.accountId}/pause`));
  await done(service.post(`/v1/messages/${V}/validate`, {}));
  t.match(await service.counts(id), { created: 5, E: 1, V: 1, OK: 1, KO: 1, B: 1 });
  return { request: id, E, V, OK, KO, B };
}

/** What the other columns must say in a status, so that only the move itself can be refused. */
const columns = (status: Status, reason: string) =>
  status === 'V'
    ? sql`dispatch_state = 'waiting', job_id = null`
    : sql`dispatch_state = 'idle', job_id = null, reason = ${reason}`;

/** The constraint that refused it, or null. */
async function refusalOf(work: Promise<unknown>): Promise<string | null> {
  try {
    await work;
    return null;
  } catch (error) {
    return databaseError(error)?.constraint ?? 'not a refusal of the database';
  }
}

t.test('the database takes every legal move and refuses every other', async (t) => {
  const service = await startSending(t, { sink: refusing });
  const each = await oneOfEach(service);
  const undo = new Error('undone');
  for (const from of statuses) {
    for (const to of statuses) {
      if (from === to) continue;
      const move = service.runtime.db.transaction(async (tx) => {
        await tx.execute(
          sql`update messages set reason = 'outcome_unknown' where id = ${each[from]} and status = 'KO'`,
        );
        const moved = await tx.execute(
          sql`update messages set status = ${to}, ${columns(to, 'refused')} where id = ${each[from]}`,
        );
        t.equal(moved.count, 1);
        throw undo;
      });
      const refusal = await move.catch(async (error) => (error === undo ? null : refusalOf(Promise.reject(error))));
      t.equal(refusal, isLegalMove(from, to) ? null : 'messages_legal_move', `${from}→${to}`);
    }
  }
  t.match(await service.counts(each.request), { created: 5, E: 1, V: 1, OK: 1, KO: 1, B: 1 });
});

t.test('KO becomes OK only from an unknown outcome; what is being sent is not blocked', async (t) => {
  const service = await startSending(t, { sink: refusing });
  const { KO, V } = await oneOfEach(service);
  const { execute } = service;
  const toOk = execute(sql`update messages set status = 'OK', ${columns('OK', 'refused')} where id = ${KO}`);
  t.equal(await refusalOf(toOk), 'messages_legal_move');
  await execute(sql`update messages set dispatch_state = 'sending', job_id = gen_random_uuid() where id = ${V}`);
  const toB = execute(sql`update messages set status = 'B', ${columns('B', 'refused')} where id = ${V}`);
  t.equal(await refusalOf(toB), 'messages_legal_move');
  for (const action of ['block', 'validate', 'resend']) {
    t.match((await service.post(`/v1/messages/${V}/${action}`, {})).body, { status: 409, code: 'being_sent' }, action);
  }
});

t.test(
  'impossible rows are refused: born OK, valid and idle, failed without a reason, a job while it waits',
  async (t) => {
    const service = await startSending(t, { sink: refusing });
    const { V, KO, E } = await oneOfEach(service);
    const { execute } = service;
    const born = execute(sql`
    insert into messages select (jsonb_populate_record(messages, jsonb_build_object('id', gen_random_uuid(), 'status', 'OK'))).*
    from messages where id = ${E}`);
    t.equal(await refusalOf(born), 'messages_legal_birth');
    const wrong: [string, ReturnType<typeof sql>][] = [
      ['messages_valid_is_on_its_way', sql`update messages set dispatch_state = 'idle' where id = ${V}`],
      ['messages_only_valid_leaves', sql`update messages set dispatch_state = 'waiting' where id = ${E}`],
      ['messages_failure_has_reason', sql`update messages set reason = null where id = ${KO}`],
      ['messages_job_while_queued', sql`update messages set job_id = gen_random_uuid() where id = ${V}`],
      ['messages_status_known', sql`update messages set status = 'X' where id = ${E}`],
    ];
    for (const [constraint, statement] of wrong) {
      const refused = await refusalOf(execute(statement));
      // The trigger looks first.
      t.ok([constraint, 'messages_legal_move'].includes(refused ?? ''), `${constraint}: ${refused}`);
    }
  },
);

/** Where each action leads from each status; absent: refused. `resolve` needs an unknown outcome. */
const actions: Record<string, Partial<Record<Status, Status>>> = {
  validate: { E: 'V', B: 'V' },
  block: { E: 'B', V: 'B' },
  resend: { KO: 'V' },
  resolve: {},
};

for (const [action, moves] of Object.entries(actions)) {
  t.test(`${action} acts on ${Object.keys(moves).join(' and ') || 'an unknown outcome only'}`, async (t) => {
    const service = await startSending(t, { sink: refusing });
    const each = await oneOfEach(service);
    let counts = await service.counts(each.request);
    for (const from of statuses) {
      const before = await service.moves(each[from]);
      const body = action === 'resolve' ? { outcome: 'sent' } : { reason: 'by hand' };
      const answer = await service.post(`/v1/messages/${each[from]}/${action}`, body);
      const to = moves[from];
      const after = await service.counts(each.request);
      if (to === undefined) {
        t.match(answer, { status: 409, body: { code: 'illegal_move', currentStatus: from } }, `${from}: ${action}`);
        t.strictSame(after, counts, 'nothing has changed');
        t.strictSame(await service.moves(each[from]), before);
      } else {
        t.match(answer, { status: 200, body: { status: to } }, `${from}: ${action}`);
        const expected = { ...counts, [from]: (counts[from] ?? 0) - 1, [to]: (counts[to] ?? 0) + 1 };
        t.strictSame(after, expected, `${from} becomes ${to}`);
        t.equal((await service.moves(each[from])).length, before.length + 1, 'each move is recorded');
      }
      counts = after;
    }
  });
}
