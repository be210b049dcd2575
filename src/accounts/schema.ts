import Type from 'typebox';
import { closed, Instant, lifetimeFields, line, nullable, Uuid, words } from '../fields.ts';

/** How fast an account may be used, over all workers together (W4). */
const Rhythm = closed(
  {
    waitAfterSendMs: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 3_600_000, description: 'Wait after each send. Default 0.' }),
    ),
    waitWhenIdleMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 3_600_000,
        description: 'Wait before looking again when there was nothing to do. Default 0.',
      }),
    ),
    waitAfterErrorMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 3_600_000,
        description: 'Wait before the next try after a send failed for a passing reason. Default 0.',
      }),
    ),
    maxPerMinute: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 1_000_000 }))),
    concurrency: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        description: 'Most sends at once. Default 10; 1 when there is a wait after each send.',
      }),
    ),
  },
  { description: 'None by default: as fast as the provider takes them.' },
);

const settings = Type.Record(Type.String({ maxLength: 50 }), Type.Unknown(), {
  description:
    'The driver’s settings. smtp: `host`, `port`, `security` (`tls`, `starttls`, `none`), `user`. outbox: `folder`.',
});
const secrets = Type.Record(Type.String({ maxLength: 50 }), Type.String({ maxLength: 10_000 }), {
  description: 'The driver’s secrets: write-only, encrypted at rest. smtp: `password`.',
});
const onUncertain = words(['resend', 'hold'], {
  description:
    'What to do when a crash or a lost connection leaves it unknown whether the provider has the message: send it again (at least once, the default) or keep it as `KO` `outcome_unknown` (at most once).',
});

/** The settings of one driver, with its rhythm. Secrets are never shown. */
export const ChannelAccount = closed(
  {
    id: Uuid,
    name: line(200),
    channel: words(['mail']),
    driver: Type.String(),
    settings,
    secretNames: Type.Array(Type.String(), { description: 'Which secrets are set.' }),
    rhythm: closed({
      waitAfterSendMs: Type.Integer(),
      waitWhenIdleMs: Type.Integer(),
      waitAfterErrorMs: Type.Integer(),
      maxPerMinute: nullable(Type.Integer()),
      concurrency: Type.Integer(),
    }),
    onUncertain,
    isDefault: Type.Boolean(),
    test: Type.Boolean({ description: 'Used by messages of test keys.' }),
    pausedAt: nullable(Instant),
    pauseReason: nullable(Type.String()),
    ...lifetimeFields,
  },
  { $id: 'ChannelAccount' },
);

/** Body of `POST /v1/channel-accounts`. */
export const NewChannelAccount = closed(
  {
    name: line(200),
    channel: words(['mail']),
    driver: line(50),
    settings: Type.Optional(settings),
    secrets: Type.Optional(secrets),
    rhythm: Type.Optional(Rhythm),
    onUncertain: Type.Optional(onUncertain),
    isDefault: Type.Optional(
      Type.Boolean({ description: 'The first account of a channel is its default unless it says false.' }),
    ),
  },
  {
    examples: [
      {
        name: 'SMTP du cabinet',
        channel: 'mail',
        driver: 'smtp',
        settings: { host: 'smtp.courtage-dupont.example', port: 587, security: 'starttls', user: 'robot' },
        secrets: { password: 'example-password' },
        rhythm: { waitAfterSendMs: 800, waitWhenIdleMs: 10000, waitAfterErrorMs: 60000 },
        isDefault: false,
      },
      { name: 'Fichiers', channel: 'mail', driver: 'outbox', isDefault: false },
    ],
  },
);

/** Body of `PATCH /v1/channel-accounts/{id}`. */
export const ChannelAccountChange = closed(
  {
    name: Type.Optional(line(200)),
    settings: Type.Optional(settings),
    secrets: Type.Optional(secrets),
    rhythm: Type.Optional(Rhythm),
    onUncertain: Type.Optional(onUncertain),
    isDefault: Type.Optional(Type.Literal(true)),
  },
  { minProperties: 1, examples: [{ rhythm: { waitAfterSendMs: 800 } }] },
);

/** Body of `POST /v1/channel-accounts/{id}/pause`. */
export const Pause = closed({ reason: Type.Optional(line(500)) }, { examples: [{ reason: 'Mise à jour de la base' }] });

/** Answer of `POST /v1/channel-accounts/{id}/test`. */
export const AccountTest = closed(
  {
    ok: Type.Boolean(),
    outcome: words(['accepted', 'transient', 'permanent', 'account_fault', 'uncertain']),
    reason: nullable(Type.String()),
    step: Type.String(),
    code: nullable(Type.Integer()),
    answer: nullable(Type.String()),
  },
  { $id: 'AccountTest' },
);
