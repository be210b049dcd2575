import { databaseError } from './client.ts';

type Results<Work extends readonly unknown[]> = { -readonly [Place in keyof Work]: Awaited<Work[Place]> };

/** What PostgreSQL says of every statement behind one that failed. */
const transactionIsAborted = '25P02';

/**
 * Waits for statements of one transaction that are sent behind one another. For all of them, also when one fails: a
 * statement that is still to be sent must not come behind the end of its transaction, where it would hold by itself.
 * @throws the fault itself, not what the statements behind it say because of it.
 */
export async function together<const Work extends readonly (Promise<unknown> | null)[]>(
  work: Work,
): Promise<Results<Work>> {
  const ends = await Promise.allSettled(work);
  const faults = ends.filter((end) => end.status === 'rejected').map(({ reason }) => reason as unknown);
  if (faults.length > 0) throw faults.find((fault) => databaseError(fault)?.code !== transactionIsAborted) ?? faults[0];
  return ends.map((end) => (end.status === 'fulfilled' ? end.value : undefined)) as Results<Work>;
}

type Asked<Steps extends readonly (() => Promise<unknown>)[]> = {
  -readonly [Place in keyof Steps]: Awaited<ReturnType<Steps[Place]>>;
};

/**
 * Asks for several things of one transaction, the statements of each behind those of the one before, and waits for all
 * as `together` does. Only what a step asks at first is in order: what it asks after an answer comes behind the others.
 */
export async function inOrder<const Steps extends readonly (() => Promise<unknown>)[]>(
  steps: Steps,
): Promise<Asked<Steps>> {
  const asked: Promise<unknown>[] = [];
  for (const step of steps) {
    if (asked.length > 0) await new Promise((written) => setImmediate(written));
    const answer = step();
    // It is waited for below; until then its fault is nobody's.
    answer.catch(() => undefined);
    asked.push(answer);
  }
  return (await together(asked)) as Asked<Steps>;
}
