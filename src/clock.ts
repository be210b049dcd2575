import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { v7 } from 'uuid';

/** The service's only source of time, so that tests own it. */
export interface Clock {
  now(): Date;
  /** Waits at least `milliseconds`, or until `signal` aborts; never rejects. */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  wait: async (milliseconds, signal) => {
    if (signal?.aborted) return;
    await delay(milliseconds, undefined, signal ? { signal } : {}).catch(() => undefined);
  },
};

/** Makes a fresh id: a UUIDv7 (RFC 9562) of the clock's time, growing within one process. */
export type NewId = () => string;

/** Bytes of one id, and how many ids one call of the system's generator serves. */
const randomBytesEach = 16;
const idsPerDraw = 256;

/** Ids that follow `clock`. Two ids of the same millisecond are ordered by a counter that starts at random. */
export function createIdSource(clock: Clock): NewId {
  let lastMilliseconds = 0;
  let sequence = randomInt(2 ** 30);
  let drawn = Buffer.alloc(0);
  let used = 0;
  const random = (): Buffer => {
    if (used === drawn.length) {
      drawn = randomBytes(randomBytesEach * idsPerDraw);
      used = 0;
    }
    used += randomBytesEach;
    return drawn.subarray(used - randomBytesEach, used);
  };
  return () => {
    const milliseconds = Math.max(clock.now().getTime(), lastMilliseconds);
    // The counter is the 31 bits under the time: starting again low at each tick leaves it room to grow.
    sequence = milliseconds === lastMilliseconds ? sequence + 1 : randomInt(2 ** 30);
    lastMilliseconds = milliseconds;
    return v7({ msecs: milliseconds, seq: sequence, random: random() });
  };
}
