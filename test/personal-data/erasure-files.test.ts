/** Files, and what is said beside them: what an erasure reaches of them, and what it leaves alone. */
import { sql } from 'drizzle-orm';
import t from 'tap';
import { createOutboxChore } from '../../src/personal-data/erasure/outbox-files.ts';
import { done } from '../support/broker.ts';
import { placesOf } from '../support/dump.ts';
import { mail, type People, startPeople } from '../support/people.ts';

t.setTimeout(600_000);

const ann = 'external:client:1';

async function erase({ post, work }: People) {
  await done(post(`/v1/recipients/${ann}/erase`));
  await work();
}

t.test('exports of recipients of another type stay; those that may have had the person go', async (t) => {
  const service = await startPeople(t);
  const { put, post, work, inject } = service;
  await put('client:1', { addresses: [mail('ann@people.test')] });
  await put('structure:9', {});
  const start = async (more: object) =>
    (await done(post('/v1/exports', { kind: 'recipients', format: 'csv', ...more }))).operation;
  const files = [
    await start({}),
    await start({ recipientFilter: { type: 'client' } }),
    await start({ recipientFilter: { type: 'structure' } }),
  ];
  await work();
  const answers = () => Promise.all(files.map(async (id) => (await inject('GET', `/v1/exports/${id}/content`)).status));
  t.same(await answers(), [200, 200, 200]);
  await erase(service);
  t.same(await answers(), [410, 410, 200]);
  // Of a client who was a structure once, the file of structures may tell too.
  await put('structure:1', { addresses: [mail('ann@people.test')] });
  files.push(
    await start({ recipientFilter: { type: 'structure' } }),
    await start({ recipientFilter: { type: 'contact' } }),
  );
  await work();
  const body = { type: 'client' };
  await done(inject('PATCH', '/v1/recipients/external:structure:1', { body, headers: { 'if-match': '*' } }));
  await erase(service);
  t.same(await answers(), [410, 410, 410, 410, 410]);
});

t.test('a worker whose disk failed looks again for the files of who was erased', async (t) => {
  const service = await startPeople(t);
  const { runtime, put } = service;
  let broken = false;
  let looked = 0;
  const config = {
    get dataDirectory() {
      if (broken) throw new Error('the disk is broken');
      looked += 1;
      return runtime.config.dataDirectory;
    },
  };
  const chore = createOutboxChore({ clock: runtime.clock, config, db: runtime.db });
  await chore();
  await put('client:1', { addresses: [mail('ann@people.test')] });
  service.clock.advance(1_000);
  await erase(service);
  service.clock.advance(1_000);
  broken = true;
  await t.rejects(chore(), { message: 'the disk is broken' });
  broken = false;
  looked = 0;
  service.clock.advance(60_000);
  await chore();
  t.equal(looked, 1);
  await chore();
  t.equal(looked, 1, 'and no more than that');
});

t.test('the remark of an action on many goes with the messages that it was about', async (t) => {
  const service = await startPeople(t);
  const { put, send, post, work } = service;
  await put('client:1', { addresses: [mail('ann@people.test')] });
  const data = { name: 'N' };
  const others = Array.from({ length: 1_001 }, (_, index) => ({ to: { address: `b${index}@people.test` }, data }));
  const { id } = await send([{ recipient: ann, data }, ...others], { validation: 'manual' });
  const remark = 'demande de Mme Oneill';
  t.equal((await post('/v1/messages/block', { filter: { sendRequest: id }, reason: remark })).status, 202);
  await work();
  await erase(service);
  const places = await placesOf(service, ['oneill']);
  // What is written beside the messages of others is theirs.
  t.same(
    places.filter((place) => !/messages\.remark|transitions\.remark/.test(place)),
    [],
  );
  t.equal((await service.execute(sql`select 1 from messages where remark is null`)).length, 1);
});
