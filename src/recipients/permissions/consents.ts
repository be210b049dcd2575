import { and, desc, eq, inArray, lte, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { idList } from '../../db/rows.ts';
import { consents } from '../../db/tables/permissions.ts';
import { AppError, type ErrorItem, notFound } from '../../errors.ts';
import { recordAudit } from '../../tenants/audit.ts';
import { type Actor, nameOf } from '../../tenants/rights.ts';
import { getTenant } from '../../tenants/store.ts';
import { getRecipient, lockRecipient } from '../store.ts';
import { type ConsentKind, type ConsentLevel, consentKinds } from './consent-levels.ts';
import { saidThemselves } from './handed-down.ts';

type Deps = { clock: Clock; newId: NewId };

export type ConsentRow = typeof consents.$inferSelect;

/** A consent as callers give it. */
export interface GivenConsent {
  addressKind: ConsentKind;
  level: ConsentLevel;
  /** From when it holds; null: now. */
  since: Date | null;
  source: string | null;
  /** The words that were agreed to. */
  proof: string | null;
}

/** What one person allows, by kind of address. */
export interface HeldConsents {
  /** The moment it is about. */
  at: Date;
  /** Whose consents hold: those of the member of the household, else of the person. */
  heldBy: string;
  /**
   * Each kind once. `given` is what decides; null where nothing was said by then: the organisation's default holds.
   * `own` is what the person said themselves, which may not be what holds.
   */
  levels: { addressKind: ConsentKind; level: ConsentLevel; given: ConsentRow | null; own: ConsentRow | null }[];
  /** Everything that was said by the two, newest first, whatever the moment. At most 1,000. */
  history: ConsentRow[];
}

const historyLimit = 1_000;

const newest = [desc(consents.since), desc(consents.id)];

/**
 * What people have by themselves, the newest of each kind of address. @param only of one kind, what had begun by a
 * moment, what they said themselves and was not handed down; default: all.
 */
export function newestConsents(
  db: Db | Tx,
  tenantId: string,
  recipientIds: readonly string[],
  only: { addressKind?: ConsentKind; until?: Date; themselves?: boolean } = {},
): Promise<ConsentRow[]> {
  const { addressKind, until, themselves = false } = only;
  return db
    .selectDistinctOn([consents.recipientId, consents.addressKind])
    .from(consents)
    .where(
      and(
        eq(consents.tenantId, tenantId),
        sql`${consents.recipientId} = any(${idList(recipientIds)})`,
        addressKind === undefined ? undefined : eq(consents.addressKind, addressKind),
        until === undefined ? undefined : lte(consents.since, until),
        themselves ? saidThemselves : undefined,
      ),
    )
    .orderBy(consents.recipientId, consents.addressKind, ...newest);
}

/**
 * What a person allows at a moment, with the history (M8). A person of a household has the consents of its member, by
 * the household of today; their own counts where it goes less far.
 * @param moment.at null: now, by whatever clock it was said.
 * @throws AppError `not_found`.
 */
export async function heldConsents(
  db: Db | Tx,
  tenantId: string,
  reference: string,
  { now, at }: { now: Date; at: Date | null },
): Promise<HeldConsents> {
  const person = await getRecipient(db, tenantId, reference);
  const heldBy = person.householdOf ?? person.id;
  const { defaultConsentLevel } = await getTenant(db, tenantId);
  const ofBoth = and(eq(consents.tenantId, tenantId), inArray(consents.recipientId, [...new Set([person.id, heldBy])]));
  const history = await db
    .select()
    .from(consents)
    .where(ofBoth)
    .orderBy(...newest)
    .limit(historyLimit);
  const begun = at === null ? {} : { until: at };
  const held = await newestConsents(db, tenantId, [heldBy], begun);
  const said =
    heldBy === person.id ? held : await newestConsents(db, tenantId, [person.id], { ...begun, themselves: true });
  const levels = consentKinds.map((addressKind) => {
    const [ofHolder = null, own = null] = [held, said].map((list) =>
      list.find((one) => one.addressKind === addressKind),
    );
    const given = own !== null && own.level < (ofHolder?.level ?? defaultConsentLevel) ? own : ofHolder;
    return { addressKind, level: (given?.level ?? defaultConsentLevel) as ConsentLevel, given, own };
  });
  return { at: at ?? now, heldBy, levels, history };
}

function checkGiven(given: readonly GivenConsent[], now: Date): void {
  const faults: ErrorItem[] = [];
  const seen = new Set<ConsentKind>();
  for (const [index, { addressKind, since }] of given.entries()) {
    if (seen.has(addressKind)) {
      const message = `the kind ${addressKind} comes twice`;
      faults.push({ pointer: `/consents/${index}/addressKind`, code: 'repeated', message });
    }
    seen.add(addressKind);
    if (since !== null && since > now) {
      faults.push({ pointer: `/consents/${index}/since`, code: 'in_future', message: 'since is in the future' });
    }
  }
  const [first] = faults;
  if (first !== undefined)
    throw new AppError('unprocessable', { detail: `${first.pointer}: ${first.message}`, items: faults });
}

/**
 * When a word of now begins: behind what was said before, also by a process whose clock is ahead. Of one moment the later
 * id holds, and ids follow the clock of who made them.
 * @param before the newest word about the same; undefined: none.
 */
export function beginningOf(now: Date, id: string, before: { id: string; since: Date } | undefined): Date {
  if (before === undefined || before.since < now) return now;
  return new Date(before.since.getTime() + (before.id < id ? 0 : 1));
}

/** Adds what a person said to their history: nothing is overwritten (M10). The recipient must be locked. */
export async function appendConsents(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; recipientId: string; actor: Actor },
  given: readonly GivenConsent[],
): Promise<void> {
  if (given.length === 0) return;
  const { tenantId, recipientId, actor } = target;
  const now = deps.clock.now();
  const author = nameOf(actor);
  const newest = await newestConsents(tx, tenantId, [recipientId]);
  const before = new Map<ConsentKind, { id: string; since: Date }>(newest.map((one) => [one.addressKind, one]));
  const rows = given.map(({ since: asked, ...consent }) => {
    const id = deps.newId();
    const since = asked ?? beginningOf(now, id, before.get(consent.addressKind));
    if (asked === null) before.set(consent.addressKind, { id, since });
    return { tenantId, recipientId, id, ...consent, since, author, createdAt: now };
  });
  await tx.insert(consents).values(rows);
  const entry = { tenantId, actor, resourceType: 'recipient', resourceId: recipientId };
  const fields = given.map(({ addressKind }) => `consents.${addressKind}`);
  await recordAudit(deps, tx, { ...entry, action: 'updated', fields });
}

/**
 * Records the consents given, by kind of address, and keeps the others (M8, M10). The author is the person behind the
 * key, else the key. What a person of a household says is their own word: the member's still holds beside it, and the
 * lower one counts.
 * @throws AppError `not_found`; `unprocessable` for a kind that comes twice or a `since` in the future.
 */
export async function setConsents(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; reference: string; actor: Actor },
  given: readonly GivenConsent[],
): Promise<void> {
  const { tenantId, reference, actor } = target;
  checkGiven(given, deps.clock.now());
  // Held against a deletion, or a new household, at the same moment.
  const person = await lockRecipient(tx, tenantId, reference, 'share');
  if (person === null) throw notFound();
  await appendConsents(deps, tx, { tenantId, recipientId: person.id, actor }, given);
}
