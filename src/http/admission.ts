import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';

/** Room for places that are handed out in the order of asking. */
export interface Room {
  /** Resolves with the way to give the place back, or with null when it was not free within the patience. */
  take(size: number, owner: string): Promise<(() => void) | null>;
}

/**
 * Makes a room of `capacity`, of which one owner has half at most: nobody shuts the others out. What is larger than
 * that half has it alone.
 */
export function createRoom(capacity: number, patienceMs: number): Room {
  const waiting: { size: number; owner: string; enter: () => void }[] = [];
  const usedBy = new Map<string, number>();
  let used = 0;
  const fits = ({ size, owner }: { size: number; owner: string }) =>
    used + size <= capacity && (usedBy.get(owner) ?? 0) + size <= capacity / 2;
  function use(size: number, owner: string): void {
    used += size;
    const own = (usedBy.get(owner) ?? 0) + size;
    if (own === 0) usedBy.delete(owner);
    else usedBy.set(owner, own);
  }
  function admit(): void {
    for (let next = waiting.find(fits); next !== undefined; next = waiting.find(fits)) {
      waiting.splice(waiting.indexOf(next), 1);
      use(next.size, next.owner);
      next.enter();
    }
  }
  return {
    async take(asked, owner) {
      const size = Math.min(asked, capacity / 2);
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const place = { size, owner, enter: () => resolve(true) };
      waiting.push(place);
      admit();
      const timer = setTimeout(() => resolve(false), patienceMs);
      const entered = await promise;
      clearTimeout(timer);
      if (!entered) {
        waiting.splice(waiting.indexOf(place), 1);
        return null;
      }
      let inside = true;
      return () => {
        if (!inside) return;
        inside = false;
        use(-size, owner);
        admit();
      };
    },
  };
}

/** Smaller bodies are not counted: there are never enough of them at once to matter. */
const countedFromBytes = 256 * 1024;
/** Bodies that are read and worked on at once: each may take many times its size while it is rendered and stored. */
const roomBytes = 96 * 1024 * 1024;
const chunkedBytes = 2 * 1024 * 1024;
/** What is in memory of a body that is not read as a whole: what has come and is not kept yet, and its text on the way. */
const streamedBytes = 512 * 1024;
const patienceMs = 15_000;

function announcedBytes(request: FastifyRequest, bodyLimitBytes: number): number {
  if (request.routeOptions.config.operation?.streamed) return streamedBytes;
  const { 'content-length': length, 'transfer-encoding': chunked } = request.headers;
  if (length !== undefined) return Math.min(Number(length) || 0, bodyLimitBytes);
  // Its size is not known before it is read, and most clients that do not tell it have little to say.
  return chunked === undefined ? 0 : chunkedBytes;
}

/**
 * Keeps large bodies from filling the memory together: beyond 96 MB at once, 48 MB of one tenant, they wait unread
 * for their turn, and after 15 s they are answered 503 with `Retry-After`.
 */
export function useAdmission(app: FastifyInstance, bodyLimitBytes: number): void {
  const room = createRoom(roomBytes, patienceMs);
  app.addHook('preParsing', async (request, reply) => {
    const bytes = announcedBytes(request, bodyLimitBytes);
    if (bytes < countedFromBytes) return;
    const leave = await room.take(bytes, request.caller?.tenantId ?? request.ip);
    if (leave === null) {
      reply.header('retry-after', '5');
      throw new AppError('unavailable', { detail: 'Too many large bodies at once.' });
    }
    // Also where the caller goes away before its body is read: no answer is sent then.
    reply.raw.once('close', leave);
    if (request.raw.socket.destroyed) leave();
  });
}
