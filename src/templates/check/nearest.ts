import { closest, distance } from 'fastest-levenshtein';

/** Names of fields are shorter; what is longer was not mistyped. Comparing takes time in proportion to its square. */
const longest = 80;
/** Among more names than this the nearest is not looked for: it is done while others wait. */
const namesAtMost = 2_000;

/** The nearest of the names, where it is near: one typing error in four letters, and one in any name. */
export function nearestName(name: string, names: readonly string[]): string | null {
  if (name.length > longest) return null;
  const most = Math.max(1, Math.floor(name.length / 4));
  const alike = names.slice(0, namesAtMost).filter((other) => Math.abs(other.length - name.length) <= most);
  if (alike.length === 0) return null;
  const found = closest(name, alike);
  return distance(name, found) <= most ? found : null;
}
