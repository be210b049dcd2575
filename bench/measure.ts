/** How the benches measure: pairs that alternate, and their medians. */

/** What one bench found. Rates are per second; `ratio` is ours over theirs, of the medians of the pairs. */
export interface Result {
  name: string;
  ours: number;
  against: number | null;
  ratio: number | null;
  unit: string;
}

/** How a bench is run. */
export interface Run {
  /** A small run for its code, not its figures. */
  quick: boolean;
  /** Tells how far it is, on standard error. */
  tell(line: string): void;
}

/** The middle value; of an even number, the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value below which this part of them lies. @param part from 0 to 1. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

/** Measures both sides in turn, five times unless said otherwise (once in a quick run), and answers the medians. Both answer a rate. */
export async function inPairs(
  run: Run,
  name: string,
  unit: string,
  ours: () => Promise<number>,
  against: () => Promise<number>,
  pairs = run.quick ? 1 : 5,
): Promise<Result> {
  const rates: { ours: number[]; against: number[] } = { ours: [], against: [] };
  for (let pair = 1; pair <= pairs; pair += 1) {
    rates.ours.push(await ours());
    rates.against.push(await against());
    const [own, other] = [rates.ours.at(-1) ?? 0, rates.against.at(-1) ?? 0];
    run.tell(`${name} ${pair}/${pairs}: ${own.toFixed(0)} against ${other.toFixed(0)} ${unit}`);
  }
  const result = { ours: median(rates.ours), against: median(rates.against) };
  return { name, ...result, ratio: result.ours / result.against, unit };
}

/**
 * Asks both sides one after the other, again and again for some seconds, and answers the rates of the median times: for
 * short questions, of which whatever else the machine does then meets both.
 */
export async function inTurns(
  run: Run,
  name: string,
  unit: string,
  ours: () => Promise<unknown>,
  against: () => Promise<unknown>,
): Promise<Result> {
  const seconds: { ours: number[]; against: number[] } = { ours: [], against: [] };
  const [warmUpMs, longestMs, fewest] = run.quick ? [0, 0, 2] : [1_000, 6_000, 11];
  const startedAt = performance.now();
  for (let asked = 0; asked < fewest || performance.now() - startedAt < longestMs; asked += 1) {
    const times = { ours: await secondsOf(ours), against: await secondsOf(against) };
    // The first ones make plans, and are slower on both sides.
    if (!run.quick && (asked < 3 || performance.now() - startedAt < warmUpMs)) continue;
    seconds.ours.push(times.ours);
    seconds.against.push(times.against);
  }
  const rates = { ours: 1 / median(seconds.ours), against: 1 / median(seconds.against) };
  run.tell(
    `${name}: ${rates.ours.toFixed(1)} against ${rates.against.toFixed(1)} ${unit}, ${seconds.ours.length} times`,
  );
  return { name, ...rates, ratio: rates.ours / rates.against, unit };
}

/** Fails the bench when what came out is not what went in. */
export function check(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what}: ${found} instead of ${expected}`);
}

/** How long some work takes, in seconds. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1_000;
}
