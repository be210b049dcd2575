import type { StoredImport } from '../../db/tables/dispatch.ts';
import { readHeader, refusedFile } from '../../row-files/columns.ts';
import { isUnmarkedUtf16, markOf } from '../../row-files/encoding.ts';
import type { RowCursor, RowFormat } from '../../row-files/read-rows.ts';
import { type ImportResource, importKinds } from './kinds.ts';

/** What is asked for: of which resource the file is, and how it is written. */
export interface ImportOrder {
  resource: ImportResource;
  format: 'csv' | 'ndjson';
  /** The type of recipients whose row has none. */
  type: string | null;
}

/** The file of an import, as its operation keeps it. */
export interface ImportFile {
  resource: ImportResource;
  format: RowFormat;
  /** The names of its columns; none for NDJSON. */
  names: string[];
  type: string | null;
  /** Where its rows begin. */
  start: RowCursor;
}

/**
 * Reads the beginning of a file.
 * @param mark the byte order mark that it had, where it was turned into UTF-8.
 * @throws AppError `unprocessable` when its columns cannot be those of the resource.
 */
export function beginFile(
  order: ImportOrder,
  beginning: Buffer,
  atEnd: boolean,
  mark: string | null,
): { file: ImportFile; imported: StoredImport } {
  const { resource, type } = order;
  if (isUnmarkedUtf16(beginning)) {
    throw refusedFile(
      'encoding_unknown',
      'The file is UTF-16 without a mark: save it with a byte order mark, or as UTF-8.',
    );
  }
  const transcoded = mark?.startsWith('utf-16') ?? false;
  const counts = {
    created: 0,
    changed: 0,
    unchanged: 0,
    bytesReceived: 0,
    bytesRead: 0,
    truncatedAt: null,
    lastLineOpen: false,
  };
  if (order.format === 'ndjson') {
    const offset = markOf(beginning) === 'utf-8' ? 3 : 0;
    const start = { offset, row: 1, line: 1, skipping: false, encoding: null };
    const file = { resource, format: { kind: 'ndjson' as const }, names: [], type, start };
    return { file, imported: { ...counts, separator: null, encoding: transcoded ? 'utf-16' : 'utf-8' } };
  }
  const header = readHeader(beginning, atEnd);
  importKinds[resource].checkColumns(header.names, type);
  const { separator, names, offset, row, line } = header;
  const encoding = transcoded ? 'utf-8' : header.encoding;
  const file: ImportFile = {
    resource,
    format: { kind: 'csv', separator, columns: names.length, transcoded },
    names,
    type,
    start: { offset, row, line, skipping: false, encoding },
  };
  return { file, imported: { ...counts, separator, encoding: transcoded ? 'utf-16' : encoding } };
}
