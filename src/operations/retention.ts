import { and, desc, eq, sql } from 'drizzle-orm';
import type { Tx } from '../db/client.ts';
import { operations } from '../db/tables/dispatch.ts';
import { tenants } from '../db/tables/tenants.ts';
import {
  adoptDocuments,
  deleteDoubtedDocuments,
  hasDoubtedDocuments,
  keepUsedDocuments,
} from '../personal-data/erasure/documents.ts';
import { emptyMessages, lockUnerased } from '../personal-data/erasure/empty-messages.ts';
import { eraseExportFiles, holdExports } from '../personal-data/erasure/export-files.ts';
import { type Cutoff, endOldDrafts, forgetOldFilters } from '../personal-data/erasure/forget-requests.ts';
import { eraseOutboxFiles } from '../personal-data/erasure/outbox-files.ts';
import { firstId, firstIdAt, nextSpan } from '../personal-data/erasure/walk.ts';
import { midnightDaysAgo } from '../templates/language/civil-time.ts';
import { lockTenant, type TenantRow } from '../tenants/store.ts';
import { type Next, stepStages } from './stages.ts';
import { createOperation, type OperationDeps, type OperationRow, type Progress, serviceCaller } from './store.ts';

const messagesPerStep = 500;

const categories = ['transactional', 'service', 'marketing'] as const;

/** For each category that has an end: the midnight, in the tenant's zone, before which nothing is kept. */
function cutoffsOf(tenant: TenantRow, now: Date): Cutoff[] {
  return categories.flatMap((category) => {
    const days = tenant.retentionDaysByCategory[category] ?? tenant.retentionDays;
    if (days === null) return [];
    return [{ category, before: midnightDaysAgo(now, tenant.timezone, days).toISOString() }];
  });
}

async function startFor(deps: OperationDeps, tenant: TenantRow): Promise<boolean> {
  const now = deps.clock.now();
  const today = midnightDaysAgo(now, tenant.timezone, 0);
  const isDone = async (db: Tx | OperationDeps['db']) => {
    const [last] = await db
      .select({ createdAt: operations.createdAt })
      .from(operations)
      .where(and(eq(operations.tenantId, tenant.id), eq(operations.kind, 'retention')))
      .orderBy(desc(operations.id))
      .limit(1);
    return last !== undefined && last.createdAt >= today;
  };
  if (await isDone(deps.db)) return false;
  await deps.addressHashes.prepare(deps.db, tenant.id);
  return deps.db.transaction(async (tx) => {
    await lockTenant(tx, tenant.id);
    // Another worker may have been faster.
    if (await isDone(tx)) return false;
    const parameters = { cutoffs: cutoffsOf(tenant, now) };
    await createOperation(deps, tx, serviceCaller(tenant.id), { kind: 'retention', parameters, total: 0 });
    return true;
  });
}

/** Starts the day's operation of each tenant that keeps things for a time only. @returns how many. */
export async function startRetention(deps: OperationDeps): Promise<number> {
  const limited = await deps.db
    .select()
    .from(tenants)
    .where(sql`${tenants.retentionDays} is not null or ${tenants.retentionDaysByCategory} <> '{}'`);
  let started = 0;
  for (const tenant of limited) if (await startFor(deps, tenant)) started += 1;
  return started;
}

type Stage = 'messages' | 'requests' | 'walk' | 'documents' | 'files';

interface Step {
  deps: OperationDeps;
  tx: Tx;
  row: OperationRow;
  cutoffs: readonly Cutoff[];
  after: string;
}

/** Those that ended, and of which nothing happened since. What waits, for a person or for its time, stays. */
async function emptyOldMessages({ deps, tx, row, cutoffs, after }: Step): Promise<Next<Stage>> {
  const { tenantId } = row;
  const latest = cutoffs.reduce((last, { before }) => (before > last ? before : last), '');
  const span = await nextSpan(tx, tenantId, after || firstId);
  if (latest === '' || span === null || span.after >= firstIdAt(new Date(latest))) return { stage: 'requests' };
  const old = await tx.execute<{ id: string }>(sql`
    select messages.id from messages
    join templates on templates.tenant_id = messages.tenant_id and templates.id = messages.template_id
    join json_to_recordset(${JSON.stringify(cutoffs)}::json) as cutoff(category text, before timestamptz)
      on cutoff.category = templates.category
    where messages.tenant_id = ${tenantId} and messages.id > ${span.after} and messages.id <= ${span.to}
      and messages.erased_at is null and messages.status in ('OK', 'KO', 'B')
      and coalesce(messages.dispatch_state, '') = 'idle' and messages.updated_at < cutoff.before
    order by messages.id limit ${messagesPerStep}`);
  const ids = [...old].map(({ id }) => id);
  if (ids.length > 0) await holdExports(tx, tenantId);
  const { free } = await lockUnerased(tx, tenantId, ids);
  const ended = free.filter(
    ({ status, dispatchState }) => status !== 'E' && status !== 'V' && dispatchState === 'idle',
  );
  const emptied = await emptyMessages(deps, tx, { tenantId, operationId: row.id }, ended);
  // Now: an erasure that comes later finds these messages no more.
  await eraseExportFiles(tx, tenantId, emptied.ids);
  const full = ids.length === messagesPerStep;
  return { stage: 'messages', after: (full ? ids.at(-1) : undefined) ?? span.to, done: ended.length };
}

async function forgetOldRequests({ deps, tx, row, cutoffs }: Step): Promise<Next<Stage>> {
  const ended = await endOldDrafts(deps, tx, row.tenantId, cutoffs);
  if (ended > 0) return { stage: 'requests' };
  // What a filter was about, and so its category, is not known: it is kept as long as anything.
  if (cutoffs.length === categories.length) {
    const earliest = cutoffs.reduce((first, { before }) => (before < first ? before : first), cutoffs[0]?.before ?? '');
    await forgetOldFilters(tx, row.tenantId, new Date(earliest));
  }
  return { stage: 'walk' };
}

async function walkDocuments({ tx, row, after }: Step): Promise<Next<Stage>> {
  const erasure = { tenantId: row.tenantId, operationId: row.id };
  if (after === '') await adoptDocuments(tx, erasure);
  const span = (await hasDoubtedDocuments(tx, erasure)) ? await nextSpan(tx, row.tenantId, after || firstId) : null;
  if (span === null) return { stage: 'documents' };
  await keepUsedDocuments(tx, erasure, span);
  return { stage: 'walk', after: span.to };
}

async function deleteOldDocuments({ tx, row }: Step): Promise<Next<Stage>> {
  await deleteDoubtedDocuments(tx, { tenantId: row.tenantId, operationId: row.id });
  return { stage: 'files' };
}

async function deleteOldFiles({ deps, tx }: Step): Promise<Next<Stage>> {
  await eraseOutboxFiles(deps, tx);
  return { stage: 'end' };
}

const stages: Record<Stage, (step: Step) => Promise<Next<Stage>>> = {
  messages: emptyOldMessages,
  requests: forgetOldRequests,
  walk: walkDocuments,
  documents: deleteOldDocuments,
  files: deleteOldFiles,
};

/** Does the next step of a day's retention. */
export async function stepRetention(deps: OperationDeps, tx: Tx, row: OperationRow): Promise<Progress> {
  const { cutoffs } = row.parameters as unknown as { cutoffs: Cutoff[] };
  return stepStages<Stage>(deps, tx, row, 'messages', (stage, after) =>
    stages[stage]({ deps, tx, row, cutoffs, after }),
  );
}
