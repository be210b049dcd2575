import { and, desc, eq, lt, ne, sql } from 'drizzle-orm';
import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { senders, senderVersions } from '../db/tables/content.ts';
import { AppError, invalidField, notFound } from '../errors.ts';
import { recordAudit } from '../tenants/audit.ts';
import type { Actor } from '../tenants/rights.ts';
import { lockTenant } from '../tenants/store.ts';
import { uuidPattern } from '../text-patterns.ts';

type Deps = { clock: Clock; newId: NewId };

/** A sender with its current texts. */
export interface SenderRow {
  id: string;
  tenantId: string;
  key: string;
  isDefault: boolean;
  revision: number;
  version: number;
  fromAddress: string;
  fromName: string | null;
  replyTo: string | null;
  archiveBcc: string[];
  /** The person of the calling application whose own it is. */
  user: string | null;
  /** HTML; and the same as text. */
  signature: string | null;
  signatureText: string | null;
  createdAt: Date;
  updatedAt: Date;
}

/** What a sender says. */
export type SenderContent = Pick<
  SenderRow,
  'fromAddress' | 'fromName' | 'replyTo' | 'archiveBcc' | 'signature' | 'signatureText'
>;

/** A sender as texts may show it: as `sender`. */
export function shownSender({ fromName, fromAddress, signature, signatureText }: SenderContent) {
  const given = signature === null ? null : { html: signature, text: signatureText ?? '' };
  return { name: fromName, address: fromAddress, signature: given };
}

/** Columns of a sender with what its current version says. */
export const senderColumns = {
  id: senders.id,
  tenantId: senders.tenantId,
  key: senders.key,
  isDefault: senders.isDefault,
  revision: senders.revision,
  version: senderVersions.version,
  fromAddress: senderVersions.fromAddress,
  fromName: senderVersions.fromName,
  replyTo: senderVersions.replyTo,
  archiveBcc: senderVersions.archiveBcc,
  user: senders.user,
  signature: senderVersions.signature,
  signatureText: senderVersions.signatureText,
  createdAt: senders.createdAt,
  updatedAt: senders.updatedAt,
};

/** Joins a sender with its current version. */
export const isCurrentSenderVersion = and(
  eq(senderVersions.tenantId, senders.tenantId),
  eq(senderVersions.senderId, senders.id),
  eq(senderVersions.version, senders.currentVersion),
);

function selectSenders(db: Db | Tx) {
  return db.select(senderColumns).from(senders).innerJoin(senderVersions, isCurrentSenderVersion);
}

function strictAddress(value: string, pointer: string): string {
  const parsed = parseAddrSpec(value);
  if (parsed.kind === 'invalid') throw invalidField(pointer, 'address_invalid', parsed.why);
  return parsed.address;
}

function strictContent(content: SenderContent): SenderContent {
  return {
    fromAddress: strictAddress(content.fromAddress, '/fromAddress'),
    fromName: content.fromName,
    replyTo: content.replyTo === null ? null : strictAddress(content.replyTo, '/replyTo'),
    archiveBcc: content.archiveBcc.map((value, index) => strictAddress(value, `/archiveBcc/${index}`)),
    signature: content.signature,
    signatureText: content.signatureText,
  };
}

async function makeDefault(tx: Tx, tenantId: string): Promise<void> {
  await tx
    .update(senders)
    .set({ isDefault: false })
    .where(and(eq(senders.tenantId, tenantId), eq(senders.isDefault, true)));
}

/**
 * Adds a sender. The tenant's first one is its default unless `isDefault` is false.
 * @throws AppError `conflict` when the key is taken, `unprocessable` for an address that is not one addr-spec.
 */
export async function createSender(
  deps: Deps,
  tx: Tx,
  tenantId: string,
  actor: Actor,
  sender: SenderContent & { key: string; user: string | null; isDefault: boolean | undefined },
): Promise<{ id: string }> {
  const content = strictContent(sender);
  const now = deps.clock.now();
  const id = deps.newId();
  // Two first senders at once would both become the default one.
  await lockTenant(tx, tenantId);
  const current = await defaultSender(tx, tenantId);
  // Somebody's own is nobody else's default, unless that is said.
  const isDefault = sender.isDefault ?? (current === null && sender.user === null);
  if (isDefault) await makeDefault(tx, tenantId);
  const [row] = await tx
    .insert(senders)
    .values({
      tenantId,
      id,
      key: sender.key,
      user: sender.user,
      isDefault,
      currentVersion: 1,
      createdAt: now,
      updatedAt: now,
    })
    .onConflictDoNothing()
    .returning({ id: senders.id });
  if (row === undefined) {
    throw new AppError('conflict', { detail: `A sender has the key ${sender.key}, or is that of its user, already.` });
  }
  await tx.insert(senderVersions).values({ tenantId, senderId: id, version: 1, ...content, createdAt: now });
  await recordAudit(deps, tx, { tenantId, actor, action: 'created', resourceType: 'sender', resourceId: id });
  return { id };
}

/** The tenant's default sender, or null. */
export async function defaultSender(db: Db | Tx, tenantId: string): Promise<SenderRow | null> {
  const [row] = await selectSenders(db).where(and(eq(senders.tenantId, tenantId), eq(senders.isDefault, true)));
  return row ?? null;
}

/** The sender of a person of the calling application (M2), or null. */
export async function findOwnSender(db: Db | Tx, tenantId: string, user: string): Promise<SenderRow | null> {
  const [row] = await selectSenders(db).where(and(eq(senders.tenantId, tenantId), eq(senders.user, user)));
  return row ?? null;
}

/** @throws AppError `not_found`. */
export async function getSender(db: Db | Tx, tenantId: string, id: string): Promise<SenderRow> {
  const [row] = await selectSenders(db).where(and(eq(senders.tenantId, tenantId), eq(senders.id, id)));
  if (row === undefined) throw notFound();
  return row;
}

/** A sender by id or key, or null. */
export async function findSender(db: Db | Tx, tenantId: string, idOrKey: string): Promise<SenderRow | null> {
  const byId = uuidPattern.test(idOrKey) ? eq(senders.id, idOrKey) : eq(senders.key, idOrKey);
  const [row] = await selectSenders(db).where(and(eq(senders.tenantId, tenantId), byId));
  return row ?? null;
}

/** What a sender said at one version. It never changes. */
export async function getSenderVersion(
  db: Db | Tx,
  tenantId: string,
  senderId: string,
  version: number,
): Promise<SenderContent> {
  const [row] = await db
    .select()
    .from(senderVersions)
    .where(
      and(
        eq(senderVersions.tenantId, tenantId),
        eq(senderVersions.senderId, senderId),
        eq(senderVersions.version, version),
      ),
    );
  if (row === undefined) throw new Error(`sender ${senderId} has no version ${version}`);
  return row;
}

/** Newest first. */
export function listSenders(db: Db, tenantId: string, page: { limit: number; before: string | null }) {
  return selectSenders(db)
    .where(and(eq(senders.tenantId, tenantId), page.before === null ? undefined : lt(senders.id, page.before)))
    .orderBy(desc(senders.id))
    .limit(page.limit);
}

/** @throws AppError `conflict` when another sender is this person's. */
async function mustBeFree(tx: Tx, tenantId: string, id: string, user: string): Promise<void> {
  await lockTenant(tx, tenantId);
  const [other] = await tx
    .select({ key: senders.key })
    .from(senders)
    .where(and(eq(senders.tenantId, tenantId), eq(senders.user, user), ne(senders.id, id)));
  if (other !== undefined) throw new AppError('conflict', { detail: `The sender ${other.key} is that of ${user}.` });
}

/**
 * Changes a sender: a new version, which messages made from now on use.
 * @throws AppError `not_found`, `precondition_failed`, `unprocessable`.
 */
export async function updateSender(
  deps: Deps,
  tx: Tx,
  target: { tenantId: string; id: string; actor: Actor; revision: number | null },
  change: Partial<SenderContent> & { isDefault?: true; user?: string | null },
): Promise<SenderRow> {
  const { tenantId, id, actor, revision } = target;
  const before = await getSender(tx, tenantId, id);
  const { isDefault, user, ...texts } = change;
  if (user != null) await mustBeFree(tx, tenantId, id, user);
  const content = strictContent({ ...before, ...texts });
  const now = deps.clock.now();
  if (isDefault) {
    await lockTenant(tx, tenantId);
    await makeDefault(tx, tenantId);
  }
  const version = Object.keys(texts).length === 0 ? before.version : before.version + 1;
  const moved = await tx
    .update(senders)
    .set({
      currentVersion: version,
      // Only when it is asked for: another one may have become the default since this one was read.
      ...(isDefault === undefined ? {} : { isDefault }),
      ...(user === undefined ? {} : { user }),
      revision: sql`${senders.revision} + 1`,
      updatedAt: now,
    })
    // The revision that was read also guards two changes at once, with or without If-Match.
    .where(and(eq(senders.tenantId, tenantId), eq(senders.id, id), eq(senders.revision, revision ?? before.revision)))
    .returning({ id: senders.id });
  if (moved.length === 0) throw new AppError('precondition_failed');
  if (version > before.version) {
    await tx.insert(senderVersions).values({ tenantId, senderId: id, version, ...content, createdAt: now });
  }
  const fields = Object.keys(change);
  await recordAudit(deps, tx, { tenantId, actor, action: 'updated', resourceType: 'sender', resourceId: id, fields });
  return getSender(tx, tenantId, id);
}

/** @throws AppError `not_found`, or `in_use` when templates or messages refer to it. */
export async function deleteSender(deps: Deps, tx: Tx, tenantId: string, actor: Actor, id: string): Promise<void> {
  await getSender(tx, tenantId, id);
  // Before the look at what uses it: intake holds the row until its messages are stored.
  await tx.execute(sql`select 1 from senders where tenant_id = ${tenantId} and id = ${id} for update`);
  const used = await tx.execute<{ what: string }>(sql`
    (select 'templates' as what from template_versions version
      join templates on templates.tenant_id = version.tenant_id and templates.id = version.template_id
      where version.tenant_id = ${tenantId} and version.sender_id = ${id} and templates.deleted_at is null limit 1)
    union all
    (select 'messages' as what from messages where tenant_id = ${tenantId} and sender_id = ${id} limit 1)`);
  if (used.length > 0) {
    throw new AppError('in_use', { detail: `Used by ${used.map(({ what }) => what).join(' and ')}.` });
  }
  await tx.delete(senders).where(and(eq(senders.tenantId, tenantId), eq(senders.id, id)));
  await tx.delete(senderVersions).where(and(eq(senderVersions.tenantId, tenantId), eq(senderVersions.senderId, id)));
  await recordAudit(deps, tx, { tenantId, actor, action: 'deleted', resourceType: 'sender', resourceId: id });
}
