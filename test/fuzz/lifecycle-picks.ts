/** Which message or request a number of a generated life names. */
import type { BulkAction } from './lifecycle-commands.ts';
import { type Model, type ModelMessage, type ModelRequest, takes } from './lifecycle-model.ts';

/** Whether an action will probably be done with a message. */
export const promising = ({ now }: Model, action: BulkAction, message: ModelMessage): boolean => {
  const { rendered, notAfter } = message;
  return takes(action, message) && (action === 'block' || (rendered && (notAfter === null || notAfter > now)));
};

/** A message by number: mostly one that fits, so that lives get somewhere, and at times any. */
export function pick(messages: readonly ModelMessage[], number: number, fits: (message: ModelMessage) => boolean) {
  const fitting = number % 4 === 0 ? [] : messages.filter(fits);
  const among = fitting.length > 0 ? fitting : messages;
  return among[Math.floor(number / 4) % among.length];
}

/** A request by number: mostly one in this status. */
export function pickRequest(
  { requests }: Model,
  number: number,
  status: ModelRequest['status'],
): ModelRequest | undefined {
  const fitting = number % 4 === 0 ? [] : requests.filter((request) => request.status === status);
  const among = fitting.length > 0 ? fitting : requests;
  return among[Math.floor(number / 4) % among.length];
}
