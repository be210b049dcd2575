/** One logged-in SMTP connection that carries messages one after another. */
import { isAscii } from 'node:buffer';
import type { BlockList } from 'node:net';
import { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { openCheckedSocket } from '../../checked-socket.ts';
import { readSmtpReply, type SmtpFailure, type SmtpReply } from './outcomes.ts';
import { createSmtpTranscript, type SmtpTranscript, stepOfCommand } from './transcript.ts';

/** How to reach and enter one server. Times in milliseconds. */
export interface SmtpServer {
  host: string;
  port: number;
  security: 'tls' | 'starttls' | 'none';
  /** Name given with EHLO; null: the machine's own. */
  name: string | null;
  login: { user: string; password: string; method: string | null } | null;
  /** PEM of the only authorities to trust; null: the public ones. */
  certificateAuthority: string | null;
  allowed: BlockList;
  connectMs: number;
  greetingMs: number;
  answerMs: number;
  deliveryMs: number;
}

/** What became of one message on one connection. */
export type SessionResult =
  | { kind: 'accepted'; reply: SmtpReply; reference: string | null }
  | { kind: 'failed'; failure: SmtpFailure };

/** A connection ready for messages. Not for two at the same time. */
export interface SmtpSession {
  /** Sends to exactly one recipient. Both addresses are strict addr-specs, checked by the caller. */
  send(from: string, to: string, raw: readonly Uint8Array[]): Promise<SessionResult>;
  /** Whether another message may be sent over it. */
  usable(): boolean;
  /** Messages sent over it so far. */
  sent(): number;
  /** Says QUIT and waits for its answer, one second at most. */
  quit(): Promise<void>;
  /** Ends it at once. */
  destroy(): void;
}

/** An open session, or why there is none. */
export type OpenResult = { kind: 'open'; session: SmtpSession } | { kind: 'failed'; failure: SmtpFailure };

/** The parts of nodemailer's error that are used. Its message is not: it can hold the host. */
interface ClientError {
  code?: string | undefined;
  originalCode?: string | undefined;
  command?: string | undefined;
  response?: string | undefined;
}

type Result<T> = { error: ClientError } | { error: null; value: T };
type Done<T> = (error: ClientError | null | undefined, value?: T) => void;

const QUIT_MS = 1_000;
const NETWORK_CODES = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ECONNECTION',
]);

/**
 * Connects, secures, greets and logs in. A user without a server that offers AUTH is a failure, not
 * a session without a log-in. Over `none` a password is only sent inside an allowed network.
 */
export async function openSmtpSession(server: SmtpServer): Promise<OpenResult> {
  const opened = await openCheckedSocket(server.host, server.port, server.allowed, server.connectMs);
  if (opened.kind === 'failed') return { kind: 'failed', failure: noAnswer('connect', opened.errorCode) };
  if (server.security === 'none' && server.login && !opened.allowedNetwork) {
    opened.socket.destroy();
    return { kind: 'failed', failure: noAnswer('tls', 'ETLS') };
  }
  const transcript = createSmtpTranscript(server.security === 'tls' ? 'tls' : 'connect');
  const connection = new SMTPConnection(connectionOptions(server, opened.socket, transcript));
  const run = createRunner(connection);
  const connected = await run<void>((done) => connection.connect(done), server.deliveryMs);
  let error = connected.error;
  if (!error && server.login) {
    const login = server.login;
    if (!connection.allowsAuth) error = { code: 'EAUTH' };
    else {
      const method = login.method ?? false;
      error = (
        await run<unknown>(
          (done) => connection.login({ user: login.user, pass: login.password, method }, done),
          server.deliveryMs,
        )
      ).error;
    }
  }
  if (error) {
    connection.close();
    return { kind: 'failed', failure: failureOf(error, transcript, false) };
  }
  return { kind: 'open', session: createSession(connection, transcript, run, server.deliveryMs) };
}

function connectionOptions(
  server: SmtpServer,
  socket: NonNullable<SMTPConnectionOptions['connection']>,
  transcript: SmtpTranscript,
): SMTPConnectionOptions {
  return {
    host: server.host, // For the certificate and SNI only: the socket is connected already.
    port: server.port,
    connection: socket,
    secure: server.security === 'tls',
    requireTLS: server.security === 'starttls',
    ignoreTLS: server.security === 'none',
    name: server.name ?? undefined,
    tls: {
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      ...(server.certificateAuthority === null ? {} : { ca: server.certificateAuthority }),
    },
    connectionTimeout: server.connectMs + server.greetingMs,
    greetingTimeout: server.greetingMs,
    socketTimeout: server.answerMs,
    socketCloseTimeout: 0,
    logger: transcript.logger,
    transactionLog: true,
  };
}

type SMTPConnectionOptions = NonNullable<ConstructorParameters<typeof SMTPConnection>[0]>;
type Run = <T>(start: (done: Done<T>) => void, limitMs: number) => Promise<Result<T>>;

/**
 * Turns the connection's callbacks and events into one result per operation. Some ends come as an
 * `error` event only, some as `end` only, and `close()` drops the callback of a running send: the
 * first of callback, event and time limit decides, the rest is ignored.
 */
function createRunner(connection: SMTPConnection): Run {
  let finish: ((error: ClientError) => void) | null = null;
  // Both stay for the connection's life: an error of an idle connection must not end the process.
  connection.on('error', (error: ClientError) => finish?.(error));
  connection.on('end', () => {
    // After a 421 nodemailer ends the connection first and hands over the answer right behind.
    const waiting = finish;
    setImmediate(() => waiting !== null && waiting === finish && finish({ code: 'ECONNECTION' }));
  });
  return <T>(start: (done: Done<T>) => void, limitMs: number) =>
    new Promise<Result<T>>((resolve) => {
      const settle = (result: Result<T>): void => {
        clearTimeout(timer);
        finish = null;
        resolve(result);
      };
      // The socket time-out counts silence; a server that says a little now and then escapes it.
      const timer = setTimeout(() => settle({ error: { code: 'ETIMEDOUT' } }), limitMs);
      finish = (error) => settle({ error });
      start((error, value) => settle(error ? { error } : { error: null, value: value as T }));
    });
}

function createSession(
  connection: SMTPConnection,
  transcript: SmtpTranscript,
  run: Run,
  deliveryMs: number,
): SmtpSession {
  let sent = 0;
  let usable = true;
  let needsReset = false;
  connection.once('end', () => (usable = false));

  const send = async (from: string, to: string, raw: readonly Uint8Array[]): Promise<SessionResult> => {
    sent += 1;
    transcript.startMessage();
    if (needsReset) {
      const reset = await run<unknown>((done) => connection.reset(done), deliveryMs);
      if (reset.error) return ended(reset.error);
      needsReset = false;
    }
    const pieces = raw.map((piece) => Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    // Given as objects and checked before, the addresses are written as they are, never parsed.
    const envelope = {
      from: { address: from },
      to: [{ address: to }],
      size: pieces.reduce((sum, { length }) => sum + length, 0),
      use8BitMime: !pieces.every((piece) => isAscii(piece)),
    };
    const result = await run<{ response: string; serverMessageId?: string | undefined }>(
      (done) => connection.send(envelope, pieces.length === 1 ? (pieces[0] as Buffer) : Readable.from(pieces), done),
      deliveryMs,
    );
    if (result.error) return ended(result.error);
    // Answered before it had everything: what is still being written would be read as commands.
    if (!transcript.bodyWritten()) destroy();
    return {
      kind: 'accepted',
      reply: readSmtpReply(result.value.response),
      reference: result.value.serverMessageId ?? null,
    };
  };
  const ended = (error: ClientError): SessionResult => {
    const failure = failureOf(error, transcript, transcript.bodyWritten());
    const answered = failure.code !== null && failure.code >= 400 && failure.code !== 421;
    if (answered && (transcript.bodyWritten() || !transcript.bodyAsked())) needsReset = true;
    else destroy();
    return { kind: 'failed', failure };
  };
  const destroy = (): void => {
    usable = false;
    connection.close();
  };
  const quit = async (): Promise<void> => {
    if (usable) await run<void>(() => connection.quit(), QUIT_MS); // Its answer ends the connection: `end`.
    destroy();
  };
  return { send, usable: () => usable, sent: () => sent, quit, destroy };
}

/** What is known of a failure: the server's answer and its step, or the step that got none. */
function failureOf(error: ClientError, transcript: SmtpTranscript, bodyWritten: boolean): SmtpFailure {
  const reply = readSmtpReply(error.response);
  if (reply.code !== null && reply.code >= 400) {
    const step =
      error.command === undefined || /^(CONN|API)$/.test(error.command)
        ? transcript.answered()
        : stepOfCommand(error.command);
    return { step, ...reply, errorCode: error.code ?? null, bodyWritten };
  }
  const step = error.code === 'EAUTH' ? 'auth' : transcript.awaited();
  return { ...noAnswer(step, errorCodeOf(error, step)), bodyWritten };
}

/** During a handshake every error that is not of the network is one of TLS (certificates have dozens of codes). */
function errorCodeOf(error: ClientError, step: SmtpFailure['step']): string {
  const code = error.originalCode ?? error.code ?? 'ECONNECTION';
  if (step !== 'tls') return code;
  // nodemailer also says ETLS, with no original code, for a connection that was cut in the handshake.
  if (NETWORK_CODES.has(code) || (code === 'ETLS' && error.command === 'CONN'))
    return code === 'ETLS' ? 'ECONNRESET' : code;
  return 'ETLS';
}

function noAnswer(step: SmtpFailure['step'], errorCode: string): SmtpFailure {
  return { step, code: null, enhancedCode: null, text: null, errorCode, bodyWritten: false };
}
