import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';

/** Sets the `ETag` of a resource that people edit. */
export function setEtag(reply: FastifyReply, revision: number): void {
  reply.header('etag', `"${revision}"`);
}

/**
 * The revision a caller has read, from `If-Match`. Null for `*`.
 * @throws AppError 428 without the header, 412 when it is not one of ours.
 */
export function expectedRevision(request: FastifyRequest): number | null {
  const header = request.headers['if-match'];
  if (header === undefined) throw new AppError('precondition_required');
  if (header === '*') return null;
  const [, revision] = /^"(\d{1,9})"$/.exec(header) ?? [];
  if (revision === undefined) throw new AppError('precondition_failed');
  return Number(revision);
}
