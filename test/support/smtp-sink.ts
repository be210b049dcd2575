/** A real SMTP server on 127.0.0.1 that keeps what it receives and misbehaves where a test tells it to. */
import { readFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';

/** Where a test may step in. `bodyStart` is the first piece of the content, `body` its end. */
export type SinkStep = 'connect' | 'ehlo' | 'starttls' | 'auth' | 'mail' | 'rcpt' | 'data' | 'bodyStart' | 'body';

/**
 * What the server does. `hang` never answers, `cut` destroys the connection. `takeAndHang` and
 * `takeAndCut` (at `body` only) keep the mail first: the provider has it, the client cannot know.
 */
export type SinkAction =
  | 'accept'
  | 'hang'
  | 'cut'
  | 'takeAndHang'
  | 'takeAndCut'
  | { code: number; text: string }
  | { delayMs: number };

/** What is known at a step. */
export interface SinkContext {
  /** Serial number of the connection, from 1. */
  connection: number;
  secure: boolean;
  /** The command line as it came; empty where there is none. */
  command: string;
  from: string | null;
  to: string[];
  /** The content, at `body` only. */
  raw: Buffer | null;
}

export interface SinkMail {
  envelope: { from: string; to: string[] };
  /** The content as the client meant it (dots unstuffed). */
  raw: Buffer;
  /** Date.now() when the final dot had come. */
  arrivedAt: number;
  secure: boolean;
  user: string | null;
  connection: number;
}

export interface SinkOptions {
  /** `starttls`: offered, not required. Default `none`. */
  tls?: 'none' | 'starttls' | 'implicit';
  /** Required log-in, also without TLS. Default: none, AUTH is not offered. */
  auth?: { user: string; password: string };
  /** Largest mail in bytes, announced with SIZE. Default: unlimited. */
  size?: number;
  /** Default true. */
  pipelining?: boolean;
  respond?: (step: SinkStep, context: SinkContext) => SinkAction | undefined | Promise<SinkAction | undefined>;
}

export interface SmtpSink {
  host: '127.0.0.1';
  port: number;
  /** PEM of the authority that signed the server's certificate. */
  certificateAuthority: string;
  mails: SinkMail[];
  /** Connections accepted so far. */
  connections(): number;
  /** Connections open now. */
  openConnections(): number;
  /** Resolves when at least `count` mails are there; rejects after `timeoutMs` (default 10 s). */
  waitFor(count: number, timeoutMs?: number): Promise<SinkMail[]>;
  close(): Promise<void>;
}

/** The parts of smtp-server's connection that have no public door: hanging, cutting, answering DATA. */
interface Connection {
  id: string;
  _socket: Socket;
  send(code: number, text: string): void;
  _onCommand(command: Buffer | string, callback?: () => void): void;
}

const certificate = (name: string): string => readFileSync(new URL(`./certificates/${name}`, import.meta.url), 'utf8');
const STEPS: Record<string, SinkStep> = {
  EHLO: 'ehlo',
  HELO: 'ehlo',
  STARTTLS: 'starttls',
  AUTH: 'auth',
  MAIL: 'mail',
  RCPT: 'rcpt',
  DATA: 'data',
};

/** What a test may answer, delays over. */
type Act = Exclude<SinkAction, { delayMs: number }>;

/** Starts a sink on a free port. Close it in the test's teardown. */
export async function startSmtpSink(options: SinkOptions = {}): Promise<SmtpSink> {
  const mails: SinkMail[] = [];
  const sockets = new Set<Socket>();
  const numbers = new Map<string, number>();
  const listeners = new Set<() => void>();
  const keep = (mail: SinkMail): void => {
    mails.push(mail);
    for (const listener of listeners) listener();
  };
  const server = createServer(options, numbers, keep);
  server.on('error', () => {}); // Clients that vanish are part of the tests.
  server.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    host: '127.0.0.1',
    port: (server.server.address() as AddressInfo).port,
    certificateAuthority: certificate('ca.pem'),
    mails,
    connections: () => numbers.size,
    openConnections: () => sockets.size,
    waitFor: (count, timeoutMs = 10_000) => waitForCount(mails, count, listeners, timeoutMs),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function createServer(options: SinkOptions, numbers: Map<string, number>, keep: (mail: SinkMail) => void): SMTPServer {
  const contextOf = (session: SMTPServerSession, command = ''): SinkContext => ({
    connection: numbers.get(session.id) ?? 0,
    secure: session.secure,
    command,
    from: session.envelope.mailFrom ? session.envelope.mailFrom.address : null,
    to: session.envelope.rcptTo.map((to) => to.address),
    raw: null,
  });
  const ask = async (step: SinkStep, context: SinkContext): Promise<Act> => {
    const action = (await options.respond?.(step, context)) ?? 'accept';
    if (typeof action === 'string' || 'code' in action) return action;
    await new Promise((resolve) => setTimeout(resolve, action.delayMs));
    return 'accept';
  };
  const server: SMTPServer = new SMTPServer({
    ...serverOptions(options),
    onConnect(session, callback) {
      const connection = connectionOf(server, session.id);
      numbers.set(session.id, numbers.size + 1);
      interceptCommands(connection, (step, command) => ask(step, contextOf(session, command)));
      const refuse = (code: number, text: string): void => callback(refusal(code, text));
      void ask('connect', contextOf(session)).then((action) => act(action, connection, callback, refuse));
    },
    onData(stream, session, callback) {
      const connection = connectionOf(server, session.id);
      const context = contextOf(session);
      const refuse = (code: number, text: string): void => callback(refusal(code, text));
      void receive(stream, connection, () => ask('bodyStart', context)).then(async (raw) => {
        if (raw === null) return;
        const action = await ask('body', { ...context, raw });
        const taken = action === 'accept' || action === 'takeAndHang' || action === 'takeAndCut';
        if (taken) keep(mailOf(session, context, raw));
        act(action, connection, () => callback(), refuse);
      });
    },
  });
  return server;
}

function mailOf(session: SMTPServerSession, context: SinkContext, raw: Buffer): SinkMail {
  return {
    envelope: { from: context.from ?? '', to: context.to },
    raw,
    arrivedAt: Date.now(),
    secure: session.secure,
    user: typeof session.user === 'string' ? session.user : null,
    connection: context.connection,
  };
}

function serverOptions(options: SinkOptions): SMTPServerOptions {
  const disabled = [...(options.auth ? [] : ['AUTH']), ...(options.tls === 'starttls' ? [] : ['STARTTLS'])];
  return {
    secure: options.tls === 'implicit',
    key: certificate('localhost.key.pem'),
    cert: certificate('localhost.pem'),
    disabledCommands: disabled,
    authMethods: ['PLAIN', 'LOGIN'],
    allowInsecureAuth: true,
    authOptional: options.auth === undefined,
    disableReverseLookup: true,
    hideENHANCEDSTATUSCODES: true, // Answers of tests carry their own.
    hidePIPELINING: options.pipelining === false,
    closeTimeout: 10,
    ...(options.size === undefined ? {} : { size: options.size }),
    onAuth(given, _session, callback) {
      const right = given.username === options.auth?.user && given.password === options.auth?.password;
      if (right) callback(null, { user: given.username });
      else callback(refusal(535, '5.7.8 Authentication credentials invalid'));
    },
  };
}

function connectionOf(server: SMTPServer, id: string): Connection {
  const connections = (server as unknown as { connections: Set<Connection> }).connections;
  const found = [...connections].find((connection) => connection.id === id);
  if (!found) throw new Error('smtp-server no longer lists its connections by session id');
  return found;
}

/** smtp-server has no hook for EHLO, STARTTLS and DATA, and none that can stay silent: commands are caught before it. */
function interceptCommands(connection: Connection, ask: (step: SinkStep, command: string) => Promise<Act>): void {
  const original = connection._onCommand.bind(connection);
  connection._onCommand = (command, callback = () => {}) => {
    const line = command.toString();
    const step = STEPS[line.split(' ', 1)[0]?.toUpperCase() ?? ''];
    if (step === undefined) return original(command, callback);
    void ask(step, line).then((action) =>
      act(
        action,
        connection,
        () => original(command, callback),
        (code, text) => {
          connection.send(code, text);
          callback();
        },
      ),
    );
  };
}

function act(
  action: Act,
  connection: Connection,
  accept: () => void,
  refuse: (code: number, text: string) => void,
): void {
  if (typeof action === 'object') refuse(action.code, action.text);
  else if (action === 'accept') accept();
  else if (action === 'cut' || action === 'takeAndCut') connection._socket.destroy();
}

/** The whole content, or null when the test stopped it at its first piece or the client went away. */
async function receive(
  stream: SMTPServerDataStream,
  connection: Connection,
  atStart: () => Promise<Act>,
): Promise<Buffer | null> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of stream) {
      if (pieces.length === 0) {
        const action = await atStart();
        if (action === 'hang') await new Promise(() => {}); // Reads no more, so the client's writes stall.
        if (action !== 'accept') {
          act(
            action,
            connection,
            () => {},
            (code, text) => connection.send(code, text),
          );
          return null;
        }
      }
      pieces.push(piece as Buffer);
    }
  } catch {
    return null;
  }
  return Buffer.concat(pieces);
}

function refusal(code: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode: code });
}

function waitForCount(
  mails: SinkMail[],
  count: number,
  listeners: Set<() => void>,
  timeoutMs: number,
): Promise<SinkMail[]> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      if (mails.length < count) return;
      clearTimeout(timer);
      listeners.delete(done);
      resolve(mails);
    };
    const timer = setTimeout(() => {
      listeners.delete(done);
      reject(new Error(`only ${mails.length} of ${count} mails within ${timeoutMs} ms`));
    }, timeoutMs);
    listeners.add(done);
    done();
  });
}
