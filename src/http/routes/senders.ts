import type { Runtime } from '../../runtime.ts';
import { NewSender, Sender, SenderChange } from '../../senders/schema.ts';
import {
  createSender,
  deleteSender,
  getSender,
  listSenders,
  type SenderRow,
  updateSender,
} from '../../senders/store.ts';
import { makeSignature } from '../../templates/authoring/signature.ts';
import { actorOf } from '../../tenants/rights.ts';
import { changeRoute, createRoute, deleteRoute, listRoute, type Resource, readRoute } from '../resource-routes.ts';
import type { App } from '../validation.ts';

/** Senders: who messages come from (W3). */
export function senderRoutes(app: App, runtime: Runtime): void {
  app.addSchema(Sender);
  const senders: Resource<SenderRow> = {
    name: 'senders',
    component: 'Sender',
    tag: 'content',
    get: (tenantId, id) => getSender(runtime.db, tenantId, id),
    present({ tenantId: _tenantId, revision: _revision, ...shown }) {
      return shown;
    },
  };
  createRoute(app, runtime, senders, {
    summary: 'Create a sender',
    body: NewSender,
    errors: ['conflict', 'unprocessable'],
    prepare: (_caller, { signature = null }) => makeSignature(runtime.reader, signature),
    create: (tx, caller, body, signature) =>
      createSender(runtime, tx, caller.tenantId, actorOf(caller), {
        key: body.key,
        user: body.user ?? null,
        fromAddress: body.fromAddress,
        fromName: body.fromName ?? null,
        replyTo: body.replyTo ?? null,
        archiveBcc: body.archiveBcc ?? [],
        isDefault: body.isDefault,
        ...signature,
      }),
  });
  changeRoute(app, runtime, senders, {
    summary: 'Change a sender',
    description: 'Messages that exist keep what it said when they were made.',
    body: SenderChange,
    errors: ['conflict', 'unprocessable'],
    prepare: async (_target, { signature }) =>
      signature === undefined ? {} : await makeSignature(runtime.reader, signature),
    change: (tx, target, { signature: _signature, ...body }, _caller, signature) =>
      updateSender(runtime, tx, target, { ...body, ...signature }),
  });
  deleteRoute(app, runtime, senders, {
    summary: 'Delete a sender that nothing uses',
    errors: ['in_use'],
    remove: (tx, tenantId, actor, id) => deleteSender(runtime, tx, tenantId, actor, id),
  });
  listRoute(app, runtime, senders, {
    summary: 'List senders',
    list: (tenantId, page) => listSenders(runtime.db, tenantId, page),
  });
  readRoute(app, senders, { summary: 'Read a sender' });
}
