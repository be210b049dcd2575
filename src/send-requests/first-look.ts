import type { Db } from '../db/client.ts';
import type { Reason } from '../messages/reasons.ts';
import { applyRules, type RuleDeps } from '../messages/rules.ts';
import { findRecipients, type RecipientWithAddresses } from '../recipients/lookup.ts';
import { levelNeededBy } from '../recipients/permissions/consent-levels.ts';
import type { SenderRow } from '../senders/store.ts';
import type { TemplateRow } from '../templates/store.ts';
import { readAddressPolicy } from '../tenants/address-policy.ts';
import type { TenantRow } from '../tenants/store.ts';
import { plannedFaults } from './draft-messages.ts';
import { readPeople } from './people.ts';
import { dataOfRecipient, type ExpressedAddress, localeOfRow, type Target, targetsOf } from './row-parts.ts';

/** Where a message would go, and what stands against it; null: nothing does. */
export interface LookedAt {
  to: Pick<Target, 'name' | 'address'>;
  reason: Reason | null;
}

/** What a template would do for somebody, before anything is sent (M7). */
export interface FirstLook {
  /** Fields that texts read of the record. */
  data: Record<string, unknown>;
  /**
   * The language that its texts would have; null: none is said. @param expressed whether the template itself gives the
   * address: then it is nobody else's.
   */
  localeOf(expressed: boolean): string | null;
  /**
   * Each message that it would be. @param expressed the address that the template's expression gives; sender whom it
   * would leave from.
   * @returns one at least; several where the policy writes to several addresses.
   */
  targets(expressed: string | null, sender: SenderRow | null): Promise<LookedAt[]>;
}

/** Whom a look is about: references, as a row of a request gives them. */
export interface LookedFor {
  recipient: string;
  contact?: string | undefined;
}

type Known = ReadonlyMap<string, RecipientWithAddresses>;

/**
 * Looks somebody up for a template, by its rules.
 * @returns the field that names nobody, where one does.
 */
export async function lookFirst(
  deps: RuleDeps & { db: Db },
  tenant: TenantRow,
  template: TemplateRow,
  { recipient: reference, contact }: LookedFor,
): Promise<FirstLook | { unknown: 'recipient' | 'contact' }> {
  const row = contact === undefined ? { recipient: reference } : { recipient: reference, contact };
  const byReference: Known = await findRecipients(deps.db, tenant.id, Object.values(row));
  const recipient = byReference.get(reference);
  if (recipient === undefined) return { unknown: 'recipient' };
  if (contact !== undefined && !byReference.has(contact)) return { unknown: 'contact' };
  const people = await readPeople(deps, tenant.id, byReference);
  const policy = readAddressPolicy(template.addressPolicy ?? tenant.addressPolicy);
  return {
    data: dataOfRecipient(recipient),
    localeOf(expressed) {
      const [first] = expressed ? [] : targetsOf(row, people, policy, null);
      return localeOfRow({}, { owner: first?.owner ?? null, recipient });
    },
    async targets(address, sender) {
      const expressed: ExpressedAddress | null = address === null ? null : { kind: 'address', address };
      const targets = targetsOf(row, people, policy, expressed);
      const verdicts = await applyRules(
        deps,
        deps.db,
        tenant.id,
        targets.map(({ normalized }) => ({
          notificationTypeId: template.notificationTypeId,
          consentLevel: levelNeededBy(template),
          channel: template.channel,
          recipientId: recipient.id,
          normalized,
          copies: [],
        })),
      );
      return targets.map(({ name, address, fault, block }, place) => {
        const faults = [fault, ...plannedFaults({ template, sender }, { recipient })];
        const known = faults.find((one) => one !== null)?.code ?? block?.reason;
        return { to: { name, address }, reason: known ?? verdicts[place]?.reason ?? null };
      });
    },
  };
}
