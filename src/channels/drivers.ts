/** Every kind of driver there is. Adding a channel is adding a file and its line here. */
import type { DriverDefinition } from './channel.ts';
import { outboxDriver } from './outbox.ts';
import { simulatorDriver } from './simulator.ts';
import { smtpDriver } from './smtp/driver.ts';

/** All drivers, in the order in which they are shown. */
export const drivers: readonly DriverDefinition[] = [smtpDriver, outboxDriver, simulatorDriver];

/** The driver of that id, or undefined. */
export function findDriver(id: string): DriverDefinition | undefined {
  return drivers.find((driver) => driver.id === id);
}
