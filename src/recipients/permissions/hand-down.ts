/** What a member says holds for a household (M8). Whoever leaves it keeps what held: a refusal is not lost. */
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { idList, insertRows } from '../../db/rows.ts';
import { choices, consents } from '../../db/tables/permissions.ts';
import { getTenant } from '../../tenants/store.ts';
import { keepChoices } from './choices.ts';
import { type ConsentLevel, consentKinds } from './consent-levels.ts';
import { beginningOf, type ConsentRow, newestConsents } from './consents.ts';
import { handedDownSource, isHandedDown } from './handed-down.ts';

type Deps = { clock: Clock; newId: NewId };

/** Who leaves the household of whom. */
interface Leaving {
  tenantId: string;
  memberId: string;
  /** Locked in this transaction. */
  personIds: readonly string[];
}

/** The level that somebody keeps; null: what they have by themselves is what held. */
function keptLevel(
  ofMember: ConsentRow | undefined,
  themselves: ConsentRow | undefined,
  alone: ConsentRow | undefined,
  defaultLevel: number,
): ConsentLevel | null {
  const goesLessFar = themselves !== undefined && (ofMember === undefined || themselves.level < ofMember.level);
  const held = goesLessFar ? themselves : ofMember;
  if (held === themselves && alone?.id === themselves?.id) return null;
  // The last case: a household before this one handed something down, and this one's member never said anything.
  return (held?.level ?? defaultLevel) as ConsentLevel;
}

async function handDownConsents(deps: Deps, tx: Tx, { tenantId, memberId, personIds }: Leaving): Promise<void> {
  const newest = await newestConsents(tx, tenantId, [memberId, ...personIds]);
  const own = await newestConsents(tx, tenantId, personIds, { themselves: true });
  const { defaultConsentLevel } = await getTenant(tx, tenantId);
  const now = deps.clock.now();
  const given = personIds.flatMap((recipientId) =>
    consentKinds.flatMap((addressKind) => {
      const of = (words: readonly ConsentRow[], id: string) =>
        words.find((one) => one.recipientId === id && one.addressKind === addressKind);
      const alone = of(newest, recipientId);
      const level = keptLevel(of(newest, memberId), of(own, recipientId), alone, defaultConsentLevel);
      if (level === null) return [];
      const id = deps.newId();
      const said = { tenantId, recipientId, id, addressKind, level, since: beginningOf(now, id, alone) };
      return [{ ...said, source: handedDownSource, author: null, proof: null, createdAt: now }];
    }),
  );
  await insertRows(tx, consents, given);
}

async function forgetChoice(tx: Tx, choice: typeof choices.$inferSelect): Promise<void> {
  const { tenantId, recipientId, notificationTypeId, channel } = choice;
  await tx
    .delete(choices)
    .where(
      and(
        eq(choices.tenantId, tenantId),
        eq(choices.recipientId, recipientId),
        eq(choices.notificationTypeId, notificationTypeId),
        eq(choices.channel, channel),
      ),
    );
}

async function handDownChoices(deps: Deps, tx: Tx, { tenantId, memberId, personIds }: Leaving): Promise<void> {
  const said = await tx
    .select()
    .from(choices)
    .where(and(eq(choices.tenantId, tenantId), sql`${choices.recipientId} = any(${idList([memberId, ...personIds])})`))
    .orderBy(asc(choices.notificationTypeId), asc(choices.channel));
  const now = deps.clock.now();
  const about = (one: { notificationTypeId: string; channel: string }) => `${one.notificationTypeId} ${one.channel}`;
  const ofMember = said.filter(({ recipientId }) => recipientId === memberId);
  const theirs = said.filter(({ recipientId }) => recipientId !== memberId);
  const refused = new Set(
    theirs.filter((one) => !one.accepted && !isHandedDown(one)).map((one) => `${one.recipientId} ${about(one)}`),
  );
  const kept = { source: handedDownSource, author: null, createdAt: now, updatedAt: now };
  const given = ofMember.flatMap((one) =>
    personIds
      .filter((recipientId) => !refused.has(`${recipientId} ${about(one)}`))
      .map((recipientId) => ({ ...one, recipientId, ...kept })),
  );
  if (given.length > 0) await keepChoices(deps, tx, given);
  // Of a household before this one: what held in this one is the default.
  const spoken = new Set(ofMember.map(about));
  for (const one of theirs) if (isHandedDown(one) && !spoken.has(about(one))) await forgetChoice(tx, one);
}

/**
 * Gives people who leave a household what held for them in it: its member's word, where their own does not go less far.
 * What a household before it handed down is over.
 */
export async function handDown(deps: Deps, tx: Tx, leaving: Leaving): Promise<void> {
  if (leaving.personIds.length === 0) return;
  await handDownConsents(deps, tx, leaving);
  await handDownChoices(deps, tx, leaving);
}
