import type { Db } from '../db/client.ts';
import type { Reason } from '../messages/reasons.ts';
import { applyRules, type RuleDeps } from '../messages/rules.ts';
import { findRecipients, type RecipientWithAddresses } from '../recipients/lookup.ts';
import { levelNeededBy } from '../recipients/permissions/consent-levels.ts';
import { readReach } from '../recipients/reach.ts';
import type { SenderRow } from '../senders/store.ts';
import type { TemplateRow } from '../templates/store.ts';
import { readAddressPolicy } from '../tenants/address-policy.ts';
import type { TenantRow } from '../tenants/store.ts';
import { plannedFaults } from './draft-messages.ts';
import { dataOfRecipient, type ExpressedAddress, type Target, targetsOf } from './row-parts.ts';

/** What a template would do for somebody, before anything is sent (M7). */
export interface FirstLook {
  recipient: RecipientWithAddresses;
  /** Fields that texts read of the record. */
  data: Record<string, unknown>;
  /**
   * Where it would go, and what stands against it. @param expressed the address that the template's expression gives;
   * sender whom it would leave from.
   */
  target(
    expressed: string | null,
    sender: SenderRow | null,
  ): Promise<{ to: Pick<Target, 'name' | 'address'>; reason: Reason | null }>;
}

/** Looks somebody up for a template, by its rules. Null: there is no such recipient. */
export async function lookFirst(
  deps: RuleDeps & { db: Db },
  tenant: TenantRow,
  template: TemplateRow,
  reference: string,
): Promise<FirstLook | null> {
  const byReference = await findRecipients(deps.db, tenant.id, [reference]);
  const recipient = byReference.get(reference);
  if (recipient === undefined) return null;
  const people = { byReference, reach: await readReach(deps.db, tenant.id, [recipient]) };
  const policy = readAddressPolicy(template.addressPolicy ?? tenant.addressPolicy);
  return {
    recipient,
    data: dataOfRecipient(recipient),
    async target(address, sender) {
      const expressed: ExpressedAddress | null = address === null ? null : { kind: 'address', address };
      const [first] = targetsOf({ recipient: reference }, people, policy, expressed);
      if (first === undefined) throw new Error('a row has no target');
      const to = { name: first.name, address: first.address };
      const faults = [first.fault, ...plannedFaults({ template, sender }, { recipient })];
      const known = faults.find((fault) => fault !== null)?.code ?? first.block?.reason ?? null;
      if (known !== null) return { to, reason: known };
      const subject = {
        notificationTypeId: template.notificationTypeId,
        consentLevel: levelNeededBy(template),
        channel: template.channel,
        recipientId: recipient.id,
        normalized: first.normalized,
        copies: [],
      };
      const [verdict] = await applyRules(deps, deps.db, tenant.id, [subject]);
      return { to, reason: verdict?.reason ?? null };
    },
  };
}
