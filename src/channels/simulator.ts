/** The `simulator` driver: no files, no network; the recipient's name says what happens. For `test_` keys. */
import Type from 'typebox';
import type { ChannelDriver, DriverDefinition, Handover, Outcome, ProviderAnswer } from './channel.ts';
import { parseAddrSpec } from './mail/addr-spec.ts';

const Nothing = Type.Object({}, { additionalProperties: false });

/**
 * Accepts everything except `simulate-permanent@…`, `simulate-transient@…`,
 * `simulate-account-fault@…` and `simulate-uncertain@…`, at any domain.
 */
export const simulatorDriver: DriverDefinition = {
  id: 'simulator',
  channel: 'mail',
  reachesPeople: false,
  settings: Nothing,
  secrets: Nothing,
  create: createSimulator,
};

function createSimulator(): ChannelDriver {
  return {
    deliver: async (handover) => simulate(handover),
    verify: async () => accepted(null),
    close: async () => {},
  };
}

function simulate(handover: Handover): Outcome {
  const to = parseAddrSpec(handover.to);
  if (to.kind === 'invalid')
    return {
      kind: 'permanent',
      answer: answer('prepare', null, null),
      reason: 'address_invalid',
      suppressAddress: false,
    };
  switch (to.normalized.slice(0, to.normalized.indexOf('@'))) {
    case 'simulate-permanent':
      return {
        kind: 'permanent',
        answer: answer('recipient', 550, '5.1.1'),
        reason: 'mailbox_unknown',
        suppressAddress: true,
      };
    case 'simulate-transient':
      return {
        kind: 'transient',
        answer: answer('recipient', 451, '4.3.0'),
        reason: 'provider_unavailable',
        retryAfterSeconds: null,
      };
    case 'simulate-account-fault':
      return { kind: 'account_fault', answer: answer('auth', 535, '5.7.8'), reason: 'authentication_failed' };
    case 'simulate-uncertain':
      return { kind: 'uncertain', answer: answer('body', null, null), reason: 'outcome_unknown' };
    default:
      return accepted(`simulated-${handover.messageId}`);
  }
}

function accepted(providerReference: string | null): Outcome {
  return { kind: 'accepted', answer: answer('accepted', 250, '2.0.0'), providerReference };
}

function answer(step: ProviderAnswer['step'], code: number | null, enhancedCode: string | null): ProviderAnswer {
  return { step, code, enhancedCode, text: 'simulated' };
}
