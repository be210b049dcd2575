import type { DraftMessage, RowError } from './draft-messages.ts';
import type { Counts } from './store.ts';

/** What became of each row: ids, indexes and codes, without personal data. */
export interface SendRequestOutcome {
  id: string | null;
  status: 'draft' | 'accepted' | 'dry-run';
  counts: Counts;
  messages: { index: number; template: string; id: string | null; status: string; reason: string | null }[];
  errors: RowError[];
  repeated: { index: number; template: string; messageId: string | null }[];
}

function countDrafts(drafts: readonly DraftMessage[]): Counts {
  const counts: Counts = { created: drafts.length, E: 0, V: 0, OK: 0, KO: 0, B: 0 };
  for (const { row } of drafts) counts[row.status] += 1;
  return counts;
}

/** The answer for drafts that were kept, and for rows that repeat another message. */
export function outcomeOf(
  id: string | null,
  status: SendRequestOutcome['status'],
  kept: readonly DraftMessage[],
  repeated: SendRequestOutcome['repeated'],
): SendRequestOutcome {
  return {
    id,
    status,
    counts: countDrafts(kept),
    messages: kept.map(({ row, templateKey }) => ({
      index: row.rowIndex,
      template: templateKey,
      id: status === 'dry-run' ? null : row.id,
      status: row.status,
      reason: row.reason,
    })),
    errors: kept.flatMap(({ errors }) => errors),
    repeated,
  };
}
