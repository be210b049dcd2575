/**
 * Templates that end rendering threads: one that does it again and again is disabled, so that it takes no more time from
 * the others. Only what the hard limit met counts (`endedThread`): the cooperative one costs nobody a thread.
 */
import { and, eq, lte, or, sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Clock, NewId } from '../clock.ts';
import type { Db, Tx } from '../db/client.ts';
import { templateIncidents, templates } from '../db/tables/templates.ts';
import { recordEvents } from '../events/store.ts';
import { recordAudit } from '../tenants/audit.ts';
import { serviceActor } from '../tenants/rights.ts';
import type { PrepareResult } from './rendering/renderer.ts';
import { isThere, type TemplateRow } from './store.ts';

/** What reporting needs. */
export interface IncidentDeps {
  db: Db;
  clock: Clock;
  newId: NewId;
  log: Pick<Logger, 'warn' | 'error'>;
}

/** A version of a template that was rendered. */
interface RenderedVersion {
  templateId: string;
  templateVersion: number;
  /** Nothing of it reaches people: it says nothing of a template that they get mails of. */
  test: boolean;
}

/** So many threads ended within so long, over all processes, and a template is disabled. */
const incidentsAtMost = 5;
const countedMs = 3_600_000;

const ofTemplate = (tenantId: string, id: string) =>
  and(eq(templateIncidents.tenantId, tenantId), eq(templateIncidents.templateId, id));

/** Why intake does not take an inactive template, in words. */
export function whyInactive({ key, disabledReason }: Pick<TemplateRow, 'key' | 'disabledReason'>): string {
  if (disabledReason === null) return `the template ${key} is inactive`;
  return `the template ${key} is inactive: it was disabled because rendering it ended a thread ${incidentsAtMost} times within an hour`;
}

/** Forgets what a template has done, in the transaction that mends it or lets it go on. */
export async function forgetIncidents(tx: Tx, tenantId: string, templateId: string): Promise<void> {
  await tx.delete(templateIncidents).where(ofTemplate(tenantId, templateId));
}

/** Locks the template's row. Null when nothing of what it does matters any more: it is inactive, or has another version. */
async function lockCounted(tx: Tx, tenantId: string, { templateId, templateVersion }: RenderedVersion) {
  const [template] = await tx
    .select()
    .from(templates)
    .where(and(eq(templates.tenantId, tenantId), eq(templates.id, templateId), isThere))
    .for('update');
  if (template === undefined || !template.active) return null;
  // A draft is used by nobody yet, and an older version is mended already: neither says anything of the current one.
  const counted = template.currentVersion ?? templateVersion;
  return counted === templateVersion ? template : null;
}

async function disable(deps: IncidentDeps, tx: Tx, { tenantId, id }: TemplateRow, version: number): Promise<void> {
  await tx
    .update(templates)
    .set({
      active: false,
      disabledReason: 'timeouts',
      updatedAt: deps.clock.now(),
      updatedBy: null,
      revision: sql`${templates.revision} + 1`,
    })
    .where(and(eq(templates.tenantId, tenantId), eq(templates.id, id)));
  await forgetIncidents(tx, tenantId, id);
  const resource = { resourceType: 'template', resourceId: id };
  await recordAudit(deps, tx, { tenantId, actor: serviceActor, action: 'disabled', ...resource, fields: ['active'] });
  const data = { version, reason: 'timeouts' };
  await recordEvents(deps, tx, [{ tenantId, type: 'template.disabled', test: false, resourceId: id, data }]);
  deps.log.warn({ tenantId, templateId: id, version }, 'template.disabled');
}

async function keepIncidents(deps: IncidentDeps, tenantId: string, ended: RenderedVersion, count: number) {
  const { templateId, templateVersion: version } = ended;
  await deps.db.transaction(async (tx) => {
    const template = await lockCounted(tx, tenantId, ended);
    if (template === null) return;
    const now = deps.clock.now();
    const isOld = lte(templateIncidents.at, new Date(now.getTime() - countedMs));
    const isOther = sql`${templateIncidents.version} <> ${version}`;
    await tx.delete(templateIncidents).where(and(ofTemplate(tenantId, templateId), or(isOld, isOther)));
    const before = await tx.$count(templateIncidents, ofTemplate(tenantId, templateId));
    if (before + count >= incidentsAtMost) return disable(deps, tx, template, version);
    const rows = Array.from({ length: count }, () => ({ tenantId, templateId, id: deps.newId(), version, at: now }));
    await tx.insert(templateIncidents).values(rows);
  });
}

/**
 * Keeps what ended threads, and disables a template that does it again and again. Asks the database nothing when no
 * result ended its thread. Never rejects: what it counts must not stop what it is told by.
 * @param results of rendering, in the order of `rendered`.
 */
export async function reportEndedThreads(
  deps: IncidentDeps,
  tenantId: string,
  rendered: readonly RenderedVersion[],
  results: readonly (PrepareResult | undefined)[],
): Promise<void> {
  const ended = rendered.filter(({ test }, place) => {
    const result = results[place];
    return !test && result?.kind === 'template_timeout' && result.endedThread;
  });
  const versions = Map.groupBy(ended, ({ templateId, templateVersion }) => `${templateId}/${templateVersion}`);
  for (const same of versions.values()) {
    const [one] = same;
    if (one === undefined) continue;
    const { templateId, templateVersion: version } = one;
    deps.log.warn({ tenantId, templateId, version, threads: same.length }, 'template.ended-thread');
    await keepIncidents(deps, tenantId, one, same.length).catch((error: unknown) => {
      deps.log.error({ err: error, tenantId, templateId }, 'template.incident-unkept');
    });
  }
}
