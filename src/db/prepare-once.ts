import type { Db, Tx } from './client.ts';

interface Preparable<Prepared> {
  prepare(name: string): Prepared;
}

/**
 * A query whose text is put together once for each pool, and then only asked: for reads that most requests make, where
 * building costs more than the question. In a transaction, which has a handle of its own, it is built each time.
 * @param build the query, with `sql.placeholder` where its values go.
 * @returns the prepared query of a handle: `query(db).execute(values)`.
 */
export function prepareOnce<Prepared>(build: (db: Db | Tx) => Preparable<Prepared>): (db: Db | Tx) => Prepared {
  const made = new WeakMap<object, Prepared>();
  return (db) => {
    // A pool that was replaced has another client: what was prepared on the old one would ask a closed connection.
    const { $client: client } = db as { $client?: object };
    const known = client === undefined ? undefined : made.get(client);
    if (known !== undefined) return known;
    const prepared = build(db).prepare('');
    if (client !== undefined) made.set(client, prepared);
    return prepared;
  };
}
