import { and, eq, sql } from 'drizzle-orm';
import type { Db } from '../db/client.ts';
import { prepareOnce } from '../db/prepare-once.ts';
import { senders, senderVersions, templates, templateVersions } from '../db/tables/content.ts';
import { channelAccounts } from '../db/tables/dispatch.ts';
import { tenants } from '../db/tables/tenants.ts';
import { notFound } from '../errors.ts';
import { isCurrentSenderVersion, type SenderRow, senderColumns } from '../senders/store.ts';
import { isThere, type TemplateRow } from '../templates/store.ts';
import type { TemplateVersionRow } from '../templates/versions.ts';
import type { TenantRow } from '../tenants/store.ts';

/** What a request uses where it names nothing else, and the template that most requests name. */
export interface Defaults {
  tenant: TenantRow;
  accountId: string | null;
  sender: SenderRow | null;
  /** The template of the key that was asked for, with its current version. */
  template: TemplateRow | null;
  version: TemplateVersionRow | null;
}

const ofTenant = prepareOnce((db) =>
  db
    .select({
      tenant: tenants,
      accountId: channelAccounts.id,
      sender: senderColumns,
      template: templates,
      version: templateVersions,
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
    .leftJoin(senders, and(eq(senders.tenantId, tenants.id), eq(senders.isDefault, true)))
    .leftJoin(senderVersions, isCurrentSenderVersion)
    .leftJoin(
      templates,
      and(eq(templates.tenantId, tenants.id), eq(templates.key, sql.placeholder('template')), isThere),
    )
    .leftJoin(
      templateVersions,
      and(
        eq(templateVersions.tenantId, tenants.id),
        eq(templateVersions.templateId, templates.id),
        eq(templateVersions.version, templates.currentVersion),
      ),
    )
    .where(eq(tenants.id, sql.placeholder('tenantId'))),
);

/**
 * Reads in one question what five would tell: it is asked for every request.
 * @param asked.template a template's key; empty: none. @throws AppError `not_found` without a tenant.
 */
export async function readDefaults(
  db: Db,
  asked: { tenantId: string; test: boolean; template: string },
): Promise<Defaults> {
  const [found] = await ofTenant(db).execute(asked);
  if (found === undefined) throw notFound();
  const { sender } = found;
  return { ...found, sender: sender.id === null ? null : (sender as SenderRow) };
}
