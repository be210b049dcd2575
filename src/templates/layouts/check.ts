/** What is asked of a layout when it is saved. */
import type { Clock } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import type { StoredDocument } from '../../db/tables/content.ts';
import { type DocumentRow, findDocuments, useDocuments } from '../../documents/store.ts';
import { invalidField } from '../../errors.ts';
import type { TextReader } from '../reading/reader.ts';
import { refuseFaults } from '../version-checks.ts';
import { fillFrame, unknownSlots } from './frame.ts';

const logoTypes: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif']);
/** It travels with every mail. */
const logoBytes = 300_000;

/** The document of a logo. @throws AppError `unprocessable`. */
export async function findLogo(db: Db, tenantId: string, id: string | null): Promise<StoredDocument | null> {
  return id === null ? null : readLogo(id, await findDocuments(db, tenantId, [id]));
}

/** The document of a logo, which is kept from now on. @throws AppError `unprocessable`. */
export async function keepLogo(
  deps: { clock: Clock },
  tx: Tx,
  tenantId: string,
  id: string | null,
): Promise<StoredDocument | null> {
  return id === null ? null : readLogo(id, await useDocuments(tx, deps, tenantId, [id]));
}

function readLogo(id: string, documents: ReadonlyMap<string, DocumentRow>): StoredDocument {
  const document = documents.get(id);
  if (document === undefined) throw invalidField('/logo', 'document_unknown', `there is no document ${id}`);
  const { filename, mediaType, size, sha256 } = document;
  if (!logoTypes.has(mediaType)) throw invalidField('/logo', 'not_a_picture', 'must be a PNG, a JPEG or a GIF');
  if (size > logoBytes) throw invalidField('/logo', 'too_large', `has ${size} bytes; ${logoBytes} is the most`);
  return { id: document.id, filename, mediaType, size, sha256 };
}

/** Holds the texts of a layout to what texts must be. @throws AppError `template_invalid`, `unprocessable`. */
export async function checkLayoutTexts(
  reader: TextReader,
  { identity, css, html }: { identity?: string | null; css?: string | null; html?: string | null },
): Promise<void> {
  if (css != null && /<|\{[{%]/.test(css)) {
    throw invalidField('/css', 'not_css', 'must be rules only: no markup, no fields');
  }
  const texts = Object.entries({ identity, html }).flatMap(([place, source]) =>
    source == null ? [] : [{ place, html: true, source: place === 'html' ? withoutSlots(source) : source }],
  );
  const faults = await reader.run('findUnsound', texts);
  if (faults.length > 0) refuseFaults(faults);
  const [unknown] = html == null ? [] : unknownSlots(html);
  if (unknown !== undefined) throw invalidField('/html', 'slot_unknown', `there is no place slot.${unknown}`);
}

/** A frame with nothing in its places: a place may stand where a field may not. */
function withoutSlots(html: string): string {
  const filled = fillFrame({ logo: null, logoText: '', academicYear: null, identity: null, css: null, html }, {}, 'fr');
  return filled.kind === 'filled' ? filled.html : html;
}
