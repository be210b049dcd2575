/** What each kind of data source is told, and which secrets it has. */
import Type, { type Static } from 'typebox';

const host = Type.String({ pattern: '^[A-Za-z0-9._:-]{1,253}$' });
const name = Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });
const certificateAuthority = Type.Optional(Type.String({ maxLength: 65_536, pattern: '^-----BEGIN CERTIFICATE-----' }));

/** Settings of a database. */
export const SqlSettings = Type.Object(
  {
    host,
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    database: name,
    user: name,
    /** `none`: inside an allowed network only. */
    tls: Type.Optional(Type.Enum(['required', 'none'])),
    certificateAuthority,
  },
  { additionalProperties: false },
);

/** Settings of an HTTP service. */
export const HttpSettings = Type.Object(
  { url: Type.String({ maxLength: 2_000, pattern: '^https?://' }), certificateAuthority },
  { additionalProperties: false },
);

/** Secrets of a database. */
export const SqlSecrets = Type.Object(
  { password: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024 })) },
  { additionalProperties: false },
);

/** Headers of every request to an HTTP service; those that carry the request itself are not the caller's. */
const headerName =
  '^(?!(?:host|connection|content-[a-z]+|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-[a-z-]+|accept|accept-encoding|range)$)[a-z][a-z0-9-]{0,99}$';

/** Secrets of an HTTP service: headers in small letters, `authorization` say. */
export const HttpSecrets = Type.Record(
  Type.String({ pattern: headerName }),
  Type.String({ minLength: 1, maxLength: 4_000, pattern: '^[\\x20-\\x7e]*$' }),
  { additionalProperties: false },
);

export type SqlSettings = Static<typeof SqlSettings>;
export type HttpSettings = Static<typeof HttpSettings>;
export type SqlSecrets = Static<typeof SqlSecrets>;
export type HttpSecrets = Static<typeof HttpSecrets>;
