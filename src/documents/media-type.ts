import { isUtf8 } from 'node:buffer';
import { fileTypeFromBuffer } from 'file-type';

/** Types whose first bytes tell what they are. Types that carry macros are not among them. */
const recognised = [
  'application/pdf',
  'image/png',
  'image/jpeg',
  'image/gif',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  'application/vnd.oasis.opendocument.text',
  'application/vnd.oasis.opendocument.spreadsheet',
];

/** Types without a signature: they must read as text. */
const textual = ['text/plain', 'text/csv'];

/** Every media type a document may have. */
export const allowedMediaTypes: readonly string[] = [...recognised, ...textual];

/** Names that clients give to the same type. */
const aliases: Record<string, string> = { 'image/jpg': 'image/jpeg', 'image/pjpeg': 'image/jpeg' };

/** The type of a document, or why it is refused. */
export type MediaTypeResult =
  | { kind: 'allowed'; mediaType: string }
  | { kind: 'refused'; code: 'media_type_not_allowed' | 'media_type_mismatch'; why: string };

// Tab, line feed and carriage return are text; U+FEFF may begin it.
const controlCharacters = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

function readsAsText(content: Buffer): boolean {
  // A PDF can be pure ASCII: it would pass for text.
  if (content.subarray(0, 5).toString('latin1') === '%PDF-') return false;
  return isUtf8(content) && !controlCharacters.test(content.toString('utf8'));
}

async function signatureOf(content: Buffer): Promise<string | null> {
  try {
    return (await fileTypeFromBuffer(content))?.mime ?? null;
  } catch {
    // A broken archive is nothing the library can name.
    return null;
  }
}

/**
 * Holds a declared media type against the first bytes of a file. Text has none and must be UTF-8 without control
 * characters. What browsers declare when they do not know (`application/octet-stream`) is not allowed.
 */
export async function checkMediaType(declared: string, content: Buffer): Promise<MediaTypeResult> {
  const mediaType = aliases[declared] ?? declared;
  if (!allowedMediaTypes.includes(mediaType)) {
    return { kind: 'refused', code: 'media_type_not_allowed', why: `must be one of ${allowedMediaTypes.join(', ')}` };
  }
  if (textual.includes(mediaType)) {
    if (readsAsText(content)) return { kind: 'allowed', mediaType };
    const why = 'is declared as text but is not UTF-8 text without control characters';
    return { kind: 'refused', code: 'media_type_mismatch', why };
  }
  const found = await signatureOf(content);
  if (found === mediaType) return { kind: 'allowed', mediaType };
  const why = `is declared as ${mediaType} but its first bytes say ${found ?? 'nothing that is known'}`;
  return { kind: 'refused', code: 'media_type_mismatch', why };
}
