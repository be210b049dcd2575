import { sql } from 'drizzle-orm';
import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import type { Db, Tx } from '../db/client.ts';
import { prepareOnce } from '../db/prepare-once.ts';
import type { StoredCopy } from '../db/tables/messages.ts';
import { tenants } from '../db/tables/tenants.ts';
import { together } from '../db/together.ts';
import { refusingHolders, typeRefusesUnknown, whoRefused } from '../recipients/permissions/choices.ts';
import {
  decidingConsent,
  findConcerned,
  type PeopleConcerned,
  type PersonConcerned,
} from '../recipients/permissions/concerned.ts';
import { findNotificationType, type NotificationTypeRow } from '../recipients/permissions/notification-types.ts';
import { type FoundSuppression, findSuppressed, type SuppressionDeps } from '../suppressions/store.ts';
import type { Reason } from './reasons.ts';
import { factsOfSuppression, type RuleFacts } from './rule-facts.ts';

/** What the rules need beside the database. */
export type RuleDeps = SuppressionDeps;

/** Someone a message would write to, and about what kind of notice. */
export interface RuleSubject {
  notificationTypeId: string | null;
  /** The level of consent that it needs (M8). */
  consentLevel: number;
  channel: 'mail';
  recipientId: string | null;
  /** The address in its compared form; null when there is none. */
  normalized: string | null;
  copies: readonly StoredCopy[];
}

/** What the rules say of one subject: a reason that blocks it, and copies (by position) that are left out. */
export interface RuleVerdict {
  reason: Reason | null;
  /** What the reason rests on; null without one. */
  facts: RuleFacts | null;
  blockedCopies: Map<number, Reason>;
  /** The recipient who was named has no record any more: what they said is not known. */
  recipientGone: boolean;
}

/** A subject with the people its addresses belong to. */
interface Examined {
  subject: RuleSubject;
  verdict: RuleVerdict;
  /** Those whose word counts for the `to`. */
  concerned: readonly PersonConcerned[];
  /** The same for each copy; nobody for the sender's own archive. */
  copyOwners: (readonly PersonConcerned[])[];
  /** Why nobody is to be written to by the `to` any more; then by which copies. */
  suppressed: FoundSuppression | undefined;
  suppressedCopies: number[];
}

const defaultLevelOf = prepareOnce((db) =>
  db
    .select({ level: tenants.defaultConsentLevel })
    .from(tenants)
    .where(sql`${tenants.id} = ${sql.placeholder('tenantId')}`),
);

/**
 * Whose word counts: the owner of the address, whoever was named; the named recipient too when it is not theirs, and the
 * structures above them whose contact it is.
 */
export function concernedBy(
  { recipientId, normalized }: Pick<RuleSubject, 'recipientId' | 'normalized'>,
  { byAddress, byId, passed }: PeopleConcerned,
): readonly PersonConcerned[] {
  const owners = normalized === null ? [] : (byAddress.get(normalized) ?? []);
  if (recipientId === null) return owners;
  const owner = owners.find(({ id }) => id === recipientId);
  if (owner !== undefined) return [owner];
  const person = byId.get(recipientId);
  const structures = normalized === null ? [] : (passed.get(normalized) ?? []);
  const above = structures.filter(({ partId }) => partId === recipientId);
  return person === undefined ? owners : [person, ...above, ...owners];
}

function normalizedCopy({ address }: StoredCopy): string | null {
  const parsed = parseAddrSpec(address);
  return parsed.kind === 'address' ? parsed.normalized : null;
}

async function examine(
  deps: RuleDeps,
  db: Db | Tx,
  tenantId: string,
  subjects: readonly RuleSubject[],
): Promise<{ examined: Examined[]; defaultLevel: number }> {
  const copies = subjects.map((subject) => subject.copies.map(normalizedCopy));
  const named = [...subjects.map(({ normalized }) => normalized), ...copies.flat()];
  const normalized = [...new Set(named.filter((one) => one !== null))];
  const ids = [...new Set(subjects.map(({ recipientId }) => recipientId).filter((one) => one !== null))];
  const [people, suppressed, [tenant]] = await together([
    findConcerned(db, tenantId, { normalized, ids }),
    findSuppressed(deps, db, tenantId, 'mail', normalized),
    defaultLevelOf(db).execute({ tenantId }),
  ]);
  const suppressionOf = (address: string | null) => (address === null ? undefined : suppressed.get(address));
  const ownersOf = (address: string | null) => (address === null ? [] : (people.byAddress.get(address) ?? []));
  const examined = subjects.map((subject, index) => ({
    subject,
    verdict: {
      reason: null,
      facts: null,
      blockedCopies: new Map(),
      recipientGone: subject.recipientId !== null && !people.byId.has(subject.recipientId),
    },
    concerned: concernedBy(subject, people),
    // The archive is the sender's own: nobody's word is asked about it.
    copyOwners: subject.copies.map(({ kind }, place) =>
      kind === 'archive' ? [] : ownersOf(copies[index]?.[place] ?? null),
    ),
    suppressed: suppressionOf(subject.normalized),
    suppressedCopies: (copies[index] ?? []).flatMap((copy, place) =>
      suppressionOf(copy) === undefined ? [] : [place],
    ),
  }));
  return { examined, defaultLevel: tenant?.level ?? 0 };
}

/** Blocks copies that belong to somebody who refuses. */
function blockCopies({ verdict, copyOwners }: Examined, reason: Reason, refuses: (person: PersonConcerned) => boolean) {
  for (const [position, known] of copyOwners.entries()) {
    if (known.some(refuses)) verdict.blockedCopies.set(position, reason);
  }
}

function judgeContact(one: Examined): void {
  const { verdict, concerned } = one;
  const refusing = concerned.find(({ acceptsContact }) => !acceptsContact);
  if (refusing !== undefined) {
    verdict.reason = 'contact_refused';
    verdict.facts = { rule: 'contact', recipientId: refusing.id };
  }
  blockCopies(one, 'contact_refused', ({ acceptsContact }) => !acceptsContact);
}

/** The box of one kind of notice. A kind that is gone is refused to everyone. */
async function judgeChoices(db: Db | Tx, tenantId: string, typeId: string, list: readonly Examined[]): Promise<void> {
  const type = await findNotificationType(db, tenantId, typeId);
  const people = list.flatMap(({ concerned, copyOwners }) => [...concerned, ...copyOwners.flat()]);
  const holders = [...new Set(people.map(({ holderId }) => holderId))];
  const refusing: Map<string, Date | null> =
    type === null
      ? new Map(holders.map((id) => [id, null]))
      : await refusingHolders(db, tenantId, type, 'mail', holders);
  const followers = people.filter(({ id, holderId }) => id !== holderId).map(({ id }) => id);
  const own = await whoRefused(db, tenantId, typeId, 'mail', followers);
  const refuses = ({ id, holderId }: PersonConcerned) => own.has(id) || refusing.has(holderId);
  for (const one of list) {
    const { verdict, concerned } = one;
    const person = concerned.find(refuses);
    const unknownRefused = concerned.length === 0 && (type === null || typeRefusesUnknown(type, 'mail'));
    if (person !== undefined || unknownRefused) {
      verdict.reason = 'choice_off';
      verdict.facts = choiceFacts(typeId, type, person, { refusing, own });
    }
    blockCopies(one, 'choice_off', refuses);
  }
}

function choiceFacts(
  typeId: string,
  type: NotificationTypeRow | null,
  person: PersonConcerned | undefined,
  { refusing, own }: { refusing: ReadonlyMap<string, Date | null>; own: ReadonlyMap<string, Date> },
): RuleFacts {
  const themselves = person === undefined ? undefined : own.get(person.id);
  const refusedAt = themselves ?? refusing.get(person?.holderId ?? '');
  return {
    rule: 'choice',
    recipientId: person?.id ?? null,
    heldBy: (themselves === undefined ? person?.holderId : person?.id) ?? null,
    notificationTypeId: typeId,
    notificationType: type?.key ?? null,
    channel: 'mail',
    active: type?.active ?? false,
    offered: type?.channels.includes('mail') ?? false,
    refusedAt: refusedAt?.toISOString() ?? null,
  };
}

/** A message needs a level of consent; whoever never said anything has that of the organisation's default (M8). */
function judgeConsent(one: Examined, defaultLevel: number): void {
  const { subject, verdict, concerned } = one;
  const decidingOf = (person: PersonConcerned | undefined) =>
    person === undefined ? null : decidingConsent(person, defaultLevel);
  const levelOf = (person: PersonConcerned | undefined) => decidingOf(person)?.level ?? defaultLevel;
  const refuses = (person: PersonConcerned | undefined) => levelOf(person) < subject.consentLevel;
  const person = concerned.find(refuses);
  if (person !== undefined || (concerned.length === 0 && refuses(undefined))) {
    const deciding = decidingOf(person);
    verdict.reason = 'consent_refused';
    verdict.facts = {
      rule: 'consent',
      recipientId: person?.id ?? null,
      heldBy: (deciding !== null && deciding === person?.ownConsent ? person.id : person?.holderId) ?? null,
      addressKind: 'mail',
      level: levelOf(person),
      needed: subject.consentLevel,
      consentId: deciding?.id ?? null,
      since: deciding?.since.toISOString() ?? null,
    };
  }
  blockCopies(one, 'consent_refused', refuses);
}

/** An address that is suppressed is not written to, whoever has it and whatever they chose: it is the reason told. */
function judgeSuppressions({ verdict, suppressed, suppressedCopies }: Examined): void {
  if (suppressed !== undefined) {
    verdict.reason = 'suppressed';
    verdict.facts = factsOfSuppression(suppressed);
  }
  for (const position of suppressedCopies) verdict.blockedCopies.set(position, 'suppressed');
}

/**
 * Applies the rules to many subjects at once: at intake, on a correction, on every return to `V`, and again on
 * leaving. Rules follow the address: an inline `to`, a cc or a bcc that is an address of a known recipient falls
 * under that person's word: whether they accept contact by it, what they chose, and what they consented to (W5, J5,
 * M8, M9). Of several rules that refuse, the last of these is told; an address that is suppressed comes before all of
 * it, the sender's archive included.
 * @returns one verdict per subject, in order.
 */
export async function applyRules(
  deps: RuleDeps,
  db: Db | Tx,
  tenantId: string,
  subjects: readonly RuleSubject[],
): Promise<RuleVerdict[]> {
  if (subjects.length === 0) return [];
  const { examined, defaultLevel } = await examine(deps, db, tenantId, subjects);
  for (const one of examined) judgeContact(one);
  const byType = Map.groupBy(examined, ({ subject }) => subject.notificationTypeId);
  for (const [typeId, list] of byType) if (typeId !== null) await judgeChoices(db, tenantId, typeId, list);
  for (const one of examined) judgeConsent(one, defaultLevel);
  for (const one of examined) judgeSuppressions(one);
  return examined.map(({ verdict }) => verdict);
}
