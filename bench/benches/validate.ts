import { setTimeout as wait } from 'node:timers/promises';
import { check, inPairs, type Result, type Run, secondsOf } from '../measure.ts';
import { setStage } from '../stage.ts';

/** Validating by filter, against the bare UPDATE and the INSERTs of its transitions and events in one transaction. */
export async function validate(run: Run): Promise<Result> {
  const stage = await setStage();
  const count = run.quick ? 2_000 : 50_000;
  try {
    const organisation = await stage.addOrganisation('Courtage');
    await stage.pause(organisation);
    await stage.startWorker();
    const context = { type: 'bench', ref: '' };
    let turns = 0;
    const prepare = async () => {
      turns += 1;
      context.ref = `turn-${turns}`;
      await stage.makeMessages(organisation, turns * count, count, { validation: 'manual', context });
      await stage.settleDown();
    };
    const finish = async (seconds: number) => {
      const [row] = await stage.sql<{ moved: number; told: number }[]>`
        select (select count(*)::int from messages where context_ref = ${context.ref} and status = 'V') as moved,
          (select count(*)::int from transitions join messages on messages.id = transitions.message_id
            where context_ref = ${context.ref} and to_status = 'V') as told`;
      check('messages in V', row?.moved ?? 0, count);
      check('transitions to V', row?.told ?? 0, count);
      // Out of the way of the next turn: nothing of it waits in the lanes.
      await stage.sql`update messages set status = 'B', reason = 'cancelled', dispatch_state = 'idle'
        where context_ref = ${context.ref}`;
      return count / seconds;
    };
    const ours = async () => {
      await prepare();
      const seconds = await secondsOf(async () => {
        const filter = { context: context.ref };
        const { operation } = await stage.call(organisation.key, 'POST', '/v1/messages/validate', { filter });
        for (;;) {
          const { status } = await stage.call(organisation.key, 'GET', `/v1/operations/${operation}`);
          if (status === 'done') return;
          await wait(20);
        }
      });
      return finish(seconds);
    };
    const against = async () => {
      await prepare();
      const seconds = await secondsOf(() =>
        stage.sql.begin(async (tx) => {
          await tx`update messages set status = 'V', dispatch_state = 'waiting', release_at = now(), updated_at = now(),
              validated_by_person = true, revision = revision + 1
            where tenant_id = ${organisation.id} and context_ref = ${context.ref} and status = 'E'`;
          await tx`insert into transitions (tenant_id, message_id, id, at, from_status, to_status, actor_kind)
            select tenant_id, id, gen_random_uuid(), now(), 'E', 'V', 'key' from messages
            where tenant_id = ${organisation.id} and context_ref = ${context.ref}`;
          await tx`insert into events (tenant_id, id, type, at, test, resource_id, data)
            select tenant_id, gen_random_uuid(), 'message.validated', now(), test, id,
              jsonb_build_object('sendRequest', send_request_id, 'from', 'E', 'status', 'V', 'reason', null)
            from messages where tenant_id = ${organisation.id} and context_ref = ${context.ref}`;
        }),
      );
      return finish(seconds);
    };
    return await inPairs(run, 'validate', 'messages/s', ours, against);
  } finally {
    await stage.close();
  }
}
