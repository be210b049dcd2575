import { type Mark, markOf } from '../../row-files/encoding.ts';

/** Bytes as they come. */
export type Source = AsyncIterable<Buffer>;

/** A piece of a file, and how the file ended where it is the last one. */
export interface Piece {
  bytes: Buffer;
  ended: 'complete' | 'cut' | null;
}

const markBytes = 3;

async function* transcoded(
  source: AsyncIterable<Buffer>,
  decoder: InstanceType<typeof TextDecoder>,
): AsyncGenerator<Buffer> {
  for await (const bytes of source) yield Buffer.from(decoder.decode(bytes, { stream: true }));
  yield Buffer.from(decoder.decode());
}

/** Reads the mark at the beginning of a file, and turns one of UTF-16 into UTF-8 as it comes. */
export async function asUtf8(source: Source): Promise<{ mark: Mark; bytes: Source }> {
  const rest = source[Symbol.asyncIterator]();
  const head: Buffer[] = [];
  let failure: unknown = null;
  try {
    for (let size = 0; size < markBytes; ) {
      const next = await rest.next();
      if (next.done) break;
      head.push(next.value);
      size += next.value.length;
    }
  } catch (error) {
    failure = error;
  }
  async function* all(): AsyncGenerator<Buffer> {
    try {
      yield* head;
      if (failure !== null) throw failure;
      for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
    } finally {
      await rest.return?.();
    }
  }
  const mark = markOf(Buffer.concat(head).subarray(0, markBytes));
  const bytes = all();
  return { mark, bytes: mark?.startsWith('utf-16') ? transcoded(bytes, new TextDecoder(mark)) : bytes };
}

/** Cuts bytes into pieces of one size. The last one is smaller, or empty, and says how the file ended. */
export async function* piecesOf(source: Source, size: number): AsyncGenerator<Piece> {
  let held: Buffer[] = [];
  let length = 0;
  let ended: 'complete' | 'cut' = 'complete';
  try {
    for await (const bytes of source) {
      held.push(bytes);
      length += bytes.length;
      if (length < size) continue;
      const all = Buffer.concat(held);
      let at = 0;
      for (; length - at >= size; at += size) yield { bytes: all.subarray(at, at + size), ended: null };
      held = [all.subarray(at)];
      length -= at;
    }
  } catch {
    // Who sends it is gone, in the middle: what has come holds.
    ended = 'cut';
  }
  yield { bytes: Buffer.concat(held), ended };
}
