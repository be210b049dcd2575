import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';

/** Sets the `ETag` of a resource that people edit. */
function setEtag(reply: FastifyReply, revision: number): void {
  reply.header('etag', `"${revision}"`);
}

/** A resource as it is shown, with its `ETag`: what `If-Match` of a later change is held against. */
export function shown<Row extends { revision: number }, Body>(
  reply: FastifyReply,
  row: Row,
  present: (row: Row) => Body,
): Body {
  setEtag(reply, row.revision);
  return present(row);
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
