import { parseAddrSpec } from '../channels/addr-spec.ts';
import type { Db, Tx } from '../db/client.ts';
import type { StoredCopy } from '../db/tables/messages.ts';
import { refusedChoices, typeRefusesUnknown } from '../recipients/choices.ts';
import { findRecipientsByAddress } from '../recipients/lookup.ts';
import { getNotificationType } from '../recipients/notification-types.ts';
import type { Reason } from './reasons.ts';

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

const allowed = (): RuleVerdict => ({ reason: null, blockedCopies: new Map() });

/** Whose choice counts: the owner of the address, whoever was named; the named recipient too when it is not theirs. */
function concerned(subject: RuleSubject, owners: readonly string[]): string[] {
  if (subject.recipientId === null) return [...owners];
  return owners.includes(subject.recipientId) ? [subject.recipientId] : [subject.recipientId, ...owners];
}

const normalizedCopy = (copy: StoredCopy): string | null => {
  const parsed = parseAddrSpec(copy.address);
  return parsed.kind === 'address' ? parsed.normalized : null;
};

/**
 * Applies the rules to many subjects at once: at intake, on a correction, on every return to `V`, and again on
 * leaving. Rules follow the address: an inline `to`, a cc or a bcc that is an address of a known recipient falls
 * under that person's choices (W5, M9).
 * @returns one verdict per subject, in order.
 */
export async function applyRules(
  db: Db | Tx,
  tenantId: string,
  subjects: readonly RuleSubject[],
): Promise<RuleVerdict[]> {
  const verdicts = subjects.map(allowed);
  const governed = subjects.filter(({ notificationTypeId }) => notificationTypeId !== null);
  if (governed.length === 0) return verdicts;
  const addresses = governed.flatMap(({ normalized, copies }) => [normalized, ...copies.map(normalizedCopy)]);
  const owners = await findRecipientsByAddress(db, tenantId, [...new Set(addresses.filter((one) => one !== null))]);
  const ownersOf = (normalized: string | null) => (normalized === null ? [] : (owners.get(normalized) ?? []));

  for (const typeId of new Set(governed.map(({ notificationTypeId }) => notificationTypeId as string))) {
    const type = await getNotificationType(db, tenantId, typeId);
    const unknownRefused = typeRefusesUnknown(type, 'mail');
    const people = governed
      .filter(({ notificationTypeId }) => notificationTypeId === typeId)
      .flatMap((subject) => [
        ...concerned(subject, ownersOf(subject.normalized)),
        ...subject.copies.flatMap((copy) => ownersOf(normalizedCopy(copy))),
      ]);
    const refused = await refusedChoices(db, tenantId, typeId, 'mail', [...new Set(people)]);
    for (const [index, subject] of subjects.entries()) {
      const verdict = verdicts[index];
      if (subject.notificationTypeId !== typeId || verdict === undefined) continue;
      const who = concerned(subject, ownersOf(subject.normalized));
      if (who.length === 0 ? unknownRefused : who.some((id) => refused.has(id))) verdict.reason = 'choice_off';
      for (const [position, copy] of subject.copies.entries()) {
        const known = copy.kind === 'archive' ? [] : ownersOf(normalizedCopy(copy));
        if (known.some((id) => refused.has(id))) verdict.blockedCopies.set(position, 'choice_off');
      }
    }
  }
  return verdicts;
}
