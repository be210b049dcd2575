import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import type { Db, Tx } from '../db/client.ts';
import type { StoredCopy } from '../db/tables/messages.ts';
import { together } from '../db/together.ts';
import { type AddressOwner, findRecipientsByAddress } from '../recipients/lookup.ts';
import { refusedChoices, typeRefusesUnknown } from '../recipients/permissions/choices.ts';
import { findNotificationType } from '../recipients/permissions/notification-types.ts';
import { findSuppressed, type SuppressionDeps } from '../suppressions/store.ts';
import type { Reason } from './reasons.ts';

/** What the rules need beside the database. */
export type RuleDeps = SuppressionDeps;

/** Someone a message would write to, and about what kind of notice. */
export interface RuleSubject {
  notificationTypeId: string | null;
  channel: 'mail';
  recipientId: string | null;
  /** The address in its compared form; null when there is none. */
  normalized: string | null;
  copies: readonly StoredCopy[];
}

/** What the rules say of one subject: a reason that blocks it, and copies (by position) that are left out. */
export interface RuleVerdict {
  reason: Reason | null;
  blockedCopies: Map<number, Reason>;
}

/** A subject with the people its addresses belong to. */
interface Examined {
  subject: RuleSubject;
  verdict: RuleVerdict;
  /** Those whose word counts for the `to`. */
  concerned: AddressOwner[];
  /** The same for each copy; nobody for the sender's own archive. */
  copyOwners: AddressOwner[][];
  /** Whether nobody is to be written to by the `to` any more; then by which copies. */
  suppressed: boolean;
  suppressedCopies: number[];
}

/** Whose word counts: the owner of the address, whoever was named; the named recipient too when it is not theirs. */
export function concernedBy(
  { recipientId }: Pick<RuleSubject, 'recipientId'>,
  owners: readonly AddressOwner[],
): AddressOwner[] {
  if (recipientId === null) return [...owners];
  const named = owners.find(({ id }) => id === recipientId);
  return named === undefined ? [{ id: recipientId, acceptsContact: true }, ...owners] : [named];
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
): Promise<Examined[]> {
  const copies = subjects.map((subject) => subject.copies.map(normalizedCopy));
  const named = [...subjects.map(({ normalized }) => normalized), ...copies.flat()];
  const addresses = [...new Set(named.filter((one) => one !== null))];
  const [owners, suppressed] = await together([
    findRecipientsByAddress(db, tenantId, addresses),
    findSuppressed(deps, db, tenantId, 'mail', addresses),
  ]);
  const isSuppressed = (normalized: string | null) => normalized !== null && suppressed.has(normalized);
  const ownersOf = (normalized: string | null) => (normalized === null ? [] : (owners.get(normalized) ?? []));
  return subjects.map((subject, index) => ({
    subject,
    verdict: { reason: null, blockedCopies: new Map() },
    concerned: concernedBy(subject, ownersOf(subject.normalized)),
    // The archive is the sender's own: nobody's word is asked about it.
    copyOwners: subject.copies.map(({ kind }, place) =>
      kind === 'archive' ? [] : ownersOf(copies[index]?.[place] ?? null),
    ),
    suppressed: isSuppressed(subject.normalized),
    suppressedCopies: (copies[index] ?? []).flatMap((copy, place) => (isSuppressed(copy) ? [place] : [])),
  }));
}

function judgeContact({ verdict, concerned, copyOwners }: Examined): void {
  if (concerned.some(({ acceptsContact }) => !acceptsContact)) verdict.reason = 'contact_refused';
  for (const [position, known] of copyOwners.entries()) {
    if (known.some(({ acceptsContact }) => !acceptsContact)) verdict.blockedCopies.set(position, 'contact_refused');
  }
}

/** The box of one kind of notice. A kind that is gone is refused to everyone. */
async function judgeChoices(db: Db | Tx, tenantId: string, typeId: string, list: readonly Examined[]): Promise<void> {
  const type = await findNotificationType(db, tenantId, typeId);
  const unknownRefused = type === null || typeRefusesUnknown(type, 'mail');
  const people = list.flatMap(({ concerned, copyOwners }) => [...concerned, ...copyOwners.flat()]);
  const ids = [...new Set(people.map(({ id }) => id))];
  const refused = await refusedChoices(db, tenantId, typeId, 'mail', ids);
  for (const { verdict, concerned, copyOwners } of list) {
    const off = concerned.length === 0 ? unknownRefused : concerned.some(({ id }) => refused.has(id));
    if (off) verdict.reason = 'choice_off';
    for (const [position, known] of copyOwners.entries()) {
      if (known.some(({ id }) => refused.has(id))) verdict.blockedCopies.set(position, 'choice_off');
    }
  }
}

/** An address that is suppressed is not written to, whoever has it and whatever they chose: it is the reason told. */
function judgeSuppressions({ verdict, suppressed, suppressedCopies }: Examined): void {
  if (suppressed) verdict.reason = 'suppressed';
  for (const position of suppressedCopies) verdict.blockedCopies.set(position, 'suppressed');
}

/**
 * Applies the rules to many subjects at once: at intake, on a correction, on every return to `V`, and again on
 * leaving. Rules follow the address: an inline `to`, a cc or a bcc that is an address of a known recipient falls
 * under that person's word, whether they accept contact by it and what they chose (W5, J5, M9). An address that is
 * suppressed comes before all of it, the sender's archive included.
 * @returns one verdict per subject, in order.
 */
export async function applyRules(
  deps: RuleDeps,
  db: Db | Tx,
  tenantId: string,
  subjects: readonly RuleSubject[],
): Promise<RuleVerdict[]> {
  if (subjects.length === 0) return [];
  const examined = await examine(deps, db, tenantId, subjects);
  for (const one of examined) judgeContact(one);
  const byType = Map.groupBy(examined, ({ subject }) => subject.notificationTypeId);
  for (const [typeId, list] of byType) if (typeId !== null) await judgeChoices(db, tenantId, typeId, list);
  for (const one of examined) judgeSuppressions(one);
  return examined.map(({ verdict }) => verdict);
}
