import { randomBytes } from 'node:crypto';
import { startBareApi } from '../children.ts';
import { readWritten } from '../copies.ts';
import { load } from '../load.ts';
import { check, inPairs, type Result, type Run } from '../measure.ts';
import { rowsOf, setStage } from '../stage.ts';

const connections = 50;

/** One-message POSTs over 50 connections, against a bare route that makes the same inserts in one transaction. */
export async function single(run: Run): Promise<Result> {
  const stage = await setStage();
  const count = run.quick ? 200 : 5_000;
  try {
    const organisation = await stage.addOrganisation('Courtage');
    await stage.pause(organisation);
    const server = await stage.startServer();
    const [example = ''] = await stage.makeMessages(organisation, 1, 1, { validation: 'manual' });
    const written = await readWritten(stage.sql, organisation.id, example);
    const bare = await startBareApi({
      databaseUrl: stage.runtime.config.databaseUrl ?? '',
      connections: stage.runtime.config.databaseConnections,
      written,
    });
    const headers = { authorization: `Bearer ${organisation.key}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ template: 'notice', recipients: rowsOf(organisation, 1, 1) });
    const shot = () => ({ headers: { ...headers, 'idempotency-key': randomBytes(12).toString('hex') }, body });
    const fire = async (url: string, shots: number) => {
      await stage.settleDown();
      const before = await stage.count(organisation, 'E');
      const rate = await load(url, { connections, count: shots, shot });
      check('messages in E', (await stage.count(organisation, 'E')) - before, shots);
      return rate;
    };
    try {
      for (const url of [`${server.url}/v1/send-requests`, bare.url]) await fire(url, Math.ceil(count / 5));
      return await inPairs(
        run,
        'single',
        'requests/s',
        () => fire(`${server.url}/v1/send-requests`, count),
        () => fire(bare.url, count),
      );
    } finally {
      await bare.end();
    }
  } finally {
    await stage.close();
  }
}
