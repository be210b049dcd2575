import { and, asc, eq, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../db/client.ts';
import { pastDeadlocks } from '../../db/deadlocks.ts';
import { idList } from '../../db/rows.ts';
import { recipients } from '../../db/tables/people.ts';
import { AppError } from '../../errors.ts';
import { recordEvents } from '../../events/store.ts';
import { refuseChoices } from '../../recipients/permissions/choices.ts';
import { withdrawProspecting } from '../../recipients/permissions/withdraw-consent.ts';
import { findSuppression, updateSuppression } from '../../suppressions/store.ts';
import { serviceActor } from '../../tenants/rights.ts';
import { suppressAddress, suppressForgotten } from '../suppress.ts';
import type { MoveDeps } from '../to-valid.ts';
import { isAsked, type Linked, readLinked, refusedOf } from './linked.ts';
import type { LinkedMessage, UnsubscribeLinks } from './links.ts';

/** What unsubscribing needs. */
export interface UnsubscribeDeps extends MoveDeps {
  db: Db;
  links: UnsubscribeLinks;
}

/** What is refused: the kind of the message, or everything that goes to its address. */
export type Refusal = 'kind' | 'all';

/** How matters stand for whoever has a link, as a page shows it. Nothing of it says who they are. */
export interface Standing {
  organisation: string;
  /** BCP 47: of the message. */
  locale: string;
  /** It was sent to a tester, or to nobody: nothing is ever changed. */
  trial: boolean;
  /** What can be refused alone, with its title in the catalogue where it is there; null: only everything. */
  kind: { title: string | null } | null;
  refused: { kind: boolean; all: boolean };
}

/** Where it was said, as choices, consents and suppressions keep it. */
const source = 'unsubscribe link';

async function standingOf(deps: UnsubscribeDeps, linked: Linked): Promise<Standing> {
  const { organisation, locale, trial, kind } = linked;
  const shown = kind === null ? null : { title: kind.of === 'type' ? kind.type.title : null };
  // A tester is not told what the real person has said.
  const refused = trial ? { kind: false, all: false } : await refusedOf(deps.db, linked);
  return { organisation, locale, trial, kind: shown, refused };
}

/** How matters stand. Changes nothing. Null for a token that this service did not make, or whose message is gone. */
export async function getStanding(deps: UnsubscribeDeps, token: string): Promise<Standing | null> {
  const link = deps.links.read(token);
  const linked = link === null ? null : await readLinked(deps, deps.db, link);
  return linked === null ? null : standingOf(deps, linked);
}

/** Those of the people who are there, locked: against a deletion, a new household or a second click at this moment. */
async function lockPeople(tx: Tx, { tenantId, people }: Linked): Promise<string[]> {
  const rows = await tx
    .select({ id: recipients.id })
    .from(recipients)
    .where(and(eq(recipients.tenantId, tenantId), sql`${recipients.id} = any(${idList(people)})`))
    .orderBy(asc(recipients.id))
    // Not more: who is just named as somebody's member is not waited for, by whoever waits for this.
    .for('no key update');
  return rows.map(({ id }) => id);
}

async function refuseKind(deps: UnsubscribeDeps, tx: Tx, linked: Linked): Promise<boolean> {
  const { tenantId, channel, kind, people, defaultConsentLevel } = linked;
  const target = { tenantId, actor: serviceActor };
  const changed =
    kind?.of === 'type'
      ? await refuseChoices(deps, tx, target, { type: kind.type, channel, source }, people)
      : await withdrawProspecting(deps, tx, target, { defaultLevel: defaultConsentLevel, source }, people);
  return changed.length > 0;
}

async function refuseAll(deps: UnsubscribeDeps, tx: Tx, linked: Linked): Promise<boolean> {
  const { tenantId, channel, address, addressHash } = linked;
  const target = { tenantId, actor: serviceActor };
  const given = { channel, cause: 'unsubscribed', since: null, note: source } as const;
  const known = addressHash === null ? null : await findSuppression(tx, tenantId, channel, addressHash);
  if (isAsked(known)) return false;
  if (known !== null) {
    await updateSuppression(deps, tx, { ...target, id: known.id, revision: null }, { cause: 'unsubscribed' });
  } else if (address !== null) await suppressAddress(deps, tx, target, { ...given, address });
  else if (addressHash !== null) await suppressForgotten(deps, tx, target, { ...given, addressHash });
  else return false;
  return true;
}

/** Does it, once: what is refused already stays as it is. @param found what the link was about a moment ago. */
async function refuse(
  deps: UnsubscribeDeps,
  tx: Tx,
  link: LinkedMessage,
  found: Linked,
  wanted: Refusal,
): Promise<void> {
  const locked = await lockPeople(tx, found);
  // Read again behind the lock: whose word it is may have changed until then.
  const linked = await readLinked(deps, tx, link);
  if (linked === null) return;
  const { tenantId, messageId, kind } = linked;
  const people = linked.people.filter((id) => locked.includes(id));
  const what = wanted === 'kind' && kind !== null && people.length > 0 ? 'kind' : 'all';
  const changed =
    what === 'kind' ? await refuseKind(deps, tx, { ...linked, people }) : await refuseAll(deps, tx, linked);
  if (!changed) return;
  const data = {
    refused: what,
    notificationType: what === 'kind' && kind?.of === 'type' ? kind.type.id : null,
    recipients: people,
  };
  const event = { tenantId, type: 'recipient.unsubscribed' as const, test: false, resourceId: messageId };
  await recordEvents(deps, tx, [{ ...event, data }]);
}

/**
 * Unsubscribes whoever has a link. `kind`: the kind of notice is refused in the name of those whose word counts for the
 * address, or their consent goes down to management only; where there is neither, everything is. `all`: the address is
 * suppressed, by its hash where it is forgotten, and what waits for it is blocked. Repeats change nothing. A link of a
 * trial changes nothing.
 * @returns how matters stand then; null as `getStanding`.
 */
export async function unsubscribe(deps: UnsubscribeDeps, token: string, wanted: Refusal): Promise<Standing | null> {
  const link = deps.links.read(token);
  const found = link === null ? null : await readLinked(deps, deps.db, link);
  if (link === null || found === null) return null;
  if (found.trial) return standingOf(deps, found);
  await deps.addressHashes.prepare(deps.db, link.tenantId);
  // A click may not come twice: what it meets at this moment does not undo it.
  const act = () => pastDeadlocks(() => deps.db.transaction((tx) => refuse(deps, tx, link, found, wanted)));
  await act().catch((error: unknown) => {
    // Somebody else suppressed the address, or lifted that, at this moment: once more, by what is there now.
    if (!(error instanceof AppError)) throw error;
    return act();
  });
  const after = await readLinked(deps, deps.db, link);
  return after === null ? null : standingOf(deps, after);
}
