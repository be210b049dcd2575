/** Work on many rows in portions, between which the process does what else is to be done. */

const cellsAtOnce = 20_000;

/** Many rows, a portion at a time. @param cells of each row: wide ones are fewer at a time. */
export async function* portionsOf<Row>(rows: readonly Row[], cells: number): AsyncGenerator<readonly Row[]> {
  const size = Math.max(1, Math.floor(cellsAtOnce / Math.max(1, cells)));
  for (let start = 0; start < rows.length; start += size) {
    if (start > 0) await new Promise((resolve) => setImmediate(resolve));
    yield rows.slice(start, start + size);
  }
}
