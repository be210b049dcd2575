import { inPairs, type Result, type Run } from '../measure.ts';
import { type Organisation, type Stage, setStage } from '../stage.ts';
import { drain } from './dispatch.ts';

interface Side {
  stage: Stage;
  organisation: Organisation;
  sendRequests: string[];
  from: number;
}

/** Multiplies the messages that were sent, with their requests, attempts and transitions, as if of the weeks before. */
async function grow({ sql }: Stage, { id }: Organisation, times: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`create temporary table old_requests on commit drop as
      select id as old_id, gen_random_uuid() as new_id, turn
      from send_requests cross join generate_series(1, ${times}) as turn where tenant_id = ${id}`;
    await tx`create temporary table old_messages on commit drop as
      select messages.id as old_id, gen_random_uuid() as new_id, gen_random_uuid() as attempt_id, turn,
        old_requests.new_id as request_id
      from messages join old_requests on old_requests.old_id = send_request_id where tenant_id = ${id}`;
    // Old ids begin with a lower time, as those of UUIDv7 do.
    await tx`update old_messages set new_id = overlay(new_id::text placing '0180' from 1 for 4)::uuid`;
    // Beside the join, not in the list of what is selected: there it would be made again for each of its columns.
    await tx`insert into send_requests select old.* from old_requests
      join send_requests on send_requests.id = old_id and tenant_id = ${id}
      cross join lateral jsonb_populate_record(send_requests, jsonb_build_object('id', new_id)) as old`;
    await tx`insert into messages select old.* from old_messages
      join messages on messages.id = old_id and messages.tenant_id = ${id}
      cross join lateral jsonb_populate_record(messages, jsonb_build_object('id', new_id,
        'send_request_id', request_id, 'status', 'KO', 'reason', 'provider_unavailable',
        'to_normalized', 'old' || turn || messages.to_normalized, 'context_ref', 'OLD-' || turn,
        'created_at', messages.created_at - turn * interval '1 hour',
        'sent_at', messages.sent_at - turn * interval '1 hour')) as old`;
    await tx`insert into attempts select old.* from old_messages
      join attempts on attempts.message_id = old_id and attempts.tenant_id = ${id}
      cross join lateral jsonb_populate_record(attempts,
        jsonb_build_object('id', attempt_id, 'message_id', new_id)) as old`;
    await tx`insert into transitions select old.* from old_messages
      join transitions on transitions.message_id = old_id and transitions.tenant_id = ${id}
      cross join lateral jsonb_populate_record(transitions,
        jsonb_build_object('id', gen_random_uuid(), 'message_id', new_id)) as old`;
  });
  await sql`vacuum analyze`;
}

async function setSide(run: Run, old: number): Promise<Side> {
  const seeds = run.quick ? 100 : 1_000;
  const stage = await setStage();
  const organisation = await stage.addOrganisation('Courtage');
  await stage.startWorker();
  await drain(stage, organisation, { from: 0, count: seeds, delayMs: 0 });
  const sendRequests = await stage.sql<{ id: string }[]>`select id from send_requests`;
  await grow(stage, organisation, old / seeds - 1);
  return { stage, organisation, sendRequests: sendRequests.map(({ id }) => id), from: seeds };
}

/** Searches of ops people, each for its first page, with the same answers on both sides. @returns searches per second. */
async function searches({ stage, organisation }: Side): Promise<number> {
  const queries = Array.from({ length: 40 }, (_, number) => [
    `address=p${number}@people.test`,
    `status=OK&limit=50`,
    `status=KO&createdFrom=2020-01-01T00:00:00Z`,
    `context=OLD-${1 + (number % 9)}`,
    `sentFrom=2020-01-01T00:00:00Z&limit=20`,
  ]).flat();
  const startedAt = performance.now();
  for (const query of queries) {
    const { items } = await stage.call(organisation.key, 'GET', `/v1/messages?${query}`);
    if (items.length === 0) throw new Error(`nothing was found by ${query}`);
  }
  return (queries.length / (performance.now() - startedAt)) * 1_000;
}

/** Counts by status of send requests. @returns requests per second. */
async function counts({ stage, organisation, sendRequests }: Side): Promise<number> {
  const startedAt = performance.now();
  let asked = 0;
  for (let turn = 0; turn < 200; turn += 1) {
    for (const id of sendRequests) {
      await stage.call(organisation.key, 'GET', `/v1/send-requests/${id}`);
      asked += 1;
    }
  }
  return (asked / (performance.now() - startedAt)) * 1_000;
}

/** Dispatch, search and counts with a million old messages, against ten thousand. */
export async function growth(run: Run): Promise<Result[]> {
  const few = await setSide(run, run.quick ? 1_000 : 10_000);
  const many = await setSide(run, run.quick ? 5_000 : 1_000_000);
  const count = run.quick ? 200 : 5_000;
  const send = (side: Side) => {
    side.from += count;
    return drain(side.stage, side.organisation, { from: side.from, count, delayMs: 0 });
  };
  const measure = (name: string, unit: string, work: (side: Side) => Promise<number>) =>
    inPairs(
      run,
      name,
      unit,
      () => work(many),
      () => work(few),
    );
  try {
    return [
      await measure('growth, dispatch', 'mails/s', send),
      await measure('growth, search', 'searches/s', searches),
      await measure('growth, counts', 'requests/s', counts),
    ];
  } finally {
    await few.stage.close();
    await many.stage.close();
  }
}
