import { and, asc, gt } from 'drizzle-orm';
import type { Tx } from '../db/client.ts';
import { messages } from '../db/tables/messages.ts';
import { recordEvents } from '../events/store.ts';
import {
  adoptDocuments,
  deleteDoubtedDocuments,
  hasDoubtedDocuments,
  keepUsedDocuments,
} from '../personal-data/erasure/documents.ts';
import { emptyMessages, lockUnerased } from '../personal-data/erasure/empty-messages.ts';
import { eraseExportFiles, eraseRecipientFiles, holdExports } from '../personal-data/erasure/export-files.ts';
import { followAddresses, forgetFollowed } from '../personal-data/erasure/followed-addresses.ts';
import { forgetPerson, forgetSuppressed } from '../personal-data/erasure/forget-person.ts';
import { forgetInFilters, forgetInNextDraft } from '../personal-data/erasure/forget-requests.ts';
import { forgetMentions } from '../personal-data/erasure/mentions.ts';
import { eraseOutboxFiles } from '../personal-data/erasure/outbox-files.ts';
import { firstId, nextSpan } from '../personal-data/erasure/walk.ts';
import { messagesOf, type Person, readPerson } from '../personal-data/person.ts';
import { lockRecipient } from '../recipients/store.ts';
import { recordAudit } from '../tenants/audit.ts';
import { hasUnread } from './import/uploads.ts';
import { refuseWaitingOf } from './import/waiting-rows.ts';
import { type Next, stepStages } from './stages.ts';
import { actorOfOperation, type OperationDeps, type OperationRow, type Progress } from './store.ts';

/** Messages of one transaction: few enough that no row is locked for long. */
const messagesPerStep = 200;

/**
 * In this order: what imports had received of the person is in their record before anything is looked for by it, and the
 * record goes last, so that an erasure that was interrupted knows whom it is about.
 */
type Stage = 'imports' | 'messages' | 'requests' | 'drafts' | 'walk' | 'documents' | 'files' | 'person';

/** A step of the work: what it is done with, and where it goes on. */
interface Step {
  deps: OperationDeps;
  tx: Tx;
  row: OperationRow;
  person: Person;
  /** The last id that was looked at in this stage; empty at its beginning. */
  after: string;
}

/** What had come before they were erased is read first: it would make them anew, and is kept until it is read. */
async function awaitImports({ tx, row }: Step): Promise<Next<Stage>> {
  const { imports = {} } = row.parameters as { imports?: Record<string, number> };
  const later = await hasUnread(tx, row.tenantId, imports);
  return { stage: later ? 'imports' : 'messages', later };
}

async function emptyTheirMessages({ deps, tx, row, person, after }: Step): Promise<Next<Stage>> {
  const { tenantId } = person;
  await holdExports(tx, tenantId);
  const found = await tx
    .select({ id: messages.id })
    .from(messages)
    .where(and(messagesOf(person), gt(messages.id, after || firstId)))
    .orderBy(asc(messages.id))
    .limit(messagesPerStep);
  const ids = found.map(({ id }) => id);
  const { free } = await lockUnerased(tx, tenantId, ids);
  const emptied = await emptyMessages(deps, tx, { tenantId, operationId: row.id }, free);
  await eraseExportFiles(tx, tenantId, emptied.ids);
  await forgetInFilters(tx, person, emptied);
  await forgetSuppressed(deps, tx, person, emptied.addresses);
  const last = ids.at(-1);
  const more = ids.length === messagesPerStep && last !== undefined;
  return { stage: more ? 'messages' : 'requests', after: more ? last : '', done: emptied.ids.length };
}

async function forgetTheirRequests({ deps, tx, person }: Step): Promise<Next<Stage>> {
  await forgetSuppressed(deps, tx, person, [...person.addresses]);
  await forgetInFilters(tx, person, { contextRefs: [], remarks: [] });
  return { stage: 'drafts' };
}

async function forgetTheirDrafts({ deps, tx, person, after }: Step): Promise<Next<Stage>> {
  const draft = await forgetInNextDraft(deps, tx, person, after);
  return draft === null ? { stage: 'walk' } : { stage: 'drafts', after: draft };
}

/** Everybody's messages: copies for the person, and documents that are somebody else's too. */
async function walkMessages({ deps, tx, row, person, after }: Step): Promise<Next<Stage>> {
  const { tenantId, addresses } = person;
  const erasure = { tenantId, operationId: row.id };
  if (after === '') await adoptDocuments(tx, erasure);
  const doubted = await hasDoubtedDocuments(tx, erasure);
  if (!doubted && addresses.size === 0) return { stage: 'documents' };
  const span = await nextSpan(tx, tenantId, after || firstId);
  if (span === null) return { stage: 'documents' };
  if (doubted) await keepUsedDocuments(tx, erasure, span);
  await holdExports(tx, tenantId);
  const { forgotten, beingSent } = await forgetMentions(deps, tx, tenantId, addresses, span);
  await eraseExportFiles(tx, tenantId, forgotten);
  if (beingSent.length > 0) return { stage: 'walk', after, later: true };
  return { stage: 'walk', after: span.to };
}

async function deleteTheirDocuments({ tx, row }: Step): Promise<Next<Stage>> {
  await deleteDoubtedDocuments(tx, { tenantId: row.tenantId, operationId: row.id });
  return { stage: 'files' };
}

async function deleteTheirFiles({ deps, tx }: Step): Promise<Next<Stage>> {
  await eraseOutboxFiles(deps, tx);
  return { stage: 'person' };
}

async function forgetThem({ deps, tx, row, person }: Step): Promise<Next<Stage>> {
  const { tenantId, id } = person;
  const recipient = await lockRecipient(tx, tenantId, id, 'delete');
  const left = await tx
    .select({ id: messages.id, state: messages.dispatchState })
    .from(messages)
    .where(messagesOf(person));
  // Made while the others were emptied.
  if (left.length > 0) return { stage: 'messages', later: left.every(({ state }) => state === 'sending') };
  await holdExports(tx, tenantId);
  if (recipient !== null) await refuseWaitingOf(tx, tenantId, recipient);
  await forgetPerson(deps, tx, person);
  await eraseRecipientFiles(tx, person);
  await forgetFollowed(tx, { tenantId, operationId: row.id }, person);
  const actor = actorOfOperation(row);
  await recordAudit(deps, tx, { tenantId, actor, action: 'erased', resourceType: 'recipient', resourceId: id });
  const event = { tenantId, type: 'recipient.erased' as const, test: false, resourceId: id };
  await recordEvents(deps, tx, [{ ...event, data: { operation: row.id } }]);
  return { stage: 'end' };
}

const stages: Record<Stage, (step: Step) => Promise<Next<Stage>>> = {
  imports: awaitImports,
  messages: emptyTheirMessages,
  requests: forgetTheirRequests,
  drafts: forgetTheirDrafts,
  walk: walkMessages,
  documents: deleteTheirDocuments,
  files: deleteTheirFiles,
  person: forgetThem,
};

/** Does the next step of an erasure. Killed at any point, it goes on from the last step that was committed. */
export async function stepErasure(deps: OperationDeps, tx: Tx, row: OperationRow): Promise<Progress> {
  const { tenantId, id: operationId } = row;
  const { recipient, addresses = null } = row.parameters as { recipient: string | null; addresses?: string };
  // Who is known by an address only: of the operation's own id, which nobody has.
  const known = await readPerson(tx, tenantId, recipient ?? operationId);
  const person = await followAddresses(deps, tx, { tenantId, operationId }, known, addresses);
  return stepStages<Stage>(deps, tx, row, 'imports', (stage, after) => stages[stage]({ deps, tx, row, person, after }));
}
