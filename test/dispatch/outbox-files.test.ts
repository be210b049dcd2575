import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { done } from '../support/broker.ts';
import { startWorkerProcess } from '../support/processes.ts';
import { people, startSending } from '../support/sending.ts';
import { realClock, until } from '../support/workers.ts';

t.test('files of the outbox are whole, whenever the worker is killed', { timeout: 150_000 }, async (t) => {
  const service = await startSending(t, { clock: realClock, account: null });
  await done(service.post('/v1/channel-accounts', { name: 'Files', channel: 'mail', driver: 'outbox' }));
  const { id } = await service.send(people(200));
  const folder = join(service.directory, 'outbox', 'mail');
  const files = async () => (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.eml'));
  const first = await startWorkerProcess(t, service);
  await until('some are written', async () => (await files()).length >= 30, 60_000);
  first.kill('SIGKILL');
  await first.ended;
  await startWorkerProcess(t, service);
  await until('all have left', async () => (await service.counts(id)).OK === 200, 90_000);
  const written = await files();
  t.equal(written.length, 200, 'one file for each, sent once or twice');
  const sizes = await Promise.all(written.map(async (name) => (await stat(join(folder, name))).size));
  t.ok(Math.min(...sizes) > 300, 'none is cut');
});
