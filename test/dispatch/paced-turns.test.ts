/** Whose turn it is on an account with a pace, where there is room for one message at a time. */
import { sql } from 'drizzle-orm';
import t from 'tap';
import { createReleaser } from '../../src/dispatch/release/release.ts';
import { people, type Sending, startSending } from '../support/sending.ts';

const paced = { account: { rhythm: { maxPerMinute: 60 } } };

/**
 * Releases, and lets the oldest queued message leave, once a second: no worker is asked, for which sixty messages would
 * take a minute.
 * @returns how many left of each request, in the order of the ids.
 */
async function leaveOneByOne(service: Sending, seconds: number, ids: readonly string[]): Promise<number[]> {
  const releaser = createReleaser(service.runtime);
  const left = new Map(ids.map((id) => [id, 0]));
  for (let second = 0; second < seconds; second += 1) {
    await releaser.release();
    const [row] = await service.execute(sql`
      update messages set status = 'OK', delivery = 'sent', dispatch_state = 'idle', job_id = null
      where (tenant_id, id) in (
        select tenant_id, id from messages where dispatch_state = 'queued' order by updated_at, id limit 1)
      returning send_request_id`);
    const id = String(row?.send_request_id);
    left.set(id, (left.get(id) ?? 0) + 1);
    service.clock.advance(1_000);
  }
  await releaser.stop();
  return ids.map((id) => left.get(id) ?? 0);
}

t.test('send requests take turns', async (t) => {
  const service = await startSending(t, paced);
  const large = await service.send(people(200, 'large.test'));
  const small = await service.send(people(100, 'small.test'));
  const [ofLarge = 0, ofSmall = 0] = await leaveOneByOne(service, 120, [large.id, small.id]);
  t.equal(ofLarge + ofSmall, 120);
  t.ok(Math.abs(ofLarge - ofSmall) <= 2, `${ofLarge} of the large one, ${ofSmall} of the small one`);
});

t.test('a fifth is left to bulk beside normal, and to normal beside urgent', async (t) => {
  for (const [upper, lower] of [
    ['normal', 'bulk'],
    ['urgent', 'normal'],
  ] as const) {
    const service = await startSending(t, paced);
    const many = await service.send(people(200, 'many.test'), { priority: upper });
    const few = await service.send(people(100, 'few.test'), { priority: lower });
    const [ofMany = 0, ofFew = 0] = await leaveOneByOne(service, 130, [many.id, few.id]);
    t.equal(ofMany + ofFew, 130);
    t.ok(ofFew >= 20 && ofFew <= 30, `${ofFew} of ${lower} beside ${ofMany} of ${upper}`);
  }
});
