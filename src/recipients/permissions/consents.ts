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
  /** Whose consents they are: the member of the household, else the person. */
  heldBy: string;
  /** Each kind once. `given` is null where nothing was said by then: the organisation's default holds. */
  levels: { addressKind: ConsentKind; level: ConsentLevel; given: ConsentRow | null }[];
  /** Everything that was said, newest first, whatever the moment. At most 1,000. */
  history: ConsentRow[];
}

const historyLimit = 1_000;

const newest = [desc(consents.since), desc(consents.id)];

/**
 * What people said themselves, the newest of each kind of address. @param only of one kind, or what had begun by a
 * moment; default: all.
 */
export function newestConsents(
  db: Db | Tx,
  tenantId: string,
  recipientIds: readonly string[],
  only: { addressKind?: ConsentKind; until?: Date } = {},
): Promise<ConsentRow[]> {
  const { addressKind, until } = only;
  return db
    .selectDistinctOn([consents.recipientId, consents.addressKind])
    .from(consents)
    .where(
      and(
        eq(consents.tenantId, tenantId),
        sql`${consents.recipientId} = any(${idList(recipientIds)})`,
        addressKind === undefined ? undefined : eq(consents.addressKind, addressKind),
        until === undefined ? undefined : lte(consents.since, until),
      ),
    )
    .orderBy(consents.recipientId, consents.addressKind, ...newest);
}

/**
 * What a person allows at a moment, with the history (M8). A person of a household has the consents of its member, by
 * the household of today; their own counts where it goes less far.
 * @throws AppError `not_found`.
 */
export async function heldConsents(db: Db | Tx, tenantId: string, reference: string, at: Date): Promise<HeldConsents> {
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
  const held = await newestConsents(db, tenantId, [person.id, heldBy], { until: at });
  const levels = consentKinds.map((addressKind) => {
    const saidBy = (id: string) =>
      held.find((one) => one.addressKind === addressKind && one.recipientId === id) ?? null;
    const [ofHolder, own] = [saidBy(heldBy), saidBy(person.id)];
    const given = own !== null && own.level < (ofHolder?.level ?? defaultConsentLevel) ? own : ofHolder;
    return { addressKind, level: (given?.level ?? defaultConsentLevel) as ConsentLevel, given };
  });
  return { at, heldBy, levels, history };
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
 * Adds what a person said to their history: nothing is overwritten (M10). The recipient must be locked, and be the one
 * whose consents hold.
 */
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
  await tx.insert(consents).values(
    given.map(({ since, ...consent }) => ({
      tenantId,
      recipientId,
      id: deps.newId(),
      ...consent,
      since: since ?? now,
      author,
      createdAt: now,
    })),
  );
  const entry = { tenantId, actor, resourceType: 'recipient', resourceId: recipientId };
  const fields = given.map(({ addressKind }) => `consents.${addressKind}`);
  await recordAudit(deps, tx, { ...entry, action: 'updated', fields });
}

/** The refusal to change what another person of the household says for them. */
export function heldByMember(member: string): AppError {
  return new AppError('held_by_member', {
    detail: `What the member ${member} of the household says holds for this person: change it there.`,
    extra: { member },
  });
}

/**
 * Records the consents given, by kind of address, and keeps the others (M8, M10). The author is the person behind the
 * key, else the key.
 * @throws AppError `not_found`; `held_by_member` for a person of a household; `unprocessable` for a kind that comes
 * twice or a `since` in the future.
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
  if (person.householdOf !== null) throw heldByMember(person.householdOf);
  await appendConsents(deps, tx, { tenantId, recipientId: person.id, actor }, given);
}
