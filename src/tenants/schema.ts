import Type from 'typebox';
import { closed, Instant, key, lifetimeFields, line, nullable, Uuid, words } from '../fields.ts';
import { addressPolicyPattern } from './address-policy.ts';
import { scopes } from './rights.ts';

const timezone = line(60, { description: 'IANA time zone of civil rules, e.g. `Europe/Paris`.' });
const locale = Type.String({
  pattern: '^[a-z]{2}(-[A-Z]{2})?$',
  description: 'Language of dates and numbers, e.g. `fr-FR`.',
});
const validation = words(['manual', 'automatic'], {
  description: 'Whether messages wait in `E` for a person, or go straight to `V` (W10).',
});
const days = Type.Integer({ minimum: 1, maximum: 36_500 });
const mailAddress = Type.String({ minLength: 3, maxLength: 254 });

const settings = {
  timezone,
  locale,
  defaultValidation: validation,
  testRedirect: nullable({
    ...mailAddress,
    description: 'One address that receives everything instead of the real people (A10).',
  } as typeof mailAddress),
  defaultTemplate: nullable(
    key({ description: 'Key of the template for document types that have none of their own (W2).' }),
  ),
  constants: Type.Record(
    Type.String({ pattern: '^[\\p{L}_][\\p{L}\\p{N}_-]{0,99}$' }),
    Type.String({ maxLength: 2_000 }),
    {
      additionalProperties: false,
      maxProperties: 100,
      description:
        'Merge fields that are the same in every message, e.g. an address of a site; what a request gives comes before them. A change replaces them all.',
      examples: [{ URL_PJ_WEB: 'https://pj.universite.example' }],
    },
  ),
  documentMaxBytes: Type.Integer({ minimum: 1, maximum: 10_000_000, description: 'Largest document, in bytes.' }),
  addressPolicy: Type.String({
    pattern: addressPolicyPattern,
    description:
      'Which address of a record is written to (A9): `preferred` (default: the preferred one, else the first), `personal-first`, `institutional-first`, `both` (one message each), `role:{role}` (that one only), `explicit` (none: requests name the address). A template or a request may say otherwise.',
    examples: ['personal-first'],
  }),
  defaultConsentLevel: Type.Integer({
    minimum: 0,
    maximum: 3,
    description:
      'Consent of those who never said anything (M8): 0 refused, 1 management only (default), 2 also prospecting, 3 also third parties.',
  }),
  retentionDays: nullable(
    Type.Integer({
      minimum: 1,
      maximum: 36_500,
      description:
        'Days after the last thing that happened to a message when it is emptied of all that is personal; null: never.',
    }),
  ),
  retentionDaysByCategory: closed(
    { transactional: Type.Optional(days), service: Type.Optional(days), marketing: Type.Optional(days) },
    { description: 'The same for categories of templates that have an end of their own. A change replaces them all.' },
  ),
};

/** An organisation, as the API shows it. */
export const Tenant = closed({ id: Uuid, name: line(200), ...settings, ...lifetimeFields }, { $id: 'Tenant' });

/** Body of `POST /v1/tenants`. */
export const NewTenant = closed(
  {
    name: line(200),
    ...(Object.fromEntries(Object.entries(settings).map(([name, schema]) => [name, Type.Optional(schema)])) as {
      [Name in keyof typeof settings]: Type.TOptional<(typeof settings)[Name]>;
    }),
  },
  { examples: [{ name: 'Courtage Dupont', timezone: 'Europe/Paris', defaultValidation: 'manual' }] },
);

/** Body of `PATCH /v1/tenant`: only what is to change. */
export const TenantChange = closed(
  {
    name: Type.Optional(line(200)),
    timezone: Type.Optional(timezone),
    locale: Type.Optional(locale),
    defaultValidation: Type.Optional(settings.defaultValidation),
    testRedirect: Type.Optional(settings.testRedirect),
    defaultTemplate: Type.Optional(settings.defaultTemplate),
    constants: Type.Optional(settings.constants),
    documentMaxBytes: Type.Optional(settings.documentMaxBytes),
    addressPolicy: Type.Optional(settings.addressPolicy),
    defaultConsentLevel: Type.Optional(settings.defaultConsentLevel),
    retentionDays: Type.Optional(settings.retentionDays),
    retentionDaysByCategory: Type.Optional(settings.retentionDaysByCategory),
  },
  {
    minProperties: 1,
    examples: [
      { defaultValidation: 'automatic' },
      { retentionDays: 1_095, retentionDaysByCategory: { marketing: 365 } },
    ],
  },
);

const scope = words(scopes);

/** An API key, as the API shows it: never its secret. */
export const ApiKey = closed(
  {
    id: Uuid,
    name: line(200),
    kind: words(['live', 'test']),
    scopes: Type.Array(scope),
    unit: nullable(line(100)),
    expiresAt: nullable(Instant),
    revokedAt: nullable(Instant),
    lastUsedAt: nullable(Instant),
    secret: Type.Optional(Type.String({ description: 'Only in the answer that creates the key.' })),
    ...lifetimeFields,
  },
  { $id: 'ApiKey' },
);

/** Body of `POST /v1/api-keys`. */
export const NewApiKey = closed(
  {
    name: line(200),
    kind: words(['live', 'test'], { description: '`test` keys make messages that no provider ever sees.' }),
    scopes: Type.Array(scope, { minItems: 1, maxItems: scopes.length, uniqueItems: true }),
    expiresAt: Type.Optional(nullable(Instant)),
    unit: Type.Optional(nullable(line(100, { description: 'Part of the organisation the key is for.' }))),
  },
  { examples: [{ name: 'Winpass', kind: 'live', scopes: ['send:bulk', 'documents:create', 'messages:read'] }] },
);

/** Who changed what, when. */
export const AuditEntry = closed(
  {
    id: Uuid,
    at: Instant,
    action: Type.String(),
    resourceType: Type.String(),
    resourceId: Uuid,
    actorKeyId: nullable(Uuid),
    actorUser: nullable(Type.String()),
    fields: Type.Array(Type.String()),
  },
  { $id: 'AuditEntry' },
);
