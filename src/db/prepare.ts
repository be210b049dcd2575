import type postgres from 'postgres';

type Unsafe = postgres.Sql['unsafe'];

/** A statement is prepared when it comes for the fifth time: what is asked once must not fill the server's memory. */
const preparedFrom = 5;
/** Statements of one process that may be prepared, on each of its connections. */
const preparedAtMost = 300;
/** Longer ones hold a list written out: another length is another statement. */
const longestPrepared = 6_000;
const countedAtMost = 2_000;

/**
 * Makes the wrapper of one pool, for its transactions. A prepared statement takes one round trip instead of two, is not
 * parsed and mostly not planned again, and is sent behind another before that one is answered. Outside transactions the
 * last is a fault: postgres.js would send it behind the slow search of somebody else.
 */
export function createPreparing(): (unsafe: Unsafe) => Unsafe {
  const asked = new Map<string, number>();
  const prepared = new Set<string>();

  function isWorthIt(text: string): boolean {
    if (prepared.has(text)) return true;
    if (prepared.size >= preparedAtMost || text.length > longestPrepared) return false;
    const times = (asked.get(text) ?? 0) + 1;
    if (times >= preparedFrom) {
      asked.delete(text);
      prepared.add(text);
      return true;
    }
    // Statements that are always different must not be kept for ever.
    if (asked.size >= countedAtMost) asked.clear();
    asked.set(text, times);
    return false;
  }

  return (unsafe) =>
    ((text: string, parameters: Parameters<Unsafe>[1] = [], options = {}) =>
      unsafe(text, parameters, {
        ...options,
        ...(parameters.length > 0 && isWorthIt(text) ? { prepare: true } : {}),
      })) as Unsafe;
}
