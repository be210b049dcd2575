import { and, eq, getTableColumns, or, sql } from 'drizzle-orm';
import type { Db } from '../db/client.ts';
import { prepareOnce } from '../db/prepare-once.ts';
import { senders, senderVersions } from '../db/tables/content.ts';
import { channelAccounts } from '../db/tables/dispatch.ts';
import { templates, templateVersions } from '../db/tables/templates.ts';
import { tenants } from '../db/tables/tenants.ts';
import { notFound } from '../errors.ts';
import { isCurrentSenderVersion, type SenderRow, senderColumns } from '../senders/store.ts';
import { isCurrentVersion, isThere, type TemplateRow } from '../templates/store.ts';
import type { TemplateVersionRow } from '../templates/versions.ts';
import type { TenantRow } from '../tenants/store.ts';

/** What intake reads of a version. */
export type PlannedVersion = Omit<TemplateVersionRow, 'written'>;

/** What a request uses where it names nothing else, and the template that most requests name. */
export interface Defaults {
  tenant: TenantRow;
  accountId: string | null;
  sender: SenderRow | null;
  /** Of the person who asks (M2). */
  ownSender: SenderRow | null;
  /** The template of the key that was asked for, with its current version. */
  template: TemplateRow | null;
  version: PlannedVersion | null;
}

// What the texts were made from is large, and nothing to a message.
const { written: _written, ...versionColumns } = getTableColumns(templateVersions);

const ofTenant = prepareOnce((db) =>
  db
    .select({
      tenant: tenants,
      accountId: channelAccounts.id,
      sender: senderColumns,
      template: templates,
      version: versionColumns,
    })
    .from(tenants)
    .leftJoin(
      channelAccounts,
      and(
        eq(channelAccounts.tenantId, tenants.id),
        eq(channelAccounts.channel, 'mail'),
        eq(channelAccounts.test, sql.placeholder('test')),
        eq(channelAccounts.isDefault, true),
      ),
    )
    .leftJoin(
      senders,
      and(eq(senders.tenantId, tenants.id), or(eq(senders.isDefault, true), eq(senders.user, sql.placeholder('user')))),
    )
    .leftJoin(senderVersions, isCurrentSenderVersion)
    .leftJoin(
      templates,
      and(eq(templates.tenantId, tenants.id), eq(templates.key, sql.placeholder('template')), isThere),
    )
    .leftJoin(templateVersions, isCurrentVersion)
    .where(eq(tenants.id, sql.placeholder('tenantId'))),
);

/**
 * Reads in one question what six would tell: it is asked for every request.
 * @param asked.template a template's key, `user` whoever asks; empty: none. @throws AppError `not_found` without a tenant.
 */
export async function readDefaults(
  db: Db,
  asked: { tenantId: string; test: boolean; template: string; user: string },
): Promise<Defaults> {
  // A row for each sender: the default one, and that of whoever asks.
  const found = await ofTenant(db).execute(asked);
  const [first] = found;
  if (first === undefined) throw notFound();
  const known = found.flatMap(({ sender }) => (sender.id === null ? [] : [sender as SenderRow]));
  const sender = known.find(({ isDefault }) => isDefault) ?? null;
  const ownSender = asked.user === '' ? null : (known.find(({ user }) => user === asked.user) ?? null);
  return { ...first, sender, ownSender };
}
