import type { Clock } from '../clock.ts';
import type { Tx } from '../db/client.ts';
import type { StoredDocument } from '../db/tables/content.ts';
import { invalidField } from '../errors.ts';
import { type DocumentRow, useDocuments } from './store.ts';

/** Most documents of one message, and most bytes of them together. */
const documentsPerMessage = 10;
const documentBytesPerMessage = 10_000_000;

/** The documents of a message, or why they cannot be attached. */
export type Attached =
  | { kind: 'attached'; documents: StoredDocument[] }
  /** `index`: of the id it is about; null: of all together. */
  | { kind: 'refused'; index: number | null; why: string };

/**
 * The documents that the body names, kept from now on.
 * @throws AppError `unprocessable` naming the one, or all together.
 */
export async function pinDocuments(
  deps: { clock: Clock },
  tx: Tx,
  tenantId: string,
  ids: readonly string[],
): Promise<StoredDocument[]> {
  const attached = attachDocuments(ids, await useDocuments(tx, deps, tenantId, ids));
  if (attached.kind === 'attached') return attached.documents;
  const pointer = attached.index === null ? '/documents' : `/documents/${attached.index}`;
  throw invalidField(pointer, 'document_invalid', attached.why);
}

/**
 * Attaches documents to a message, in the order of the ids; one that is there twice counts once.
 * @param pinned those that come before: the template's own.
 */
export function attachDocuments(
  ids: readonly string[],
  known: ReadonlyMap<string, DocumentRow>,
  pinned: readonly StoredDocument[] = [],
): Attached {
  const documents = new Map(pinned.map((document) => [document.id, document]));
  for (const [index, id] of ids.entries()) {
    const document = known.get(id);
    if (document === undefined) return { kind: 'refused', index, why: `there is no document ${id}` };
    const { filename, mediaType, size, sha256 } = document;
    documents.set(document.id, { id: document.id, filename, mediaType, size, sha256 });
  }
  const list = [...documents.values()];
  const bytes = list.reduce((sum, { size }) => sum + size, 0);
  if (list.length > documentsPerMessage) {
    return { kind: 'refused', index: null, why: `there are more than ${documentsPerMessage} documents` };
  }
  if (bytes > documentBytesPerMessage) {
    return { kind: 'refused', index: null, why: `the documents have more than ${documentBytesPerMessage} bytes` };
  }
  return { kind: 'attached', documents: list };
}
