/** Short cuts for tests of the `smtp` driver against a sink. */
import type { Test } from 'tap';
import type { ChannelDriver, Outcome } from '../../src/channels/channel.ts';
import { smtpDriver } from '../../src/channels/smtp/driver.ts';
import { type SinkOptions, type SmtpSink, startSmtpSink } from './smtp-sink.ts';

const MAIL = Buffer.from('Subject: hello\r\n\r\nbody\r\n');
// Long enough for a busy machine: client and server share one event loop, 30 MB mails included.
const QUICK = { connectSeconds: 5, greetingSeconds: 2, answerSeconds: 1.5 };

export interface DriverOptions {
  settings?: Record<string, unknown>;
  password?: string;
  connections?: number;
  allowedNetworks?: string[];
}

/** A driver with short time-outs, closed with the test. */
export function driverFor(t: Test, port: number, options: DriverOptions = {}): ChannelDriver {
  const { settings, password, connections = 2, allowedNetworks = ['127.0.0.0/8'] } = options;
  const driver = smtpDriver.create(
    { host: '127.0.0.1', port, security: 'none', name: 'client.test', timeouts: QUICK, ...settings },
    password === undefined ? {} : { password },
    { outboxDirectory: '/nowhere', allowedNetworks, connections },
  );
  t.teardown(() => driver.close());
  return driver;
}

/** A sink, closed with the test. */
export async function sinkFor(t: Test, options: SinkOptions = {}): Promise<SmtpSink> {
  const sink = await startSmtpSink(options);
  t.teardown(() => sink.close());
  return sink;
}

/** Hands over one small mail, or `raw`. */
export const send = (driver: ChannelDriver, to = 'to@recipient.test', raw: Uint8Array = MAIL): Promise<Outcome> =>
  driver.deliver({
    messageId: '0198c0de-0000-7000-8000-000000000001',
    from: 'from@sender.test',
    to,
    raw: [raw],
    mayBegin: () => true,
  });

/** `kind reason step` of an outcome, to compare in one line. */
export const brief = (outcome: Outcome): string =>
  `${outcome.kind} ${'reason' in outcome ? outcome.reason : '-'} ${outcome.answer.step}`;
