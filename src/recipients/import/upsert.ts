import { and, eq, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { at, idList, insertOrLock, insertRows, mustReachAll } from '../../db/rows.ts';
import { recipientAddresses, recipients } from '../../db/tables/people.ts';
import type { Actor } from '../../tenants/rights.ts';
import { type BeforeLeaving, leavingRecord } from '../leaving.ts';
import { withAddresses } from '../store.ts';
import type { GivenRecipient } from './check-row.ts';
import { applyRow, emptyState, type RecipientState, sameState, stateOf } from './compare.ts';

type Deps = { clock: Clock; newId: NewId; beforeLeaving: BeforeLeaving };

interface Target {
  tenantId: string;
  actor: Actor;
}

/** What became of the rows of a batch: their sum is how many there were. */
export interface UpsertCounts {
  created: number;
  changed: number;
  unchanged: number;
}

/** One recipient and every row of the batch that speaks of it, in the order of the file. */
interface Subject {
  type: string;
  externalId: string;
  id: string;
  rows: GivenRecipient[];
  /** As it is before the batch: kept, or what its first insertion made of it. */
  before: RecipientState;
  after: RecipientState;
}

function subjectsOf(deps: Deps, rows: readonly GivenRecipient[]): Subject[] {
  const byKey = new Map<string, Subject>();
  for (const row of rows) {
    const { type, externalId } = row;
    const key = `${type}\u0000${externalId}`;
    const known = byKey.get(key);
    if (known === undefined) {
      byKey.set(key, {
        type,
        externalId,
        id: deps.newId(),
        rows: [row],
        before: emptyState,
        after: applyRow(emptyState, row),
      });
    } else {
      known.rows.push(row);
      known.after = applyRow(known.after, row);
    }
  }
  // One order for all: whoever else locks or makes the same recipients is waited for, and never waits for this.
  return [...byKey.entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, subject]) => subject);
}

/** Locks those that exist and makes the others. @returns the ids of those that were made. */
async function makeAbsent(deps: Deps, tx: Tx, tenantId: string, subjects: readonly Subject[]): Promise<Set<string>> {
  const now = deps.clock.now();
  const rows = subjects.map(({ id, type, externalId, after: { addresses: _addresses, ...own } }) => ({
    tenantId,
    id,
    type,
    externalId,
    ...own,
    createdAt: now,
    updatedAt: now,
    revision: 1,
  }));
  const { tenantId: tenant, type, externalId } = recipients;
  return insertOrLock(tx, recipients, rows, [tenant, type, externalId]);
}

async function readKept(tx: Tx, tenantId: string, subjects: readonly Subject[]): Promise<void> {
  if (subjects.length === 0) return;
  const keys = JSON.stringify(subjects.map(({ type, externalId }) => ({ type, external_id: externalId })));
  const rows = await tx
    .select()
    .from(recipients)
    .where(
      and(
        eq(recipients.tenantId, tenantId),
        sql`(${recipients.type}, ${recipients.externalId}) in (
          select type, external_id from json_to_recordset(${keys}::json) as given(type text, external_id text))`,
      ),
    );
  const found = new Map(
    (await withAddresses(tx, tenantId, rows)).map((row) => [`${row.type}\u0000${row.externalId}`, row]),
  );
  for (const subject of subjects) {
    const kept = found.get(`${subject.type}\u0000${subject.externalId}`);
    if (kept === undefined) throw new Error('a recipient that was locked is gone');
    subject.id = kept.id;
    subject.before = stateOf(kept);
  }
}

/** Counts what each row did, and leaves each subject as its last row makes it. */
function fold(subjects: readonly Subject[], made: ReadonlySet<string>): UpsertCounts {
  const counts = { created: 0, changed: 0, unchanged: 0 };
  for (const subject of subjects) {
    let state = subject.before;
    for (const [place, row] of subject.rows.entries()) {
      const next = applyRow(state, row);
      if (place === 0 && made.has(subject.id)) counts.created += 1;
      else if (next === state) counts.unchanged += 1;
      else counts.changed += 1;
      state = next;
    }
    subject.after = state;
  }
  return counts;
}

async function updateChanged(deps: Deps, tx: Tx, tenantId: string, subjects: readonly Subject[]): Promise<void> {
  if (subjects.length === 0) return;
  const values = subjects.map(({ id, after }) => ({
    id,
    display_name: after.displayName,
    locale: after.locale,
    preferred_channel: after.preferredChannel,
    attributes: after.attributes,
  }));
  const updated = await tx.execute(sql`
    update recipients set display_name = given.display_name, locale = given.locale,
      preferred_channel = given.preferred_channel, attributes = given.attributes,
      revision = recipients.revision + 1, updated_at = ${at(deps.clock.now())}
    from json_populate_recordset(null::recipients, ${JSON.stringify(values)}::json) as given
    where recipients.tenant_id = ${tenantId} and recipients.id = given.id`);
  mustReachAll(updated.count, subjects, 'changed');
}

/** What is refused is not lost with the addresses that go. */
async function keepRefused(deps: Deps, tx: Tx, target: Target, changed: readonly Subject[]): Promise<void> {
  const records = changed.map(({ id, before, after }) => leavingRecord(id, before.addresses, after.addresses));
  await deps.beforeLeaving(
    tx,
    target,
    records.filter(({ leaving }) => leaving.length > 0),
  );
}

async function writeAddresses(tx: Tx, tenantId: string, made: readonly Subject[], changed: readonly Subject[]) {
  const moved = changed.filter(({ before, after }) => before.addresses !== after.addresses);
  if (moved.length > 0) {
    const ids = idList(moved.map(({ id }) => id));
    await tx
      .delete(recipientAddresses)
      .where(and(eq(recipientAddresses.tenantId, tenantId), sql`${recipientAddresses.recipientId} = any(${ids})`));
  }
  await insertRows(
    tx,
    recipientAddresses,
    [...made, ...moved].flatMap(({ id: recipientId, after }) =>
      after.addresses.map((address, position) => ({ tenantId, recipientId, position, ...address })),
    ),
  );
}

/**
 * Makes recipients what the rows of a file say, in a few statements for any number. Each row sets what it gives and
 * keeps the rest, the later one last. What does not change is not written: its revision and `updatedAt` stay.
 */
export async function upsertRecipients(
  deps: Deps,
  tx: Tx,
  target: Target,
  rows: readonly GivenRecipient[],
): Promise<UpsertCounts> {
  const { tenantId } = target;
  if (rows.length === 0) return { created: 0, changed: 0, unchanged: 0 };
  const subjects = subjectsOf(deps, rows);
  const made = await makeAbsent(deps, tx, tenantId, subjects);
  const isMade = ({ id }: Subject) => made.has(id);
  const kept = subjects.filter((subject) => !isMade(subject));
  await readKept(tx, tenantId, kept);
  const counts = fold(subjects, made);
  const changed = kept.filter(({ before, after }) => before !== after && !sameState(before, after));
  await keepRefused(deps, tx, target, changed);
  await updateChanged(deps, tx, tenantId, changed);
  await writeAddresses(tx, tenantId, subjects.filter(isMade), changed);
  return counts;
}
