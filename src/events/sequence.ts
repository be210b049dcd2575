import type { Clock } from '../clock.ts';
import type { Db } from '../db/client.ts';
import { holdLease, numberEvents } from './store.ts';

const eventsPerPass = 5_000;

/**
 * One pass of the sequencer. Numbers become visible in their own order because only the lease's holder gives
 * them, after the events' own transactions have committed: a reader that has seen n has seen all below n.
 * @returns how many events were numbered; 0 as well when another process holds the lease.
 */
export async function sequenceEvents(deps: { db: Db; clock: Clock; workerId: string }): Promise<number> {
  return deps.db.transaction(async (tx) => {
    const lease = { name: 'event-sequencer', holder: deps.workerId, now: deps.clock.now(), seconds: 10 };
    // Inside the transaction the lease's row is locked: a process that froze here cannot number beside its successor.
    if (!(await holdLease(tx, lease))) return 0;
    return numberEvents(tx, eventsPerPass);
  });
}
