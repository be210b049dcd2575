import { and, asc, desc, eq, gt, sql } from 'drizzle-orm';
import type { Db } from '../db/client.ts';
import { idList } from '../db/rows.ts';
import { attempts, messages, sendRequestDrafts, transitions } from '../db/tables/messages.ts';
import { responses } from '../db/tables/people.ts';
import { choiceChanges, consents, suppressions } from '../db/tables/permissions.ts';
import { auditEntries } from '../db/tables/tenants.ts';
import { AppError } from '../errors.ts';
import { type ContentCache, createContentCache, type MessageRow } from '../messages/content.ts';
import { type PreviewDeps, previewMessage } from '../messages/preview.ts';
import type { AttemptRow, TransitionRow } from '../messages/store.ts';
import { type HeldChoice, heldChoices } from '../recipients/permissions/choices.ts';
import type { ResponseRow } from '../recipients/responses/store.ts';
import type { RecipientWithAddresses } from '../recipients/store.ts';
import type { AddressHashes } from '../suppressions/address-hashes.ts';
import type { SuppressionRow } from '../suppressions/store.ts';
import { type DraftBody, isRowOf } from './draft-rows.ts';
import { firstId } from './erasure/walk.ts';
import { messagesOf, type Person, readPerson } from './person.ts';

/** What exporting needs. */
export interface ExportDeps extends PreviewDeps {
  db: Db;
  addressHashes: AddressHashes;
}

/** How the parts of a person's document are shown: as the rest of the API shows them. */
export interface PersonShown {
  recipient(row: RecipientWithAddresses): object;
  choice(held: HeldChoice): object;
  response(row: ResponseRow): object;
  suppression(row: SuppressionRow): object;
  message(row: MessageRow): object;
  transition(row: TransitionRow): object;
  attempt(row: AttemptRow): object;
}

/** Few enough that their texts are rendered at once, and that none waits long in memory. */
const messagesPerPage = 25;

async function readSuppressions({ db, addressHashes }: ExportDeps, tenantId: string, row: RecipientWithAddresses) {
  const mails = row.addresses.filter(({ kind }) => kind === 'mail').map(({ normalized }) => normalized);
  const hashes = await addressHashes.of(db, tenantId, 'mail', mails);
  if (hashes === null || hashes.length === 0) return [];
  const wanted = JSON.stringify(hashes);
  return db
    .select()
    .from(suppressions)
    .where(
      and(
        eq(suppressions.tenantId, tenantId),
        sql`${suppressions.addressHash} in (select json_array_elements_text(${wanted}::json))`,
      ),
    );
}

/** The record, and what was said by and of the person: all but their messages. */
async function readRecord(deps: ExportDeps, tenantId: string, row: RecipientWithAddresses, show: PersonShown) {
  const { db } = deps;
  const given = await db
    .select()
    .from(consents)
    .where(and(eq(consents.tenantId, tenantId), eq(consents.recipientId, row.id)))
    .orderBy(desc(consents.since), desc(consents.id));
  const changed = await db
    .select()
    .from(choiceChanges)
    .where(and(eq(choiceChanges.tenantId, tenantId), eq(choiceChanges.recipientId, row.id)))
    .orderBy(desc(choiceChanges.at), desc(choiceChanges.id));
  const answered = await db
    .select()
    .from(responses)
    .where(and(eq(responses.tenantId, tenantId), eq(responses.recipientId, row.id)))
    .orderBy(desc(responses.id));
  const entries = await db
    .select()
    .from(auditEntries)
    .where(
      and(
        eq(auditEntries.tenantId, tenantId),
        eq(auditEntries.resourceType, 'recipient'),
        eq(auditEntries.resourceId, row.id),
      ),
    )
    .orderBy(desc(auditEntries.id));
  return {
    recipient: show.recipient(row),
    choices: (await heldChoices(db, tenantId, row.id)).map(show.choice),
    choiceChanges: changed.map(({ tenantId: _tenantId, recipientId: _recipientId, ...change }) => change),
    consents: given.map(({ tenantId: _tenantId, recipientId: _recipientId, ...consent }) => consent),
    responses: answered.map(show.response),
    suppressions: (await readSuppressions(deps, tenantId, row)).map(show.suppression),
    auditEntries: entries.map(({ tenantId: _tenantId, ...entry }) => entry),
  };
}

/** The text as it left, or would leave; null where there is none: it could never be rendered. */
async function textOf(deps: ExportDeps, content: ContentCache, row: MessageRow): Promise<string | null> {
  try {
    return (await previewMessage(deps, content, row, { redirect: null, composedAt: null })).text;
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

async function* readMessages(deps: ExportDeps, person: Person, show: PersonShown): AsyncGenerator<object> {
  const { db } = deps;
  const content = createContentCache(db);
  let after = firstId;
  while (true) {
    const page = await db
      .select()
      .from(messages)
      .where(and(messagesOf(person), gt(messages.id, after)))
      .orderBy(asc(messages.id))
      .limit(messagesPerPage);
    const theirs = (table: typeof transitions | typeof attempts) =>
      and(eq(table.tenantId, person.tenantId), sql`${table.messageId} = any(${idList(page.map(({ id }) => id))})`);
    const moves = await db.select().from(transitions).where(theirs(transitions)).orderBy(asc(transitions.id));
    const tries = await db.select().from(attempts).where(theirs(attempts)).orderBy(asc(attempts.id));
    const texts = await Promise.all(page.map((row) => textOf(deps, content, row)));
    for (const [place, row] of page.entries()) {
      yield {
        message: show.message(row),
        text: texts[place] ?? null,
        transitions: moves.filter(({ messageId }) => messageId === row.id).map(show.transition),
        attempts: tries.filter(({ messageId }) => messageId === row.id).map(show.attempt),
      };
    }
    const last = page.at(-1);
    if (last === undefined || page.length < messagesPerPage) return;
    after = last.id;
  }
}

/** Rows of drafts that would become messages to them. One draft at a time: its body may be as large as a request. */
async function* readDrafts({ db }: ExportDeps, person: Person): AsyncGenerator<object> {
  let after = firstId;
  while (true) {
    const [draft] = await db
      .select({ id: sendRequestDrafts.sendRequestId, body: sendRequestDrafts.body })
      .from(sendRequestDrafts)
      .where(and(eq(sendRequestDrafts.tenantId, person.tenantId), gt(sendRequestDrafts.sendRequestId, after)))
      .orderBy(asc(sendRequestDrafts.sendRequestId))
      .limit(1);
    if (draft === undefined) return;
    for (const row of (draft.body as DraftBody).recipients) {
      if (isRowOf(person, row)) yield { sendRequest: draft.id, row };
    }
    after = draft.id;
  }
}

/** The members of a JSON array, one by one. */
async function* listed(members: AsyncGenerator<object>): AsyncGenerator<string> {
  let first = true;
  for await (const member of members) {
    yield `${first ? '' : ','}${JSON.stringify(member)}`;
    first = false;
  }
}

/**
 * Everything that is held of a person and was sent to them, as the pieces of one JSON document: their record and what
 * hangs on it first, then each message with its text, moves and tries, then what drafts have for them. Their dependants are not in it, nor what was
 * erased of their messages, nor messages of others that they had a copy of.
 */
export async function* exportPerson(
  deps: ExportDeps,
  tenantId: string,
  row: RecipientWithAddresses,
  show: PersonShown,
): AsyncGenerator<string> {
  const record = await readRecord(deps, tenantId, row, show);
  yield `${JSON.stringify(record).slice(0, -1)},"messages":[`;
  const person = await readPerson(deps.db, tenantId, row.id);
  yield* listed(readMessages(deps, person, show));
  yield '],"drafts":[';
  yield* listed(readDrafts(deps, person));
  yield ']}';
}
