import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';

/** Room for places that are handed out in the order of asking. */
export interface Room {
  /** Resolves with the way to give the place back, or with null when it was not free within the patience. */
  take(size: number): Promise<(() => void) | null>;
}

/** Makes a room of `capacity`. What is larger than the room has it alone. */
export function createRoom(capacity: number, patienceMs: number): Room {
  const waiting: { size: number; enter: () => void }[] = [];
  let used = 0;
  function admit(): void {
    for (let next = waiting[0]; next !== undefined && used + next.size <= capacity; next = waiting[0]) {
      waiting.shift();
      used += next.size;
      next.enter();
    }
  }
  return {
    async take(asked) {
      const size = Math.min(asked, capacity);
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const place = { size, enter: () => resolve(true) };
      waiting.push(place);
      admit();
      const timer = setTimeout(() => resolve(false), patienceMs);
      const entered = await promise;
      clearTimeout(timer);
      if (!entered) {
        waiting.splice(waiting.indexOf(place), 1);
        // Who stood behind a large one may fit.
        admit();
        return null;
      }
      let inside = true;
      return () => {
        if (!inside) return;
        inside = false;
        used -= size;
        admit();
      };
    },
  };
}

/** Smaller bodies are not counted: there are never enough of them at once to matter. */
const countedFromBytes = 256 * 1024;
/** Bodies that are read and worked on at once: each may take many times its size while it is rendered and stored. */
const roomBytes = 64 * 1024 * 1024;
const patienceMs = 15_000;

function announcedBytes(request: FastifyRequest, bodyLimitBytes: number): number {
  const { 'content-length': length, 'transfer-encoding': chunked } = request.headers;
  if (length !== undefined) return Math.min(Number(length) || 0, bodyLimitBytes);
  // Its size is not known before it is read.
  return chunked === undefined ? 0 : bodyLimitBytes;
}

/**
 * Keeps large bodies from filling the memory together: beyond 64 MB at once they wait, unread, for their turn, and
 * after 15 s they are answered 503 with `Retry-After`.
 */
export function useAdmission(app: FastifyInstance, bodyLimitBytes: number): void {
  const room = createRoom(roomBytes, patienceMs);
  app.addHook('preParsing', async (request, reply) => {
    const bytes = announcedBytes(request, bodyLimitBytes);
    if (bytes < countedFromBytes) return;
    const leave = await room.take(bytes);
    if (leave === null) {
      reply.header('retry-after', '5');
      throw new AppError('unavailable', { detail: 'Too many large bodies at once.' });
    }
    // Also where the caller goes away before its body is read: no answer is sent then.
    reply.raw.once('close', leave);
    if (request.raw.socket.destroyed) leave();
  });
}
