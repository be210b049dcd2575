import { AppError } from '../errors.ts';

/** Resources that have `read`, `update` and `create` rights of their own. */
const resources = [
  'tenant',
  'api-keys',
  'audit-entries',
  'templates',
  'field-lists',
  'layouts',
  'data-sources',
  'extractions',
  'senders',
  'documents',
  'recipient-types',
  'recipients',
  'choices',
  'consents',
  'notification-types',
  'responses',
  'personal-data',
  'suppressions',
  'send-requests',
  'messages',
  'operations',
  'exports',
  'channel-accounts',
  'events',
] as const;

type Resource = (typeof resources)[number];

/** A right of an API key. `admin` has them all. */
export type Scope =
  | `${Resource}:${'read' | 'update' | 'create'}`
  | 'send:single'
  | 'send:bulk'
  | 'messages:validate'
  | 'admin';

/** Every right there is. */
export const scopes: readonly Scope[] = [
  ...resources.flatMap((resource) => [`${resource}:read`, `${resource}:update`, `${resource}:create`] as const),
  'send:single',
  'send:bulk',
  'messages:validate',
  'admin',
];

/** Who calls: one key of one tenant, and the person it says it acts for. */
export interface Caller {
  tenantId: string;
  /** Where the tenant's days begin: IANA name. */
  timezone: string;
  keyId: string;
  /** A test key makes and sees test messages only: nothing it does reaches a provider. */
  testOnly: boolean;
  scopes: readonly string[];
  /** `On-Behalf-Of`, or null. */
  user: string | null;
}

/** Who moves a message: a key (and the person behind it), or the service by a rule. */
export type Actor = { kind: 'key'; keyId: string; user: string | null } | { kind: 'service' };

/** The service's own hand. */
export const serviceActor: Actor = { kind: 'service' };

/** The caller as an actor of transitions and audit entries. */
export function actorOf(caller: Caller, user: string | null = null): Actor {
  return { kind: 'key', keyId: caller.keyId, user: user ?? caller.user };
}

/** The person an actor stands for, else its key; null for the service. */
export function nameOf(actor: Actor): string | null {
  return actor.kind === 'key' ? (actor.user ?? actor.keyId) : null;
}

/** Whether the caller has a right. */
export function may(caller: Caller, scope: Scope): boolean {
  return caller.scopes.includes(scope) || caller.scopes.includes('admin');
}

/** @throws AppError `forbidden` naming the right that is missing. */
export function demand(caller: Caller, scope: Scope): void {
  if (!may(caller, scope)) {
    throw new AppError('forbidden', { detail: `This key does not have the scope ${scope}.`, extra: { scope } });
  }
}
