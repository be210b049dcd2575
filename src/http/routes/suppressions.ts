import Type from 'typebox';
import { reference } from '../../fields.ts';
import { suppressAddress } from '../../messages/suppress.ts';
import type { Runtime } from '../../runtime.ts';
import { NewSuppression, Suppression, SuppressionChange, SuppressionMade } from '../../suppressions/schema.ts';
import {
  getSuppression,
  liftSuppression,
  listSuppressions,
  type SuppressionRow,
  updateSuppression,
} from '../../suppressions/store.ts';
import { actorOf } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { runIdempotently } from '../idempotency.ts';
import { operation } from '../openapi.ts';
import { shown } from '../precondition.ts';
import { changeRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
import type { App } from '../validation.ts';

const { channel, cause } = Suppression.properties;

const filter = {
  address: Type.Optional(
    Type.String({ minLength: 1, maxLength: 320, description: 'In any spelling; found also where it was forgotten.' }),
  ),
  channel: Type.Optional({ ...channel, description: 'Those of this channel.' } as typeof channel),
  cause: Type.Optional({ ...cause, description: 'Those with this cause.' } as typeof cause),
};

/** A suppression as the API shows it. */
export function presentSuppression(row: SuppressionRow) {
  const { tenantId: _tenantId, revision: _revision, addressHash: _addressHash, ...shownFields } = row;
  return shownFields;
}

/** Its answer tells more than the resource: what became of the messages that waited. */
function createRoute(app: App, runtime: Runtime): void {
  app.post(
    '/v1/suppressions',
    operation({
      id: 'createSuppression',
      tag: 'people',
      summary: 'Never write to an address again',
      description:
        'Messages in `E` or `V` whose `to` it is become `B` `suppressed` at once, test messages too, unless they are being sent. From now on a message to it is `B`, and a copy for it is left out, whoever the address belongs to. An address that is suppressed already answers 409 with the id in `suppression`.',
      access: ['suppressions:create'],
      body: NewSuppression,
      idempotency: 'accepted',
      answers: { 201: reference('SuppressionMade') },
      errors: ['conflict', 'unprocessable'],
    }),
    (request, reply) => {
      const caller = callerOf(request);
      const { tenantId } = caller;
      const { channel: on = 'mail', address, since, note = null, ...rest } = request.body;
      const given = { ...rest, channel: on, address, note, since: since === undefined ? null : new Date(since) };
      return runIdempotently<{ id: string; blocked: number; beingSent: number }>(
        runtime,
        request,
        reply,
        request.body,
        {
          prepare: () => runtime.addressHashes.prepare(runtime.db, tenantId),
          async commit(tx) {
            const { row, blocked, beingSent } = await suppressAddress(
              runtime,
              tx,
              { tenantId, actor: actorOf(caller) },
              given,
            );
            return { status: 201, answer: { id: row.id, blocked, beingSent: beingSent.length } };
          },
          present: async ({ id, ...counts }) =>
            shown(reply, await getSuppression(runtime.db, tenantId, id), (row) => ({
              ...presentSuppression(row),
              ...counts,
            })),
          location: ({ id }) => `/v1/suppressions/${id}`,
        },
      );
    },
  );
}

/** Suppressions: addresses never to be used again. */
export function suppressionRoutes(app: App, runtime: Runtime): void {
  for (const component of [Suppression, SuppressionMade]) app.addSchema(component);
  const suppressions: Resource<SuppressionRow> = {
    name: 'suppressions',
    component: 'Suppression',
    tag: 'people',
    get: (tenantId, id) => getSuppression(runtime.db, tenantId, id),
    present: presentSuppression,
  };
  createRoute(app, runtime);
  changeRoute(app, runtime, suppressions, {
    summary: 'Change the cause or the note of a suppression',
    body: SuppressionChange,
    change: (tx, target, body) => updateSuppression(runtime, tx, target, body),
  });
  deleteRoute(app, runtime, suppressions, {
    summary: 'Lift a suppression',
    description: 'The address may be written to again. Messages that it stopped stay in `B` until they are validated.',
    remove: (tx, tenantId, actor, id) => liftSuppression(runtime, tx, tenantId, actor, id),
  });
  listRoute(app, runtime, suppressions, {
    summary: 'List addresses that are not written to',
    filter,
    list: (tenantId, page, query) => listSuppressions(runtime, runtime.db, tenantId, page, query),
  });
  readRoute(app, suppressions, { summary: 'Read a suppression' });
}
