import { databaseError } from './client.ts';

const deadlock = '40P01';
const tries = 3;

/**
 * Does work in one transaction again when it met another that locks the same rows in another order: that is rare, and gone at
 * the next try. @param work begins its own transaction. @throws what the last of three tries throws.
 */
export async function pastDeadlocks<Done>(work: () => Promise<Done>): Promise<Done> {
  for (let turn = 1; ; turn += 1) {
    try {
      return await work();
    } catch (error) {
      if (turn === tries || databaseError(error)?.code !== deadlock) throw error;
    }
  }
}
