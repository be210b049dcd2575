import Type from 'typebox';
import { closed, key, lifetimeFields, line, nullable, Uuid, words } from '../../fields.ts';
import { sourceFaults } from './driver.ts';

const kind = words(['postgresql', 'mariadb', 'http']);
const settings = Type.Record(Type.String({ maxLength: 50 }), Type.Unknown(), {
  description:
    'postgresql, mariadb: `host`, `port`, `database`, `user`, `tls` (`required`, the default; `none` inside DATA_SOURCE_ALLOWED_NETWORKS only), `certificateAuthority` (PEM of a private one). http: `url`, under which extractions name their paths, and `certificateAuthority`.',
});
const secrets = Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 4_000 }), {
  description:
    'Write-only, encrypted at rest. postgresql, mariadb: `password`. http: headers of every request in small letters, `authorization` say.',
});
const statementTimeoutMs = Type.Integer({
  minimum: 100,
  maximum: 30_000,
  description: 'Longest time of one statement, or of one HTTP answer. Default 5,000.',
});
const maximumRows = Type.Integer({
  minimum: 1,
  maximum: 100_000,
  description: 'An extraction that gives more fails. Default 10,000.',
});

/** Where extractions ask. Secrets are never shown. */
export const DataSource = closed(
  {
    id: Uuid,
    key: key(),
    title: line(200),
    kind,
    settings,
    secretNames: Type.Array(Type.String(), { description: 'Which secrets are set.' }),
    statementTimeoutMs,
    maximumRows,
    ...lifetimeFields,
  },
  { $id: 'DataSource' },
);

/** Body of `POST /v1/data-sources`. */
export const NewDataSource = closed(
  {
    key: key(),
    title: line(200),
    kind,
    settings,
    secrets: Type.Optional(secrets),
    statementTimeoutMs: Type.Optional(statementTimeoutMs),
    maximumRows: Type.Optional(maximumRows),
  },
  {
    examples: [
      {
        key: 'gestion',
        title: 'Base de gestion, en lecture',
        kind: 'postgresql',
        settings: { host: 'base.mutuelle-armor.example', database: 'gestion', user: 'lecture' },
        secrets: { password: 'example-password' },
      },
      {
        key: 'adherents',
        title: 'Service des adhérents',
        kind: 'http',
        settings: { url: 'https://adherents.mutuelle-armor.example/api/' },
        secrets: { authorization: 'Bearer example-token' },
        statementTimeoutMs: 2000,
      },
    ],
  },
);

/** Body of `PATCH /v1/data-sources/{id}`. */
export const DataSourceChange = closed(
  {
    title: Type.Optional(line(200)),
    settings: Type.Optional(settings),
    secrets: Type.Optional(secrets),
    statementTimeoutMs: Type.Optional(statementTimeoutMs),
    maximumRows: Type.Optional(maximumRows),
  },
  { minProperties: 1, examples: [{ statementTimeoutMs: 10000 }] },
);

/** Answer of `POST /v1/data-sources/{id}/test`. */
export const DataSourceTest = closed(
  {
    ok: Type.Boolean(),
    fault: nullable(words(Object.keys(sourceFaults))),
    message: nullable(Type.String({ description: 'What the source says, or what the fault means.' })),
    canWrite: nullable(
      Type.Boolean({ description: 'Whether the credentials could change anything; null: it is not known.' }),
    ),
    warnings: Type.Array(Type.String(), { description: 'What should be mended before it is used.' }),
  },
  { $id: 'DataSourceTest' },
);
