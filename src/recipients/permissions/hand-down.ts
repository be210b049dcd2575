/** What a member says holds for a household (M8). Whoever leaves it keeps what held: a refusal is not lost. */
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Clock, NewId } from '../../clock.ts';
import type { Tx } from '../../db/client.ts';
import { idList, insertRows } from '../../db/rows.ts';
import { choices, consents } from '../../db/tables/permissions.ts';
import { keepChoices } from './choices.ts';
import { newestConsents } from './consents.ts';

type Deps = { clock: Clock; newId: NewId };

/** Who leaves the household of whom. */
interface Leaving {
  tenantId: string;
  memberId: string;
  /** Locked in this transaction. */
  personIds: readonly string[];
}

/** Where it was said, as consents and choices keep it. */
const source = 'household';

async function handDownConsents(deps: Deps, tx: Tx, { tenantId, memberId, personIds }: Leaving): Promise<void> {
  const newest = await newestConsents(tx, tenantId, [memberId, ...personIds]);
  const now = deps.clock.now();
  const given = newest
    .filter(({ recipientId }) => recipientId === memberId)
    .flatMap(({ addressKind, level }) =>
      personIds.flatMap((recipientId) => {
        const own = newest.find((one) => one.recipientId === recipientId && one.addressKind === addressKind);
        // Their own word went less far: it stays.
        if (own !== undefined && own.level < level) return [];
        const said = { tenantId, recipientId, id: deps.newId(), addressKind, level };
        return [{ ...said, since: now, source, author: null, proof: null, createdAt: now }];
      }),
    );
  await insertRows(tx, consents, given);
}

async function handDownChoices(deps: Deps, tx: Tx, { tenantId, memberId, personIds }: Leaving): Promise<void> {
  const said = await tx
    .select()
    .from(choices)
    .where(and(eq(choices.tenantId, tenantId), sql`${choices.recipientId} = any(${idList([memberId, ...personIds])})`))
    .orderBy(asc(choices.notificationTypeId), asc(choices.channel));
  const now = deps.clock.now();
  const refused = new Set(
    said
      .filter(({ accepted }) => !accepted)
      .map((one) => `${one.recipientId} ${one.notificationTypeId} ${one.channel}`),
  );
  const given = said
    .filter(({ recipientId }) => recipientId === memberId)
    .flatMap(({ notificationTypeId, channel, accepted }) =>
      personIds
        .filter((recipientId) => !refused.has(`${recipientId} ${notificationTypeId} ${channel}`))
        .map((recipientId) => ({ tenantId, recipientId, notificationTypeId, channel, accepted })),
    );
  if (given.length === 0) return;
  const kept = given.map((row) => ({ ...row, source, author: null, createdAt: now, updatedAt: now }));
  await keepChoices(deps, tx, kept);
}

/** Gives people who leave a household what its member said, where their own word does not go less far. */
export async function handDown(deps: Deps, tx: Tx, leaving: Leaving): Promise<void> {
  if (leaving.personIds.length === 0) return;
  await handDownConsents(deps, tx, leaving);
  await handDownChoices(deps, tx, leaving);
}
