/** Lives a generated life to its end, and cuts down one that fails. */
import assert from 'node:assert/strict';
import { carryOut } from './lifecycle-carry-out.ts';
import { checkAfter, checkEnd } from './lifecycle-checks.ts';
import type { Command, Life } from './lifecycle-commands.ts';
import { work } from './lifecycle-sending.ts';
import { begin, type Living, type Stage } from './lifecycle-stage.ts';

/** Lets all that waits come to its end, and stops what waits for a person. */
function* ending({ model }: Living): Generator<Command> {
  yield { kind: 'account', to: 'resume' };
  for (let round = 0; round < 12 && model.messages.some(({ status }) => status === 'V'); round += 1) {
    yield { kind: 'work', minutes: round === 0 ? 4_000 : 70 };
    yield { kind: 'account', to: 'resume' };
  }
}

/**
 * Lives a life to its end.
 * @throws with what was wrong, and all commands up to it, when the service and the model differ.
 */
export async function live(stage: Stage, life: Life): Promise<void> {
  const living = await begin(stage, life);
  const { model } = living;
  const past: string[] = [];
  const step = async (command: Command): Promise<void> => {
    past.push(JSON.stringify(command));
    await checkAfter(living, await carryOut(living, command));
  };
  try {
    for (const command of life.commands) await step(command);
    for (const command of ending(living)) await step(command);
    assert.ok(!model.messages.some(({ status }) => status === 'V'), 'something waits for ever');
    await step({ kind: 'cancelAll' });
    await work(living, 0, null);
    await checkEnd(living);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(
      `${message}\naccount under ${life.onUncertain}, after ${past.length} commands:\n${past.join('\n')}`,
      {
        cause: error,
      },
    );
  } finally {
    // What is left of a life that failed must not be sent in the next one.
    await living.ask('POST', `/v1/channel-accounts/${living.accountId}/pause`, {});
    stage.provider.takeTries();
    stage.service.sink.mails.length = 0;
  }
}

/** What is wrong with a life; null when nothing is. */
export async function faultOf(stage: Stage, life: Life): Promise<string | null> {
  return live(stage, life).then(
    () => null,
    (error: Error) => error.message,
  );
}

/**
 * Leaves commands out of a failing life, ever smaller parts of it, as long as it fails, for `patienceMs` at most.
 * @returns the fault of the smallest life that was found to fail.
 */
export async function cutDown(stage: Stage, life: Life, fault: string, patienceMs: number): Promise<string> {
  const deadline = Date.now() + patienceMs;
  let smallest = { life, fault };
  for (let size = Math.ceil(life.commands.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < smallest.life.commands.length && Date.now() < deadline; ) {
      const commands = smallest.life.commands.toSpliced(from, size);
      const shorter = { ...smallest.life, commands };
      const still = await faultOf(stage, shorter);
      if (still === null) from += size;
      else smallest = { life: shorter, fault: still };
    }
  }
  return smallest.fault;
}
