import { sql } from 'drizzle-orm';
import t from 'tap';
import { connectDatabase, type Db, isUnavailable, type Tx } from '../../src/db/client.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const pidOf = async (db: Db | Tx) => {
  const [row] = await db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
  return row?.pid ?? 0;
};

async function start(t: { teardown(fn: () => unknown): void }) {
  const { url, drop } = await createTestDatabase();
  const service = connectDatabase({ url, connections: 3, name: 'under test' });
  const operator = connectDatabase({ url, connections: 1, name: 'operator' });
  t.teardown(async () => {
    await Promise.all([service.close(), operator.close()]);
    await drop();
  });
  const cut = (pid: number) => operator.db.execute(sql`select pg_terminate_backend(${pid}::int)`);
  return { db: service.db, cut };
}

/** Whether it failed as the database being away, or how else it ended. */
const endOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => (isUnavailable(error) ? 'unavailable' : String(error)),
  );

t.test('a transaction whose connection is cut fails, and the pool goes on, as often as it happens', async (t) => {
  const { db, cut } = await start(t);
  for (let turn = 0; turn < 10; turn += 1) {
    const idle = Promise.withResolvers<void>();
    const transactions = [
      // Cut in the middle of a query, and between two of them.
      db.transaction(async (tx) => {
        const pid = await pidOf(tx);
        const sleeping = tx.execute(sql`select pg_sleep(20)`);
        await Promise.all([sleeping, cut(pid)]);
      }),
      db.transaction(async (tx) => {
        await cut(await pidOf(tx));
        await idle.promise;
        await tx.execute(sql`select 1`);
      }),
      // Cut behind the last of them: nothing is left but the commit.
      db.transaction(async (tx) => {
        await cut(await pidOf(tx));
        await idle.promise;
      }),
    ];
    const ends = transactions.map(endOf);
    t.equal(await ends[0], 'unavailable');
    idle.resolve();
    t.strictSame(await Promise.all(ends), ['unavailable', 'unavailable', 'unavailable']);
    const begun = performance.now();
    t.strictSame(await Promise.all([1, 2, 3, 4].map(() => endOf(pidOf(db)))), Array(4).fill('done'));
    t.ok(performance.now() - begun < 5_000, 'at once');
  }
});

t.test('a fault of the work itself rolls back, and is told as it is', async (t) => {
  const { db } = await start(t);
  await db.execute(sql`create table kept (id int)`);
  const fault = new Error('of the work');
  const work = db.transaction(async (tx) => {
    await tx.execute(sql`insert into kept values (1)`);
    throw fault;
  });
  await t.rejects(work, fault);
  await t.rejects(db.transaction((tx) => tx.execute(sql`select 1 / 0`)));
  t.match(await db.execute(sql`select count(*)::int as rows from kept`), [{ rows: 0 }]);
});

t.test(
  'a wire that lets nothing through is noticed: what waits for an answer fails, and the pool goes on',
  async (t) => {
    const { url, drop } = await createTestDatabase();
    const address = new URL(url);
    const wire = await startTcpProxy(Number(address.port));
    address.host = `127.0.0.1:${wire.port}`;
    const limits = { statementMs: 300, answerMs: 700 };
    const service = connectDatabase({ url: address.href, connections: 2, name: 'behind a wire', ...limits });
    t.teardown(async () => {
      await wire.close();
      await service.close();
      await drop();
    });
    const held = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const transaction = service.db.transaction(async (tx) => {
      await pidOf(tx);
      begun.resolve();
      await held.promise;
      await pidOf(tx);
    });
    const ends = [endOf(transaction)];
    await begun.promise;
    wire.set('hole');
    held.resolve();
    ends.push(endOf(pidOf(service.db)));
    t.strictSame(await Promise.all(ends), ['unavailable', 'unavailable']);
    wire.set('pass');
    t.equal(await endOf(pidOf(service.db)), 'done');
  },
);

t.test('one silent connection among several is noticed, while the others go on', async (t) => {
  const { url, drop } = await createTestDatabase();
  const address = new URL(url);
  const wire = await startTcpProxy(Number(address.port));
  address.host = `127.0.0.1:${wire.port}`;
  const limits = { statementMs: 300, answerMs: 700 };
  const { db, close } = connectDatabase({ url: address.href, connections: 2, name: 'behind a wire', ...limits });
  t.teardown(async () => {
    await wire.close();
    await close();
    await drop();
  });
  const short = () => db.transaction((tx) => pidOf(tx));
  await Promise.all([short(), short()]);
  wire.silenceFirst();
  const ends: string[] = [];
  const ask = async () => {
    while (!ends.includes('unavailable')) ends.push(await endOf(short()));
  };
  // Whichever of them meets the silent one waits; the other is answered all the time.
  await Promise.all([ask(), ask()]);
  t.ok(ends.filter((end) => end === 'done').length > 10, 'others were answered meanwhile');
});

t.test('a server that refuses connections costs no memory, and is reached again when it is back', async (t) => {
  const { url, drop } = await createTestDatabase();
  const address = new URL(url);
  const wire = await startTcpProxy(Number(address.port));
  const { port } = wire;
  address.host = `127.0.0.1:${port}`;
  const { db, close } = connectDatabase({ url: address.href, connections: 5, name: 'refused' });
  t.teardown(async () => {
    await close();
    await drop();
  });
  t.equal(await endOf(pidOf(db)), 'done');
  await wire.close();
  const before = process.memoryUsage().heapUsed;
  for (let turn = 0; turn < 8; turn += 1) {
    t.strictSame(
      new Set(await Promise.all(Array.from({ length: 20 }, () => endOf(pidOf(db))))),
      new Set(['unavailable']),
    );
  }
  const grown = process.memoryUsage().heapUsed - before;
  t.ok(grown < 20_000_000, `${Math.round(grown / 1e6)} MB more`);
  const back = await startTcpProxy(Number(new URL(url).port), port);
  t.teardown(() => back.close());
  t.equal(await endOf(pidOf(db)), 'done');
});

t.test('a statement that takes too long ends, and is told as a fault', async (t) => {
  const { url, drop } = await createTestDatabase();
  const service = connectDatabase({ url, connections: 1, name: 'limited', statementMs: 200 });
  t.teardown(async () => {
    await service.close();
    await drop();
  });
  await t.rejects(service.db.execute(sql`select pg_sleep(20)`));
  t.equal(await endOf(pidOf(service.db)), 'done');
});
