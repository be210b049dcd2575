/** An organisation that writes to people it knows, over SMTP to a sink: what tests of who is reached begin with. */
import type { Test } from 'tap';
import { done } from './broker.ts';
import { receiverOf, type Sending, type SendingOptions, startSending } from './sending.ts';
import type { Answer } from './service.ts';

type Body = Answer['body'];

/** What can be done about people. */
export interface People extends Sending {
  /** Makes or replaces a recipient, `type:externalId`, with what is given. */
  put(reference: string, content?: object): Promise<Body>;
  /** Records a consent by mail. */
  consent(reference: string, level: number, more?: object): Promise<Body>;
  /** Sets a choice by mail. */
  choose(reference: string, notificationType: string, accepted: boolean): Promise<Body>;
  /** Sends the template `notice` to these recipients, and does all that is due. @returns what became of each message. */
  write(references: readonly (string | object)[], more?: Record<string, unknown>): Promise<Written>;
  /** Addresses that mails went to, in order of arrival; forgets them. */
  arrived(): string[];
}

/** What became of a request. */
export interface Written {
  id: string;
  messages: string[];
  /** `status reason` of each, in order. */
  outcomes: string[];
}

/** One mail address of a record. */
export const mail = (value: string, more: object = {}) => ({ kind: 'mail', value, ...more });

const path = (reference: string) => `/v1/recipients/${encodeURIComponent(`external:${reference}`)}`;

/** Starts it, with a sender, the template `notice` without fields of its own, and an account. Ended with the test. */
export async function startPeople(t: Test, options: SendingOptions = {}): Promise<People> {
  const sending = await startSending(t, options);
  const { inject, sink, work, message } = sending;
  let seen = 0;
  return {
    ...sending,
    put: (reference, content = {}) => done(inject('PUT', path(reference), { body: content })),
    consent: (reference, level, more = {}) =>
      done(
        inject('PUT', `${path(reference)}/consents`, { body: { consents: [{ addressKind: 'mail', level, ...more }] } }),
      ),
    choose: (reference, notificationType, accepted) =>
      done(
        inject('PUT', `${path(reference)}/choices`, {
          body: { choices: [{ notificationType, channel: 'mail', accepted }] },
        }),
      ),
    async write(references, more = {}) {
      const rows = references.map((one) =>
        typeof one === 'string'
          ? { recipient: `external:${one}`, data: { name: 'N' } }
          : { data: { name: 'N' }, ...one },
      );
      const { id, messages } = await sending.send(rows, more);
      await work();
      const now = await Promise.all(messages.map(message));
      const outcomes = now.map(({ status, reason }) => [status, reason].filter(Boolean).join(' '));
      return { id, messages, outcomes };
    },
    arrived() {
      const mails = sink.mails.slice(seen).map(receiverOf);
      seen = sink.mails.length;
      return mails;
    },
  };
}
