import type { SuppressionRow } from '../suppressions/store.ts';

/** What a rule rested on when it stopped a message, kept with it: ids, codes and times, never an address or a name. */
export type RuleFacts =
  | { rule: 'contact'; recipientId: string }
  | {
      rule: 'choice';
      /** Null: nobody known has the address. */
      recipientId: string | null;
      /** Whose choices hold for them: another one's where they are of a household. */
      heldBy: string | null;
      notificationTypeId: string;
      /** Null: it is gone. */
      notificationType: string | null;
      channel: string;
      active: boolean;
      offered: boolean;
      /** When the person said no; null: the default of the type, or the type itself, decided. */
      refusedAt: string | null;
    }
  | {
      rule: 'consent';
      recipientId: string | null;
      heldBy: string | null;
      addressKind: 'mail';
      level: number;
      needed: number;
      /** Null: they never said anything, so that the organisation's default holds. */
      consentId: string | null;
      since: string | null;
    }
  | { rule: 'suppression'; suppressionId: string; cause: SuppressionRow['cause']; since: string };

/** What a message that a suppression stops rests on. */
export function factsOfSuppression({ id, cause, since }: Pick<SuppressionRow, 'id' | 'cause' | 'since'>): RuleFacts {
  return { rule: 'suppression', suppressionId: id, cause, since: since.toISOString() };
}
