import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { closed, key, reference } from '../../fields.ts';
import { stopRefused } from '../../messages/stop-refused.ts';
import { doubtsAbout } from '../../recipients/addresses/doubts.ts';
import { createRecipient, deleteRecipient, putRecipient, updateRecipient } from '../../recipients/change.ts';
import { recipientReferencePattern } from '../../recipients/reference.ts';
import { NewRecipient, Recipient, RecipientChange, RecipientContent } from '../../recipients/schema.ts';
import { getRecipient, listRecipients, type RecipientWithAddresses } from '../../recipients/store.ts';
import type { Runtime } from '../../runtime.ts';
import { actorOf } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { expectedRevision, shown } from '../precondition.ts';
import { changeRoute, createRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
import { inTransaction } from '../transaction.ts';
import type { App } from '../validation.ts';

/** How a recipient is named in paths. */
export const recipientId = Type.String({
  maxLength: 400,
  pattern: recipientReferencePattern,
  description: 'The id, or `external:{type}:{externalId}` (percent-encoded where a path needs it).',
});
const params = closed({ id: recipientId });

/** A recipient as the API shows it. */
export function presentRecipient(row: RecipientWithAddresses) {
  const { tenantId: _tenantId, revision: _revision, addresses, ...shown } = row;
  return {
    ...shown,
    addresses: addresses.map(({ normalized: _normalized, ...address }) => address),
    warnings: doubtsAbout(addresses),
  };
}

const noRelations = { householdOf: null, referenceContactOf: null, partOf: null };

/** What is absent of a whole recipient. */
const nothing = {
  displayName: null,
  locale: null,
  preferredChannel: null,
  attributes: {},
  addresses: [],
  ...noRelations,
};

/** `If-Match` is honoured where it is not required. */
function optionalRevision(request: FastifyRequest): { revision: number | null; mustExist: boolean } {
  const given = request.headers['if-match'] !== undefined;
  return { revision: given ? expectedRevision(request) : null, mustExist: given };
}

/** What changing a record needs: what is refused there stays refused. */
const changing = (runtime: Runtime) => ({ ...runtime, beforeLeaving: stopRefused(runtime) });

function putRoute(app: App, runtime: Runtime): void {
  app.put(
    '/v1/recipients/:id',
    operation({
      id: 'putRecipient',
      tag: 'people',
      summary: 'Make a recipient what is given, whole',
      description:
        'With `external:{type}:{externalId}` it is created when it does not exist. What is absent from the body is emptied. `If-Match` is optional and honoured.',
      access: ['recipients:update'],
      params,
      headers: Type.Object({
        'If-Match': Type.Optional(Type.String({ description: 'The ETag that was read, or `*`.' })),
      }),
      body: RecipientContent,
      bodyIsWhole: true,
      answers: { 200: reference('Recipient'), 201: reference('Recipient') },
      errors: ['conflict', 'unprocessable', 'precondition_failed'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const { tenantId } = caller;
      const target = { tenantId, reference: request.params.id, actor: actorOf(caller), ...optionalRevision(request) };
      const content = { ...nothing, ...request.body };
      await runtime.addressHashes.prepare(runtime.db, tenantId);
      const { row, created } = await inTransaction(runtime, async (tx) => {
        const put = await putRecipient(changing(runtime), tx, target, content);
        return { ...put, row: await getRecipient(tx, tenantId, put.row.id) };
      });
      if (created) reply.code(201).header('location', `/v1/recipients/${row.id}`);
      return shown(reply, row, presentRecipient);
    },
  );
}

const filter = {
  type: Type.Optional(key({ description: 'Those of this type.' })),
  externalId: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'The caller’s own reference.' })),
  address: Type.Optional(
    Type.String({ minLength: 1, maxLength: 1000, description: 'Any of their addresses, in any spelling.' }),
  ),
};

/** Recipients. */
export function recipientRoutes(app: App, runtime: Runtime): void {
  for (const component of [Recipient]) app.addSchema(component);
  const prepare = (tenantId: string) => runtime.addressHashes.prepare(runtime.db, tenantId);
  const recipients: Resource<RecipientWithAddresses> = {
    name: 'recipients',
    component: 'Recipient',
    tag: 'people',
    id: recipientId,
    get: (tenantId, reference) => getRecipient(runtime.db, tenantId, reference),
    present: presentRecipient,
  };
  createRoute(app, runtime, recipients, {
    summary: 'Create a recipient',
    body: NewRecipient,
    errors: ['conflict', 'unprocessable'],
    create: (tx, caller, body) =>
      createRecipient(runtime, tx, caller.tenantId, actorOf(caller), { ...nothing, ...body }),
  });
  putRoute(app, runtime);
  changeRoute(app, runtime, recipients, {
    summary: 'Change a recipient',
    description: '`addresses` and `attributes` are replaced as a whole. Messages that exist keep their address.',
    body: RecipientChange,
    errors: ['conflict', 'unprocessable'],
    prepare: ({ tenantId }) => prepare(tenantId),
    async change(tx, { id: reference, ...target }, body) {
      const changed = await updateRecipient(changing(runtime), tx, { ...target, reference }, body);
      return getRecipient(tx, target.tenantId, changed.id);
    },
  });
  deleteRoute(app, runtime, recipients, {
    summary: 'Delete a recipient, their addresses, choices, consents and responses',
    description:
      'Their messages stay, and what waits against their word is blocked: to have nothing personal left, erase them. Refused while others are of their household, or parts or contacts of the structure.',
    errors: ['in_use'],
    prepare,
    remove: (tx, tenantId, actor, reference) => deleteRecipient(changing(runtime), tx, tenantId, actor, reference),
  });
  listRoute(app, runtime, recipients, {
    summary: 'List recipients',
    filter,
    list: (tenantId, page, query) => listRecipients(runtime.db, tenantId, page, query),
  });
  readRoute(app, recipients, { summary: 'Read a recipient' });
}
