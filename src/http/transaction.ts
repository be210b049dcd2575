import type { Tx } from '../db/client.ts';
import { pastDeadlocks } from '../db/deadlocks.ts';
import type { Runtime } from '../runtime.ts';

/** What a request changes, as one transaction: done again where it met another in the wrong order. */
export function inTransaction<Done>({ db }: Pick<Runtime, 'db'>, work: (tx: Tx) => Promise<Done>): Promise<Done> {
  return pastDeadlocks(() => db.transaction(work));
}
