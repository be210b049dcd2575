import Type, { type Static } from 'typebox';
import { closed, Instant, lifetimeFields, nullable, Uuid, words } from '../fields.ts';
import { MessageFilterBody } from '../messages/filter.ts';

/** Work that was accepted with a 202: its progress, counts, and errors by row. */
export const Operation = closed(
  {
    id: Uuid,
    kind: words(['validate', 'block', 'resend', 'export', 'erase', 'retention']),
    status: words(['queued', 'running', 'done', 'failed']),
    total: Type.Integer({ description: 'Rows it found when it was asked for.' }),
    done: Type.Integer({ description: 'Rows it has looked at.' }),
    succeeded: Type.Integer(),
    refusedCount: Type.Integer(),
    refused: Type.Array(
      closed({
        id: Uuid,
        code: Type.String(),
        status: Type.Optional(Type.String()),
        reason: Type.Optional(Type.String()),
      }),
      { description: 'The first 1,000 that were refused.' },
    ),
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
    kind: words(['messages']),
    filter: Type.Optional(MessageFilterBody),
    format: words(['csv', 'ndjson']),
    separator: Type.Optional(
      words([';', ','], { description: 'Of the CSV. Default `;`, which French spreadsheets expect.' }),
    ),
  },
  {
    examples: [
      { kind: 'messages', format: 'csv', filter: { status: ['OK'] } },
      { kind: 'messages', format: 'ndjson', filter: { status: ['KO'] } },
    ],
  },
);

export type ExportRequest = Static<typeof NewExport>;
