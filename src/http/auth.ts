import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { authenticateKey } from '../tenants/keys.ts';
import { type Caller, demand, type Scope } from '../tenants/rights.ts';

/** What a route asks of its caller. `public`: nothing. `platform`: the platform key. Else one of the scopes. */
export type Access = 'public' | 'platform' | readonly Scope[];

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    /** Null on public and platform routes. */
    caller: Caller | null;
  }
}

/** What a test key may not do, whatever its scopes: it would reach a provider, or change what live messages use. */
const liveOnly: ReadonlySet<Scope> = new Set([
  'tenant:update',
  'api-keys:update',
  'channel-accounts:create',
  'channel-accounts:update',
  'senders:create',
  'senders:update',
  'templates:update',
  'field-lists:create',
  'layouts:create',
  'layouts:update',
  'field-lists:update',
  'data-sources:create',
  'data-sources:update',
  'extractions:create',
  'extractions:update',
  'notification-types:create',
  'notification-types:update',
  'recipient-types:create',
  'recipient-types:update',
  'recipients:create',
  'recipients:update',
  'choices:update',
  'responses:create',
  'responses:update',
  // Both are about live messages too.
  'personal-data:read',
  'personal-data:update',
  'consents:update',
  'suppressions:create',
  'suppressions:update',
]);

const userPattern = /^[^\u0000-\u001f\u007f]{1,200}$/;

function bearer(request: FastifyRequest): string {
  const [, token] = /^Bearer ([\x21-\x7e]{1,300})$/.exec(request.headers.authorization ?? '') ?? [];
  if (token === undefined) throw new AppError('unauthenticated');
  return token;
}

function checkPlatformKey(expected: string | null, given: string): void {
  const left = Buffer.from(given);
  const right = Buffer.from(expected ?? '');
  if (expected === null || left.length !== right.length || !timingSafeEqual(left, right)) {
    throw new AppError('unauthenticated');
  }
}

function userOf(request: FastifyRequest): string | null {
  const header = request.headers['on-behalf-of'];
  if (header === undefined) return null;
  // Node reads header bytes as Latin-1; callers send UTF-8.
  const user = Buffer.from(String(header), 'latin1').toString('utf8');
  if (!userPattern.test(user)) {
    throw new AppError('invalid_header', {
      detail: 'On-Behalf-Of must be 1 to 200 characters without control characters.',
    });
  }
  return user;
}

/**
 * Every route says what it asks of its caller, and is refused at registration if it does not.
 * Authentication comes before the body is read; the first scope listed is enough of several.
 */
export function useAuthentication(app: FastifyInstance, runtime: Runtime): void {
  app.decorateRequest('caller', null);
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined && route.url.startsWith('/v1')) {
      throw new Error(`${route.method} ${route.url} does not say who may call it`);
    }
  });
  app.addHook('onRequest', async (request) => {
    const access = request.routeOptions.config.access ?? 'public';
    if (access === 'public') return;
    const token = bearer(request);
    if (access === 'platform') return checkPlatformKey(runtime.config.platformKey, token);
    const key = await authenticateKey(runtime, token);
    if (key === null) throw new AppError('unauthenticated');
    const caller: Caller = { ...key, user: userOf(request) };
    const [first] = access;
    if (first !== undefined && !access.some((scope) => caller.scopes.includes(scope))) demand(caller, first);
    if (caller.testOnly && access.some((scope) => liveOnly.has(scope))) {
      throw new AppError('forbidden', { detail: 'A test key does not change what live messages depend on.' });
    }
    request.caller = caller;
  });
}

/** The caller of a route that asks for a key. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error(`${request.routeOptions.url} has no caller`);
  return request.caller;
}
