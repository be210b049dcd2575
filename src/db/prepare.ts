import type postgres from 'postgres';

type Unsafe = postgres.Sql['unsafe'];

/** A statement is prepared when it comes for the fifth time: what is asked once must not fill the server's memory. */
const preparedFrom = 5;
/** Statements of one process that may be prepared, on each of its connections. */
const preparedAtMost = 300;
/** Longer ones hold a list written out: another length is another statement. */
const longestPrepared = 6_000;
const countedAtMost = 2_000;

/** Wraps what asks the statements of a connection, or of a pool. */
export type Preparing = (unsafe: Unsafe, options?: { alone: boolean }) => Unsafe;

/**
 * What postgres.js 3.4.9 asks when a statement is written: whether the connection may take another before this one is
 * answered. Not in its types; it asks its own transactions the same way.
 */
const takesNoOther = { onexecute: () => false };

/**
 * Makes the wrapper of one pool. A prepared statement takes one round trip instead of two, is not parsed and mostly not
 * planned again. In a transaction it is sent behind another before that one is answered. Outside (`alone`) that would
 * be a fault: postgres.js would send it behind the slow search of somebody else.
 */
export function createPreparing(): Preparing {
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

  return (unsafe, { alone } = { alone: false }) =>
    ((text: string, parameters: Parameters<Unsafe>[1] = [], options = {}) => {
      const prepares = parameters.length > 0 && isWorthIt(text);
      return unsafe(text, parameters, {
        ...options,
        ...(prepares ? { prepare: true } : {}),
        ...(prepares && alone ? takesNoOther : {}),
      });
    }) as Unsafe;
}
