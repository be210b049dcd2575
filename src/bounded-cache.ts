/** Values by name, those used last, as many as their weights allow. */
export interface BoundedCache<Value> {
  /** The value, which is the last to go from now on. */
  get(name: string): Value | undefined;
  /** Keeps a value, and lets go of those that were used longest ago. One that is there already stays as it is. */
  set(name: string, value: Value, weight: number): void;
}

/** Makes a cache whose values weigh at most `capacity` together. */
export function createBoundedCache<Value>(capacity: number): BoundedCache<Value> {
  const kept = new Map<string, { value: Value; weight: number }>();
  let used = 0;
  return {
    get(name) {
      const entry = kept.get(name);
      if (entry === undefined) return undefined;
      kept.delete(name);
      kept.set(name, entry);
      return entry.value;
    },
    set(name, value, weight) {
      // Two may have missed it at once: counted twice, it would never be let go of whole.
      if (kept.has(name)) return;
      kept.set(name, { value, weight });
      used += weight;
      for (const [oldest, entry] of kept) {
        if (used <= capacity) return;
        kept.delete(oldest);
        used -= entry.weight;
      }
    },
  };
}

/** The value of a cache, made and kept where it is missing; each weighs one. */
export function keptIn<Value>(cache: BoundedCache<Value>, name: string, make: () => Value): Value {
  const known = cache.get(name);
  if (known !== undefined) return known;
  const made = make();
  cache.set(name, made, 1);
  return made;
}
