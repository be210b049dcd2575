import { and, eq, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Db, Tx } from '../../db/client.ts';
import { idList } from '../../db/rows.ts';
import { choiceChanges, choices } from '../../db/tables/permissions.ts';
import { AppError, type ErrorItem, notFound } from '../../errors.ts';
import { recordAudit } from '../../tenants/audit.ts';
import { type Actor, nameOf } from '../../tenants/rights.ts';
import { getRecipient, lockRecipient } from '../store.ts';
import { isHandedDown, saidThemselves } from './handed-down.ts';
import { catalogue, type NotificationTypeRow } from './notification-types.ts';

/** What holds for one person, one notification type and one channel. */
export interface HeldChoice {
  type: NotificationTypeRow;
  channel: string;
  accepted: boolean;
  /** What decides, or null: the default of the type holds. */
  said: SaidChoice | null;
  /** What the person said themselves, which may not be what holds: a member's refusal does. Null: nothing. */
  own: SaidChoice | null;
}

/** What somebody said of one type and one channel. */
export interface SaidChoice {
  accepted: boolean;
  source: string | null;
  author: string | null;
  at: Date;
}

/** A choice as callers give it. */
export interface GivenChoice {
  /** Key or id. */
  notificationType: string;
  channel: string;
  accepted: boolean;
  source?: string | null;
}

/**
 * The whole catalogue as one person sees it: each type by key, each channel it is offered on. A person of a household
 * has the choices of its member; what they refused themselves stays refused.
 * @throws AppError `not_found`.
 */
export async function heldChoices(db: Db | Tx, tenantId: string, reference: string): Promise<HeldChoice[]> {
  const person = await getRecipient(db, tenantId, reference);
  const heldBy = person.householdOf ?? person.id;
  const types = await catalogue(db, tenantId);
  const rows = await db
    .select()
    .from(choices)
    .where(and(eq(choices.tenantId, tenantId), sql`${choices.recipientId} = any(${idList([person.id, heldBy])})`));
  return types.flatMap((type) =>
    type.channels.map((channel) => {
      const said = rows.filter((one) => one.notificationTypeId === type.id && one.channel === channel);
      const ofHolder = said.find((one) => one.recipientId === heldBy);
      const own = said.find((one) => one.recipientId === person.id && (one === ofHolder || !isHandedDown(one)));
      const row = own?.accepted === false ? own : ofHolder;
      const accepted = row?.accepted ?? type.defaultChoice === 'on';
      return { type, channel, accepted, said: saidOf(row), own: saidOf(own) };
    }),
  );
}

function saidOf(row: typeof choices.$inferSelect | undefined): SaidChoice | null {
  if (row === undefined) return null;
  const { accepted, source, author, updatedAt: at } = row;
  return { accepted, source, author, at };
}

type ReadChoice = { type: NotificationTypeRow; channel: string; accepted: boolean; source: string | null };

function readChoices(types: readonly NotificationTypeRow[], given: readonly GivenChoice[]): ReadChoice[] {
  const faults: ErrorItem[] = [];
  const read = new Map<string, ReadChoice>();
  for (const [index, { notificationType, channel, accepted, source }] of given.entries()) {
    const refuse = (field: string, code: string, message: string) =>
      faults.push({ pointer: `/choices/${index}${field}`, code, message });
    const type =
      types.find(({ id }) => id === notificationType.toLowerCase()) ??
      types.find(({ key }) => key === notificationType);
    if (type === undefined) {
      refuse('/notificationType', 'notification_type_unknown', 'there is no such notification type');
    } else if (!type.channels.includes(channel)) {
      refuse('/channel', 'channel_not_offered', `${type.key} is not offered by ${channel}`);
    } else if (read.has(`${type.id} ${channel}`)) {
      refuse('', 'repeated', 'this type and channel come twice');
    } else {
      read.set(`${type.id} ${channel}`, { type, channel, accepted, source: source ?? null });
    }
  }
  const [first] = faults;
  if (first !== undefined)
    throw new AppError('unprocessable', { detail: `${first.pointer}: ${first.message}`, items: faults });
  return [...read.values()];
}

/** Keeps what was chosen, and that it was (M10). The people are locked in this transaction. */
export async function keepChoices(
  deps: { newId: NewId },
  tx: Tx,
  rows: (typeof choices.$inferInsert)[],
): Promise<void> {
  await tx
    .insert(choices)
    .values(rows)
    .onConflictDoUpdate({
      target: [choices.tenantId, choices.recipientId, choices.notificationTypeId, choices.channel],
      set: {
        accepted: sql`excluded.accepted`,
        source: sql`excluded.source`,
        author: sql`excluded.author`,
        updatedAt: sql`excluded.updated_at`,
      },
    });
  await tx
    .insert(choiceChanges)
    .values(rows.map(({ createdAt: at, updatedAt: _updatedAt, ...row }) => ({ ...row, id: deps.newId(), at })));
}

/** What people have by themselves about a kind of notice and a channel, and since when, by recipient. */
async function saidChoices(
  db: Db | Tx,
  tenantId: string,
  notificationTypeId: string,
  channel: string,
  recipientIds: readonly string[],
  only: { themselves?: boolean } = {},
): Promise<Map<string, { accepted: boolean; at: Date }>> {
  if (recipientIds.length === 0) return new Map();
  const rows = await db
    .select({ recipientId: choices.recipientId, accepted: choices.accepted, at: choices.updatedAt })
    .from(choices)
    .where(
      and(
        eq(choices.tenantId, tenantId),
        eq(choices.notificationTypeId, notificationTypeId),
        eq(choices.channel, channel),
        sql`${choices.recipientId} = any(${idList(recipientIds)})`,
        only.themselves === true ? saidThemselves : undefined,
      ),
    );
  return new Map(rows.map(({ recipientId, ...said }) => [recipientId, said]));
}

/**
 * Those of the recipients who said no themselves, whatever the default of the type, and when. What a household handed
 * down is not their word.
 */
export async function whoRefused(
  db: Db | Tx,
  tenantId: string,
  notificationTypeId: string,
  channel: string,
  recipientIds: readonly string[],
): Promise<Map<string, Date>> {
  const said = await saidChoices(db, tenantId, notificationTypeId, channel, recipientIds, { themselves: true });
  return new Map([...said].flatMap(([id, { accepted, at }]) => (accepted ? [] : [[id, at] as const])));
}

/**
 * Says no to a kind of notice in the name of people, also where the type is not offered on the channel: it may be one
 * day. Those who said no already are left as they are.
 * @param recipientIds locked in this transaction, in their order.
 * @returns those who had not said no.
 */
export async function refuseChoices(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  { tenantId, actor }: { tenantId: string; actor: Actor },
  { type, channel, source }: { type: NotificationTypeRow; channel: string; source: string },
  recipientIds: readonly string[],
): Promise<string[]> {
  const refused = await whoRefused(tx, tenantId, type.id, channel, recipientIds);
  const changed = recipientIds.filter((id) => !refused.has(id));
  if (changed.length === 0) return [];
  const now = deps.clock.now();
  const said = { tenantId, notificationTypeId: type.id, channel, accepted: false, source, author: nameOf(actor) };
  await keepChoices(
    deps,
    tx,
    changed.map((recipientId) => ({ ...said, recipientId, createdAt: now, updatedAt: now })),
  );
  const entry = { tenantId, actor, action: 'updated' as const, resourceType: 'recipient' };
  for (const resourceId of changed) {
    await recordAudit(deps, tx, { ...entry, resourceId, fields: [`choices.${type.key}.${channel}`] });
  }
  return changed;
}

/**
 * Sets the choices given and keeps the others (M10). The author is the person behind the key, else the key. What a person
 * of a household says is their own word: a refusal of the member still holds beside it.
 * @throws AppError `not_found`; `unprocessable` for an unknown type, a channel it is not offered on, or a repetition.
 */
export async function setChoices(
  deps: { clock: Clock; newId: NewId },
  tx: Tx,
  target: { tenantId: string; reference: string; actor: Actor },
  given: readonly GivenChoice[],
): Promise<void> {
  const { tenantId, reference, actor } = target;
  // Held against a deletion at the same moment, which would leave choices of nobody.
  const recipient = await lockRecipient(tx, tenantId, reference, 'share');
  if (recipient === null) throw notFound();
  const list = readChoices(await catalogue(tx, tenantId), given);
  const now = deps.clock.now();
  const author = nameOf(actor);
  const rows = list.map(({ type, channel, accepted, source }) => ({
    tenantId,
    recipientId: recipient.id,
    notificationTypeId: type.id,
    channel,
    accepted,
    source,
    author,
    createdAt: now,
    updatedAt: now,
  }));
  // One order for everybody: two requests about one person wait for each other, never in a circle.
  rows.sort((left, right) =>
    `${left.notificationTypeId}${left.channel}` < `${right.notificationTypeId}${right.channel}` ? -1 : 1,
  );
  await keepChoices(deps, tx, rows);
  await recordAudit(deps, tx, {
    tenantId,
    actor,
    action: 'updated',
    resourceType: 'recipient',
    resourceId: recipient.id,
    fields: list.map(({ type, channel }) => `choices.${type.key}.${channel}`),
  });
}

/** Whether a type refuses everybody on a channel: it is inactive, or not offered there. */
function refusesAll(type: Pick<NotificationTypeRow, 'active' | 'channels'>, channel: string): boolean {
  return !type.active || !type.channels.includes(channel);
}

/** Whether somebody with no record at all is refused: the type refuses everybody, or the box must be ticked. */
export function typeRefusesUnknown(
  type: Pick<NotificationTypeRow, 'active' | 'channels' | 'defaultChoice'>,
  channel: string,
): boolean {
  return refusesAll(type, channel) || type.defaultChoice === 'off';
}

/**
 * Those of the people who do not get this kind of notice by this channel, and since when they have said so; null where
 * the default, or the type itself, decides: it is inactive, or not offered on the channel (W5, M9).
 * @param holderIds those whose choices hold (`PersonConcerned.holderId`).
 */
export async function refusingHolders(
  db: Db | Tx,
  tenantId: string,
  type: NotificationTypeRow,
  channel: string,
  holderIds: readonly string[],
): Promise<Map<string, Date | null>> {
  if (refusesAll(type, channel)) return new Map(holderIds.map((id) => [id, null]));
  const said = await saidChoices(db, tenantId, type.id, channel, holderIds);
  const refusing = new Map<string, Date | null>();
  for (const id of holderIds) {
    const one = said.get(id);
    if (!(one?.accepted ?? type.defaultChoice === 'on')) refusing.set(id, one?.at ?? null);
  }
  return refusing;
}
