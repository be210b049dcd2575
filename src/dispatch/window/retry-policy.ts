/** Our own retry policy; pg-boss retries nothing. */

const minutes = 60;
const hours = 60 * minutes;

/** Greylisting opens after about five minutes: not before one minute, then wider, then hourly. */
const waitsSeconds = [1 * minutes, 5 * minutes, 15 * minutes, 30 * minutes, 1 * hours];

/** How long a message is tried when its request set no `notAfter`. */
export const tryForSeconds = 24 * hours;

/** Spread of a wait, so that a thousand messages refused together do not come back together. */
const jitter = 0.1;

/**
 * When a message that failed for a passing reason is tried again, or null when it is given up.
 * @param options.attempt number of the try that failed, from 1.
 * @param options.wishSeconds the provider's own wait, respected when it is longer.
 * @param options.deadline `notAfter`, or a day after the first try.
 * @param options.random from 0 to 1.
 */
export function nextTryAt(options: {
  now: Date;
  attempt: number;
  wishSeconds: number | null;
  deadline: Date;
  random: number;
}): Date | null {
  const wait = waitsSeconds[Math.min(options.attempt, waitsSeconds.length) - 1] ?? hours;
  // Only ever longer: a minute is the least that greylisting needs.
  const spread = wait * (1 + jitter * options.random);
  const seconds = Math.max(spread, options.wishSeconds ?? 0);
  const next = new Date(options.now.getTime() + seconds * 1_000);
  return next >= options.deadline ? null : next;
}
