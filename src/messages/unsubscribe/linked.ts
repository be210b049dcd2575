/** What a link to unsubscribe leads to: the message, its organisation, what can be refused, and in whose name. */
import { and, eq } from 'drizzle-orm';
import type { Db, Tx } from '../../db/client.ts';
import { messages } from '../../db/tables/messages.ts';
import { tenants } from '../../db/tables/tenants.ts';
import { whoRefused } from '../../recipients/permissions/choices.ts';
import { findConcerned } from '../../recipients/permissions/concerned.ts';
import { findNotificationType, type NotificationTypeRow } from '../../recipients/permissions/notification-types.ts';
import { whoWithdrew } from '../../recipients/permissions/withdraw-consent.ts';
import { findSuppression, hashOfAddress, type SuppressionDeps, type SuppressionRow } from '../../suppressions/store.ts';
import { concernedBy } from '../rules.ts';
import type { LinkedMessage } from './links.ts';

/** What can be refused alone, beside everything. */
export type Kind = { of: 'type'; type: NotificationTypeRow } | { of: 'prospecting' };

/** A message that somebody may unsubscribe from. */
export interface Linked {
  tenantId: string;
  messageId: string;
  organisation: string;
  defaultConsentLevel: number;
  /** BCP 47. */
  locale: string;
  trial: boolean;
  channel: 'mail';
  /** Null once it was forgotten: then there is its hash. */
  address: string | null;
  /** Null while the organisation has no key for hashes: nothing was ever suppressed. */
  addressHash: string | null;
  /** Null: there is nothing finer than everything, or nobody is known in whose name it could be kept. */
  kind: Kind | null;
  /** In whose name: whose word counts for the address. In the order of ids. */
  people: string[];
}

const columns = {
  test: messages.test,
  channel: messages.channel,
  locale: messages.locale,
  notificationTypeId: messages.notificationTypeId,
  consentLevel: messages.consentLevel,
  recipientId: messages.recipientId,
  toNormalized: messages.toNormalized,
  toHash: messages.toHash,
  organisation: tenants.name,
  defaultConsentLevel: tenants.defaultConsentLevel,
};

/** In whose name it is said: that of the owner of the address, who may be the contact of a structure; else of whoever was named. */
async function peopleOf(
  db: Db | Tx,
  tenantId: string,
  message: { recipientId: string | null; toNormalized: string | null },
): Promise<string[]> {
  const { toNormalized, recipientId } = message;
  const people = await findConcerned(db, tenantId, {
    normalized: toNormalized === null ? [] : [toNormalized],
    ids: recipientId === null ? [] : [recipientId],
  });
  const owners = toNormalized === null ? [] : (people.byAddress.get(toNormalized) ?? []);
  const concerned = concernedBy({ recipientId, normalized: toNormalized }, people).map(({ id }) => id);
  const owning = concerned.filter((id) => owners.some((owner) => owner.id === id));
  return (owning.length > 0 ? owning : concerned).sort();
}

async function kindOf(
  db: Db | Tx,
  tenantId: string,
  { notificationTypeId, consentLevel }: { notificationTypeId: string | null; consentLevel: number },
): Promise<Kind | null> {
  const type = notificationTypeId === null ? null : await findNotificationType(db, tenantId, notificationTypeId);
  if (type !== null) return { of: 'type', type };
  return consentLevel > 1 ? { of: 'prospecting' } : null;
}

/** Reads what a link is about; null when there is no such message any more. */
export async function readLinked(
  deps: SuppressionDeps,
  db: Db | Tx,
  { tenantId, messageId, trial }: LinkedMessage,
): Promise<Linked | null> {
  const [found] = await db
    .select(columns)
    .from(messages)
    .innerJoin(tenants, eq(tenants.id, messages.tenantId))
    .where(and(eq(messages.tenantId, tenantId), eq(messages.id, messageId)));
  if (found === undefined) return null;
  const { toNormalized: address, toHash, channel, test, organisation, defaultConsentLevel, locale } = found;
  const ofAddress = address === null ? null : await hashOfAddress(deps, db, { tenantId, channel, address });
  const people = await peopleOf(db, tenantId, found);
  const kind = people.length === 0 ? null : await kindOf(db, tenantId, found);
  const about = { tenantId, messageId, organisation, defaultConsentLevel, locale, channel };
  return { ...about, trial: trial || test, address, addressHash: ofAddress ?? toHash, kind, people };
}

/** A suppression that its address asked for holds; that of a bounce is lifted when the address works again. */
export const isAsked = (row: SuppressionRow | null): boolean => row !== null && row.cause !== 'bounce';

/** Whether its kind, and whether everything, is refused already. */
export async function refusedOf(
  db: Db | Tx,
  { tenantId, channel, addressHash, kind, people }: Linked,
): Promise<{ kind: boolean; all: boolean }> {
  const row = addressHash === null ? null : await findSuppression(db, tenantId, channel, addressHash);
  if (kind === null) return { kind: false, all: isAsked(row) };
  const refused =
    kind.of === 'type'
      ? await whoRefused(db, tenantId, kind.type.id, channel, people)
      : await whoWithdrew(db, tenantId, people);
  return { kind: people.every((id) => refused.has(id)), all: isAsked(row) };
}
