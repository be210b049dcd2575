/**
 * The `smtp` driver: hands messages to one SMTP server.
 *
 * A small pool over nodemailer's SMTPConnection rather than its transport: the transport's pool
 * cannot tell which message a log entry belongs to (see `transcript.ts`), and the layers above
 * it that read files, fetch URLs and parse addresses are simply not here.
 */
import Type, { type Static } from 'typebox';
import { parseNetworks } from '../../networks.ts';
import type {
  ChannelDriver,
  DriverDefinition,
  DriverEnvironment,
  Handover,
  Outcome,
  ProviderAnswer,
} from '../channel.ts';
import { parseAddrSpec } from '../mail/addr-spec.ts';
import { cleanReference, cleanText, smtpOutcome } from './outcomes.ts';
import { createSmtpPool, type SmtpPool } from './pool.ts';
import { openSmtpSession, type SessionResult, type SmtpServer } from './session.ts';

const Seconds = (limit: number, fallback: number, description: string) =>
  Type.Optional(Type.Number({ minimum: 0.1, maximum: limit, default: fallback, description }));

const Settings = Type.Object(
  {
    host: Type.String({ pattern: '^[A-Za-z0-9.:-]{1,253}$', description: 'Name or IP address of the server.' }),
    port: Type.Integer({ minimum: 1, maximum: 65535 }),
    security: Type.Enum(['tls', 'starttls', 'none'], {
      description:
        'tls: from the first byte (usually port 465). starttls: required before anything else (587). none: plain; a password is then only sent inside an allowed network.',
    }),
    user: Type.Optional(Type.String({ minLength: 1, maxLength: 320 })),
    authMethod: Type.Optional(
      Type.Enum(['PLAIN', 'LOGIN', 'CRAM-MD5'], { description: 'Default: the first the server offers.' }),
    ),
    name: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9.:\\[\\]-]{1,255}$',
        description: 'Name given with EHLO. Default: the machine’s own.',
      }),
    ),
    certificateAuthority: Type.Optional(
      Type.String({
        maxLength: 65536,
        pattern: '^-----BEGIN CERTIFICATE-----',
        description: 'PEM of a private authority; the public ones are then not trusted.',
      }),
    ),
    messagesPerConnection: Type.Optional(Type.Integer({ minimum: 1, maximum: 10000, default: 100 })),
    timeouts: Type.Optional(
      Type.Object(
        {
          connectSeconds: Seconds(20, 10, 'Finding and reaching the server.'),
          greetingSeconds: Seconds(20, 10, 'Waiting for its first words, or for a TLS handshake.'),
          answerSeconds: Seconds(20, 20, 'Silence of the server at any later moment.'),
          deliverySeconds: Seconds(120, 60, 'One whole message, however talkative the server.'),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

const Secrets = Type.Object(
  { password: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })) },
  { additionalProperties: false },
);

/** Mail over SMTP (RFC 5321), one recipient per transaction. */
export const smtpDriver: DriverDefinition = {
  id: 'smtp',
  channel: 'mail',
  reachesPeople: true,
  settings: Settings,
  secrets: Secrets,
  create: (settings, secrets, environment) =>
    createSmtpDriver(settings as Static<typeof Settings>, secrets as Static<typeof Secrets>, environment),
};

function createSmtpDriver(
  settings: Static<typeof Settings>,
  secrets: Static<typeof Secrets>,
  environment: DriverEnvironment,
): ChannelDriver {
  const server = serverOf(settings, secrets, environment);
  const pool = createSmtpPool(Math.max(1, environment.connections), settings.messagesPerConnection ?? 100);
  const hidden = [
    settings.host,
    settings.user ?? '',
    secrets.password ?? '',
    Buffer.from(secrets.password ?? '').toString('base64'),
    // As AUTH PLAIN writes it (RFC 4616).
    Buffer.from(`\0${settings.user ?? ''}\0${secrets.password ?? ''}`).toString('base64'),
  ];
  let closed = false;

  const deliver = async (handover: Handover): Promise<Outcome> => {
    const from = parseAddrSpec(handover.from);
    const to = parseAddrSpec(handover.to);
    if (to.kind === 'invalid')
      return { kind: 'permanent', answer: silent('prepare'), reason: 'address_invalid', suppressAddress: false };
    if (from.kind === 'invalid')
      return { kind: 'permanent', answer: silent('prepare'), reason: 'sender_refused', suppressAddress: false };
    if (closed) return notBegun;
    const result = await pool.withPlace(() => sendOnce(pool, server, from.address, to.address, handover));
    if (result === null) return notBegun;
    if (result.kind === 'failed') return smtpOutcome(result.failure, hidden);
    return {
      kind: 'accepted',
      answer: { step: 'accepted', ...result.reply, text: cleanText(result.reply.text ?? '', hidden) },
      providerReference: cleanReference(result.reference ?? '', [...hidden, to.address, from.address]),
    };
  };
  const verify = (): Promise<Outcome> =>
    pool.withPlace(async () => {
      // An idle session proves nothing of today's password; ending it makes room for the new one.
      await pool.takeIdle()?.quit();
      const opened = await openSmtpSession(server);
      if (opened.kind === 'failed') return smtpOutcome(opened.failure, hidden);
      await opened.session.quit();
      return { kind: 'accepted', answer: silent('accepted'), providerReference: null };
    });
  const close = (): Promise<void> => {
    closed = true;
    return pool.close();
  };
  return { deliver, verify, close };
}

/** Nothing was said to the server: it may be tried again. */
const notBegun: Outcome = {
  kind: 'transient',
  answer: silent('prepare'),
  reason: 'connection_failed',
  retryAfterSeconds: null,
};

/** Over an idle session when there is one, else over a new one. Null: it may not begin any more. */
async function sendOnce(
  pool: SmtpPool,
  server: SmtpServer,
  from: string,
  to: string,
  { raw, mayBegin }: Handover,
): Promise<SessionResult | null> {
  const idle = pool.takeIdle();
  if (idle) {
    const result = await idle.send(from, to, raw);
    pool.giveBack(idle);
    if (result.kind === 'accepted' || !wasStale(result)) return result;
  }
  const opened = await openSmtpSession(server);
  if (opened.kind === 'failed') return opened;
  if (!mayBegin()) {
    pool.giveBack(opened.session);
    return null;
  }
  const result = await opened.session.send(from, to, raw);
  pool.giveBack(opened.session);
  return result;
}

/**
 * Whether an idle session had been ended by the server in the meantime: cut, or 421, before MAIL was
 * taken. No content was written then, so a new connection cannot make a second copy.
 */
function wasStale(result: Extract<SessionResult, { kind: 'failed' }>): boolean {
  const { step, code, errorCode, bodyWritten } = result.failure;
  return (
    !bodyWritten &&
    step === 'sender' &&
    (code === 421 || (code === null && errorCode !== 'ETIMEDOUT' && errorCode !== 'EMESSAGE'))
  );
}

function serverOf(
  settings: Static<typeof Settings>,
  secrets: Static<typeof Secrets>,
  environment: DriverEnvironment,
): SmtpServer {
  const {
    connectSeconds = 10,
    greetingSeconds = 10,
    answerSeconds = 20,
    deliverySeconds = 60,
  } = settings.timeouts ?? {};
  return {
    host: settings.host,
    port: settings.port,
    security: settings.security,
    name: settings.name ?? null,
    login:
      settings.user === undefined
        ? null
        : { user: settings.user, password: secrets.password ?? '', method: settings.authMethod ?? null },
    certificateAuthority: settings.certificateAuthority ?? null,
    allowed: parseNetworks(environment.allowedNetworks),
    connectMs: connectSeconds * 1000,
    greetingMs: greetingSeconds * 1000,
    answerMs: answerSeconds * 1000,
    deliveryMs: deliverySeconds * 1000,
  };
}

function silent(step: ProviderAnswer['step']): ProviderAnswer {
  return { step, code: null, enhancedCode: null, text: null };
}
