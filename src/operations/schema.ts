import Type, { type Static } from 'typebox';
import { closed, Instant, key, lifetimeFields, nullable, Uuid, words } from '../fields.ts';
import { MessageFilterBody } from '../messages/filter.ts';

const rowFault = {
  row: Type.Integer({ description: 'As a spreadsheet numbers it: the header is 1.' }),
  line: Type.Integer({ description: 'The first line of the row, as an editor numbers it.' }),
  pointer: Type.String({ description: 'The member, or `/` and the column.' }),
  message: Type.String(),
};

/** What an import has done so far. */
const imported = closed({
  created: Type.Integer(),
  changed: Type.Integer(),
  unchanged: Type.Integer({ description: 'Rows that say what is known already.' }),
  bytesReceived: Type.Integer(),
  bytesRead: Type.Integer({ description: 'With `bytesReceived`, how far it is.' }),
  separator: nullable(Type.String({ description: 'Of a CSV file, as it was recognised.' })),
  encoding: nullable(Type.String({ description: 'As it was recognised; null while all is ASCII.' })),
  truncatedAt: nullable(
    closed(
      { row: rowFault.row, line: rowFault.line },
      { description: 'The file was cut: this row, and what came behind it, did not arrive whole.' },
    ),
  ),
  lastLineOpen: Type.Boolean({
    description:
      'The last line has no end, and the others have. Its row is kept; but if the file was cut before it was sent, its last cell is a part of what it was, and rows behind it are missing.',
  }),
});

/** Work that was accepted with a 202: its progress, counts, and errors by row. */
export const Operation = closed(
  {
    id: Uuid,
    kind: words(['validate', 'block', 'resend', 'export', 'import', 'erase', 'retention']),
    status: words(['queued', 'running', 'done', 'failed']),
    total: Type.Integer({ description: 'Rows it found when it was asked for; of an import, rows it has read.' }),
    done: Type.Integer({ description: 'Rows it has looked at.' }),
    succeeded: Type.Integer(),
    refusedCount: Type.Integer(),
    refused: Type.Array(
      closed({
        id: Type.Optional({ ...Uuid, description: 'Of a message.' } as typeof Uuid),
        code: Type.String(),
        status: Type.Optional(Type.String()),
        reason: Type.Optional(Type.String()),
        row: Type.Optional(rowFault.row),
        line: Type.Optional(rowFault.line),
        pointer: Type.Optional(rowFault.pointer),
        message: Type.Optional(rowFault.message),
      }),
      {
        description:
          'The first 1,000 that were refused; of the rows of an import, the first 1,000 faults, whose `pointer` and `message` are kept for seven days.',
      },
    ),
    import: Type.Optional(imported),
    finishedAt: nullable(Instant),
    ...lifetimeFields,
  },
  { $id: 'Operation' },
);

/** Answer of what becomes an operation. */
export const OperationStarted = closed({ operation: Uuid, status: words(['queued']) }, { $id: 'OperationStarted' });

/** Body of `POST /v1/exports`. */
export const NewExport = closed(
  {
    kind: words(['messages', 'recipients']),
    filter: Type.Optional(MessageFilterBody),
    recipientFilter: Type.Optional(
      closed(
        { type: key({ description: 'Those of this type.' }) },
        { description: 'Of an export of recipients; without it, all of them.' },
      ),
    ),
    format: words(['csv', 'ndjson']),
    separator: Type.Optional(
      words([';', ','], { description: 'Of the CSV. Default `;`, which French spreadsheets expect.' }),
    ),
  },
  {
    examples: [
      { kind: 'messages', format: 'csv', filter: { status: ['OK'] } },
      { kind: 'messages', format: 'ndjson', filter: { status: ['KO'] } },
      { kind: 'recipients', format: 'csv', recipientFilter: { type: 'client' } },
    ],
  },
);

export type ExportRequest = Static<typeof NewExport>;
