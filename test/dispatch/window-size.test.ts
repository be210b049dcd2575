import { sql } from 'drizzle-orm';
import t from 'tap';
import { uploadText } from '../support/documents.ts';
import { people, startSending } from '../support/sending.ts';

t.test('messages with large documents leave few at a time, so that a worker’s memory is bounded', async (t) => {
  const service = await startSending(t, { account: { rhythm: { concurrency: 10 } } });
  const size = 2_000_000;
  const documents = await Promise.all(
    [0, 1, 2].map((number) => uploadText(service, `annex-${number}.txt`, `${number}`.repeat(size))),
  );
  const { id, messages } = await service.send(people(8), { documents });
  await service.work();
  t.match(await service.counts(id), { created: 8, OK: 8 });
  t.equal(service.sink.mails.length, 8);
  const tries = (await Promise.all(messages.map((message) => service.attempts(message)))).flat();
  t.equal(tries.length, 8, 'none was begun and given back');
  // What one transaction settled is what was open together.
  const windows = await service.execute(sql`select count(*)::int as messages from attempts group by xmin::text`);
  const largest = Math.max(...windows.map(({ messages: count }) => Number(count)));
  t.ok(largest <= 2, `${largest} of 6 MB each at once in a half-window`);
  t.ok(
    service.sink.mails.every(({ raw }) => raw.length > 3 * size),
    'each with its three documents',
  );
});
