import { setTimeout as wait } from 'node:timers/promises';
import type { AccountRow } from '../../accounts/store.ts';
import type { Clock } from '../../clock.ts';
import type { Db } from '../../db/client.ts';
import { concurrencyOf, leaseConnections, returnConnections } from './rhythm.ts';

/** Lets at most `limit` works run at once; the others wait, first come first served. */
export interface Gate {
  limit(): number;
  setLimit(limit: number): void;
  /** Works running now: above the limit for a while after it was lowered. */
  busy(): number;
  /** @returns null when it was sent away before it could begin. */
  run<T>(work: () => Promise<T>): Promise<T | null>;
  /** Sends away those that wait. */
  sendAway(): void;
}

/** Makes a gate that is shut (limit 0). */
export function createGate(): Gate {
  const waiting: ((mayBegin: boolean) => void)[] = [];
  let limit = 0;
  let busy = 0;
  const open = (): void => {
    while (busy < limit && waiting.length > 0) {
      busy += 1;
      waiting.shift()?.(true);
    }
  };
  return {
    limit: () => limit,
    setLimit(next) {
      limit = next;
      open();
    },
    busy: () => busy,
    async run(work) {
      const place = new Promise<boolean>((resolve) => waiting.push(resolve));
      open();
      if (!(await place)) return null;
      try {
        return await work();
      } finally {
        busy -= 1;
        open();
      }
    },
    sendAway() {
      for (const refuse of waiting.splice(0)) refuse(false);
    },
  };
}

const leasePollMs = 250;
/** Ten seconds: the others come down to an even part at their next renewal, and tell it when they use no more. */
const leasePatience = 40;
/** A renewal this often keeps the lease well before its end, and lets who comes later have its part soon. */
const renewEveryMs = 1_000;

/** This worker's part of an account's connections. */
export interface AccountShare {
  gate: Gate;
  /** Connections this worker may use now; waits its turn for a while. 0: it should give its messages back. */
  take(account: AccountRow, stopping: AbortSignal): Promise<number>;
  /** Gives the part back. */
  end(): Promise<void>;
}

/** A worker that has had no connection for so long sends away who waits: messages must not stand in `sending`. */
const withoutPatienceMs = 10_000;

/** Makes the share. It renews itself from the first `take` to `end`, in real time: other workers watch its lease. */
export function createAccountShare(
  deps: { db: Db; clock: Clock; workerId: string },
  target: Pick<AccountRow, 'tenantId' | 'id'>,
): AccountShare {
  const gate = createGate();
  let account: AccountRow | null = null;
  let renewal: ReturnType<typeof setInterval> | null = null;
  let soon: ReturnType<typeof setTimeout> | null = null;
  let asked = false;
  let tail: Promise<unknown> = Promise.resolve();
  let withoutSince: number | null = null;

  /** One after the other: a lease that is taken beside its return would be deleted under its user. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = tail.then(work);
    tail = done.catch(() => undefined);
    return done;
  }

  /** A renewal that fails is tried again in its time; the lease outlives several of them. */
  function renew(): void {
    const current = account;
    // One that waits for its turn is enough, however slow the database is.
    if (current === null || asked) return;
    asked = true;
    inTurn(() => {
      asked = false;
      return lease(current);
    }).catch(() => undefined);
  }

  /** Another waits for what is used no more, and learns of it only by the lease. */
  function renewSoon(): void {
    soon ??= setTimeout(() => {
      soon = null;
      renew();
    }, leasePollMs).unref();
  }

  async function lease(row: AccountRow): Promise<void> {
    if (account === null) return;
    const using = Math.max(gate.limit(), gate.busy());
    const granted = await leaseConnections(deps.db, row, {
      workerId: deps.workerId,
      concurrency: concurrencyOf(row),
      using,
      now: deps.clock.now(),
    });
    // Between asking and now the share may have ended.
    if (account === null) return;
    gate.setLimit(granted);
    if (using > granted) renewSoon();
    const now = performance.now();
    withoutSince = granted > 0 ? null : (withoutSince ?? now);
    if (withoutSince !== null && now - withoutSince >= withoutPatienceMs) gate.sendAway();
  }

  return {
    gate,
    async take(row, stopping) {
      account = row;
      renewal ??= setInterval(renew, renewEveryMs).unref();
      for (let turn = 0; turn < leasePatience && gate.limit() === 0 && !stopping.aborted; turn += 1) {
        await inTurn(() => lease(row));
        // In real time, as the others renew theirs.
        if (gate.limit() === 0) await wait(leasePollMs, undefined, { signal: stopping }).catch(() => undefined);
      }
      return gate.limit();
    },
    async end() {
      // At once, so that who comes next asks again.
      if (renewal !== null) clearInterval(renewal);
      if (soon !== null) clearTimeout(soon);
      renewal = null;
      soon = null;
      account = null;
      withoutSince = null;
      gate.setLimit(0);
      await inTurn(() => returnConnections(deps.db, target, deps.workerId));
    },
  };
}
