import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { closed, key, reference } from '../../fields.ts';
import { type HeldChoice, heldChoices, setChoices } from '../../recipients/permissions/choices.ts';
import { Choices, ChoicesChange } from '../../recipients/permissions/schema.ts';
import { recipientReferencePattern } from '../../recipients/reference.ts';
import { NewRecipient, Recipient, RecipientChange, RecipientContent } from '../../recipients/schema.ts';
import {
  createRecipient,
  deleteRecipient,
  getRecipient,
  listRecipients,
  putRecipient,
  type RecipientWithAddresses,
  updateRecipient,
} from '../../recipients/store.ts';
import type { Runtime } from '../../runtime.ts';
import { actorOf } from '../../tenants/rights.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { expectedRevision, shown } from '../precondition.ts';
import { changeRoute, createRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
import type { App } from '../validation.ts';

/** How a path names a recipient. */
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
  };
}

/** What holds for one kind of notice and one channel, as the API shows it. */
export function presentChoice({ type, channel, accepted, said }: HeldChoice) {
  return {
    notificationType: type.key,
    notificationTypeId: type.id,
    title: type.title,
    active: type.active,
    channel,
    accepted,
    chosen: said !== null,
    source: said?.source ?? null,
    author: said?.author ?? null,
    chosenAt: said?.at ?? null,
  };
}

/** What is absent of a whole recipient. */
const nothing = { displayName: null, locale: null, preferredChannel: null, attributes: {}, addresses: [] };

/** `If-Match` is honoured where it is not required. */
function optionalRevision(request: FastifyRequest): { revision: number | null; mustExist: boolean } {
  const given = request.headers['if-match'] !== undefined;
  return { revision: given ? expectedRevision(request) : null, mustExist: given };
}

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
      answers: { 200: reference('Recipient'), 201: reference('Recipient') },
      errors: ['conflict', 'unprocessable', 'precondition_failed'],
    }),
    async (request, reply) => {
      const caller = callerOf(request);
      const { tenantId } = caller;
      const target = { tenantId, reference: request.params.id, actor: actorOf(caller), ...optionalRevision(request) };
      const content = { ...nothing, ...request.body };
      const { row, created } = await runtime.db.transaction(async (tx) => {
        const put = await putRecipient(runtime, tx, target, content);
        return { ...put, row: await getRecipient(tx, tenantId, put.row.id) };
      });
      if (created) reply.code(201).header('location', `/v1/recipients/${row.id}`);
      return shown(reply, row, presentRecipient);
    },
  );
}

function choiceRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/recipients/:id/choices',
    operation({
      id: 'getChoices',
      tag: 'people',
      summary: 'Read what a person gets, by which channel',
      description: 'The whole catalogue: what the person chose, else the default of the notification type.',
      access: ['choices:read'],
      params,
      answers: { 200: reference('Choices') },
    }),
    async (request) => {
      const held = await heldChoices(runtime.db, callerOf(request).tenantId, request.params.id);
      return { choices: held.map(presentChoice) };
    },
  );

  app.put(
    '/v1/recipients/:id/choices',
    operation({
      id: 'setChoices',
      tag: 'people',
      summary: 'Set what a person gets, by which channel',
      description: 'Sets the choices given and keeps the others. The author is `On-Behalf-Of`, else the key.',
      access: ['choices:update'],
      params,
      body: ChoicesChange,
      answers: { 200: reference('Choices') },
      errors: ['unprocessable'],
    }),
    async (request) => {
      const caller = callerOf(request);
      const { tenantId } = caller;
      const target = { tenantId, reference: request.params.id, actor: actorOf(caller) };
      const held = await runtime.db.transaction(async (tx) => {
        await setChoices(runtime, tx, target, request.body.choices);
        return heldChoices(tx, tenantId, target.reference);
      });
      return { choices: held.map(presentChoice) };
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

/** Recipients and their choices. */
export function recipientRoutes(app: App, runtime: Runtime): void {
  for (const component of [Recipient, Choices]) app.addSchema(component);
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
    async change(tx, { id: reference, ...target }, body) {
      const changed = await updateRecipient(runtime, tx, { ...target, reference }, body);
      return getRecipient(tx, target.tenantId, changed.id);
    },
  });
  deleteRoute(app, runtime, recipients, {
    summary: 'Delete a recipient, their addresses, choices, consents and responses',
    description: 'Their messages stay as they are. To have nothing personal left: `POST /v1/recipients/{id}/erase`.',
    remove: (tx, tenantId, actor, reference) => deleteRecipient(runtime, tx, tenantId, actor, reference),
  });
  listRoute(app, runtime, recipients, {
    summary: 'List recipients',
    filter,
    list: (tenantId, page, query) => listRecipients(runtime.db, tenantId, page, query),
  });
  readRoute(app, recipients, { summary: 'Read a recipient' });
  choiceRoutes(app, runtime);
}
