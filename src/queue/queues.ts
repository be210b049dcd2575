/** The one table of queues. Jobs carry ids only, never content or personal data. */

const seconds = 1;
const hours = 3_600 * seconds;

/** Channels that can be dispatched. */
export type DispatchChannel = 'mail';

/** Names of the queues. A queue per channel and urgency, never per tenant: fairness is the releaser's. */
export const queueNames = {
  dispatch: (channel: DispatchChannel) => `dispatch.${channel}` as const,
  urgentDispatch: (channel: DispatchChannel) => `dispatch.${channel}.urgent` as const,
  operations: 'operations',
} as const;

/**
 * Retries belong to the service's own policy; pg-boss owns recovery from crashes only. Hence a retry limit no
 * message reaches, no delay, and a heartbeat: a worker that dies is noticed after ten seconds.
 */
const crashRecovery = {
  retryLimit: 1_000,
  retryDelay: 0,
  heartbeatSeconds: 10,
  expireInSeconds: 2 * hours,
  deleteAfterSeconds: 1 * hours,
};

/** Every queue with its options. */
export const queues: readonly { name: string; options: typeof crashRecovery }[] = [
  { name: queueNames.dispatch('mail'), options: crashRecovery },
  { name: queueNames.urgentDispatch('mail'), options: crashRecovery },
  { name: queueNames.operations, options: crashRecovery },
];
