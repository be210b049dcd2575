/**
 * The steps of a path as a template writes it: `client.nom`, `pieces[0].titre`, `libelles['code postal']`. Null stands for
 * any member: `libelles[langue]` reads whichever the field `langue` says.
 */
export type PathStep = string | number | null;

function readBracket(path: string, start: number): { step: PathStep; end: number } {
  const quote = path[start + 1];
  if (quote === '"' || quote === "'") {
    const close = path.indexOf(`${quote}]`, start + 2);
    return {
      step: path.slice(start + 2, close === -1 ? undefined : close),
      end: close === -1 ? path.length : close + 2,
    };
  }
  let depth = 0;
  let end = start;
  for (; end < path.length; end += 1) {
    if (path[end] === '[') depth += 1;
    if (path[end] === ']') depth -= 1;
    if (depth === 0) break;
  }
  const inside = path.slice(start + 1, end);
  return { step: /^-?\d+$/.test(inside) ? Number(inside) : inside === '' ? 0 : null, end: end + 1 };
}

/** Reads a path. `[]`, as lists of fields write it, is the first member: they are all alike. */
export function stepsOf(path: string): PathStep[] {
  const steps: PathStep[] = [];
  let at = 0;
  while (at < path.length) {
    if (path[at] === '[') {
      const { step, end } = readBracket(path, at);
      steps.push(step);
      at = end;
      continue;
    }
    if (path[at] === '.') at += 1;
    const rest = path.slice(at).search(/[.[]/);
    const end = rest === -1 ? path.length : at + rest;
    if (end > at) steps.push(path.slice(at, end));
    else if (path[at] !== '[') break;
    at = end;
  }
  return steps;
}

/** Steps as one key; members of lists are all alike. */
const keyOf = (steps: readonly PathStep[]) =>
  JSON.stringify(steps.map((step) => (typeof step === 'string' ? step : null)));

/**
 * Which of some paths are read, by others that are the same, lead there or begin there: `client` is read where `client.nom`
 * is, and `client.nom` where `client` is.
 */
export function createCoverage(paths: readonly string[]): (path: string) => boolean {
  const whole = new Set<string>();
  const beginnings = new Set<string>();
  for (const steps of paths.map(stepsOf)) {
    whole.add(keyOf(steps));
    for (let length = 1; length <= steps.length; length += 1) beginnings.add(keyOf(steps.slice(0, length)));
  }
  return (path) => {
    const steps = stepsOf(path);
    if (beginnings.has(keyOf(steps))) return true;
    return steps.some((_, index) => whole.has(keyOf(steps.slice(0, index + 1))));
  };
}
