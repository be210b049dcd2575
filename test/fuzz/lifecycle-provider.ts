/** The provider of generated lives: the real SMTP sink, answering each address by its own script. */
import { messageIdOf } from '../support/sending.ts';
import type { SinkAction, SinkContext, SinkStep } from '../support/smtp-sink.ts';
import type { ProviderAnswer } from './lifecycle-commands.ts';
import type { Try } from './lifecycle-model.ts';

/** At which step each answer is given, and what it is in SMTP. */
const meanings: Record<ProviderAnswer, { step: 'rcpt' | 'body'; action: SinkAction }> = {
  accept: { step: 'body', action: 'accept' },
  busy: { step: 'rcpt', action: { code: 450, text: '4.2.0 Mailbox busy' } },
  busyAtBody: { step: 'body', action: { code: 451, text: '4.3.0 Local trouble' } },
  unknown: { step: 'rcpt', action: { code: 550, text: '5.1.1 No such user here' } },
  refusedAtBody: { step: 'body', action: { code: 554, text: '5.6.0 Content refused' } },
  cut: { step: 'rcpt', action: 'cut' },
  cutAtBody: { step: 'body', action: 'cut' },
  takeAndCut: { step: 'body', action: 'takeAndCut' },
  relayDenied: { step: 'rcpt', action: { code: 554, text: '5.7.1 Relay access denied' } },
};

/** What the outcome of its attempt must be. */
export const outcomeOf: Record<ProviderAnswer, string> = {
  accept: 'accepted',
  busy: 'transient',
  busyAtBody: 'transient',
  unknown: 'permanent',
  refusedAtBody: 'permanent',
  cut: 'transient',
  cutAtBody: 'uncertain',
  takeAndCut: 'uncertain',
  relayDenied: 'account_fault',
};

export interface Provider {
  respond(step: SinkStep, context: SinkContext): Promise<SinkAction | undefined>;
  /** Sets what the next tries of an address are answered; then all are accepted. */
  expect(address: string, answers: readonly ProviderAnswer[]): void;
  /** The tries since the last call, in order. */
  takeTries(): Try[];
  /** From now on no content is answered. @returns the address of the first one that waits for it. */
  hold(): Promise<string>;
  /** Answers what is held, and all that comes. */
  release(): void;
}

/** The part of a Message-ID before `@`. */
export const identifierOf = (raw: Buffer): string => messageIdOf({ raw }).slice(1).split('@')[0] ?? '';

/** Makes the provider; its `respond` goes into the sink. */
export function createProvider(): Provider {
  const scripts = new Map<string, ProviderAnswer[]>();
  const current = new Map<string, ProviderAnswer>();
  let tries: Try[] = [];
  let gate: { opened: Promise<void>; open(): void; held(address: string): void } | null = null;

  return {
    async respond(step, { command, to, raw }) {
      if (step === 'rcpt') {
        const address = /<([^>]*)>/.exec(command)?.[1] ?? '';
        const answer = scripts.get(address)?.shift() ?? 'accept';
        current.set(address, answer);
        const meaning = meanings[answer];
        if (meaning.step !== 'rcpt') return undefined;
        tries.push({ answer, address, identifier: null });
        return meaning.action;
      }
      if (step !== 'body' || raw === null) return undefined;
      const address = to.join(' ');
      if (gate !== null) {
        gate.held(address);
        await gate.opened;
      }
      const answer = current.get(address) ?? 'accept';
      tries.push({ answer, address, identifier: identifierOf(raw) });
      return meanings[answer].action;
    },
    expect: (address, answers) => void scripts.set(address, [...answers]),
    takeTries() {
      const taken = tries;
      tries = [];
      return taken;
    },
    hold() {
      const opened = Promise.withResolvers<void>();
      const held = Promise.withResolvers<string>();
      gate = { opened: opened.promise, open: opened.resolve, held: held.resolve };
      return held.promise;
    },
    release() {
      gate?.open();
      gate = null;
    },
  };
}
