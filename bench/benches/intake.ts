import { randomBytes } from 'node:crypto';
import { insertWritten, readWritten, renewed } from '../copies.ts';
import { check, inPairs, type Result, type Run, secondsOf } from '../measure.ts';
import { rowsOf, setStage } from '../stage.ts';

const rowsPerBody = 1_000;

/** Recipients through the API in bodies of 1,000, against bare multi-row INSERTs of the very same rows. */
export async function intake(run: Run): Promise<Result> {
  const stage = await setStage();
  const bodies = run.quick ? 2 : 20;
  try {
    const organisation = await stage.addOrganisation('Courtage');
    await stage.pause(organisation);
    const server = await stage.startServer();
    let from = 0;
    let last = '';
    const post = async (body: string) => {
      const answer = await fetch(`${server.url}/v1/send-requests`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${organisation.key}`,
          'content-type': 'application/json',
          'idempotency-key': randomBytes(12).toString('hex'),
        },
        body,
      });
      const { id, counts } = (await answer.json()) as { id: string; counts: { created: number; E: number } };
      check('messages of a body in E', counts?.E, rowsPerBody);
      last = id;
    };
    const nextBodies = (count: number) =>
      Array.from({ length: count }, () => {
        from += rowsPerBody;
        return JSON.stringify({ template: 'notice', recipients: rowsOf(organisation, from, rowsPerBody) });
      });
    for (const body of nextBodies(2)) await post(body);
    const ours = async () => {
      const prepared = nextBodies(bodies);
      await stage.settleDown();
      const seconds = await secondsOf(async () => {
        for (const body of prepared) await post(body);
      });
      return (bodies * rowsPerBody) / seconds;
    };
    const against = async () => {
      const written = await readWritten(stage.sql, organisation.id, last);
      check('rows to copy', written.messages.length, rowsPerBody);
      check('idempotent answers to copy', written.idempotency_keys.length, 1);
      const prepared = Array.from({ length: bodies }, () => renewed(written));
      await stage.settleDown();
      const before = await stage.count(organisation, 'E');
      const seconds = await secondsOf(async () => {
        for (const rows of prepared) await insertWritten(stage.sql, rows);
      });
      check('rows inserted', (await stage.count(organisation, 'E')) - before, bodies * rowsPerBody);
      return (bodies * rowsPerBody) / seconds;
    };
    return await inPairs(run, 'intake', 'recipients/s', ours, against);
  } finally {
    await stage.close();
  }
}
