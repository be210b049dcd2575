import { and, sql } from 'drizzle-orm';
import type { Db } from '../../db/client.ts';
import { prepareOnce } from '../../db/prepare-once.ts';
import { messages } from '../../db/tables/messages.ts';
import type { MessageRow, Redirect } from '../../messages/content.ts';
import { type Claimed, isIn, jobList, wantsOneOf } from '../claim/claimed.ts';
import { type PrepareDeps, type Prepared, prepareMessages } from './prepare.ts';

/** A message as it was read before it is locked, and as it would leave. It holds as long as its revision does. */
export interface PreparedMessage {
  row: MessageRow;
  prepared: Prepared;
}

/** What was read of claimed messages. */
export interface ReadAhead {
  /** By id. Those that do not want to leave any more are absent. */
  messages: ReadonlyMap<string, PreparedMessage>;
  /** Those whose documents would not fit beside the others: they were not prepared. */
  postponed: Claimed[];
}

/** Bytes of documents that one window holds in memory, several times over while they are composed. */
const documentBytesPerWindow = 12_000_000;

/** How many of the messages, from the first, have documents that fit into one window: always at least one. */
function fittingCount(rows: readonly MessageRow[]): number {
  let bytes = 0;
  const over = rows.findIndex(({ documents }, place) => {
    bytes += documents.reduce((sum, { size }) => sum + size, 0);
    return place > 0 && bytes > documentBytesPerWindow;
  });
  return over === -1 ? rows.length : over;
}

const queuedOf = prepareOnce((db) =>
  db
    .select()
    .from(messages)
    .where(and(wantsOneOf(sql.placeholder('jobs')), isIn('queued')))
    .orderBy(messages.id),
);

/**
 * Reads and prepares claimed messages of one tenant while the connections are still busy with others. Nothing is locked
 * or begun: whether each may leave, and as it was read, is asked when its window is opened.
 */
export async function readAhead(
  deps: PrepareDeps & { db: Db },
  claimed: readonly Claimed[],
  redirect: Redirect | null,
): Promise<ReadAhead> {
  if (claimed.length === 0) return { messages: new Map(), postponed: [] };
  const rows = await queuedOf(deps.db).execute({ jobs: jobList(claimed.map(({ job }) => job)) });
  const fitting = rows.slice(0, fittingCount(rows));
  const later = new Set(rows.slice(fitting.length).map(({ id }) => id));
  const prepared = await prepareMessages(deps, fitting, redirect);
  return {
    messages: new Map(
      fitting.flatMap((row, place) => {
        const one = prepared[place];
        return one === undefined ? [] : [[row.id, { row, prepared: one }] as const];
      }),
    ),
    postponed: claimed.filter(({ messageId }) => later.has(messageId)),
  };
}
