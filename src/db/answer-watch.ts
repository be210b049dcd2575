/** Questions to one connection, or to a pool whose connections they have to wait for. */
export interface Conversation {
  /** Something is asked. @returns what to call when it is answered, or has failed. */
  ask(): () => void;
}

/** Notices a server that says nothing any more: nobody is told of a wire that was unplugged. */
export interface AnswerWatch {
  begin(): Conversation;
  end(): void;
}

/**
 * Makes the watch of a pool, in real time.
 * @param limitMs longer than any answer may take.
 * @param onSilence told when a conversation in which something is asked has had no answer for that long. Then it has
 * ended, whatever is answered later.
 */
export function createAnswerWatch(limitMs: number, onSilence: () => void): AnswerWatch {
  const asking = new Map<object, { open: number; since: number }>();
  const timer = setInterval(
    () => {
      const now = performance.now();
      if (![...asking.values()].some(({ since }) => now - since >= limitMs)) return;
      asking.clear();
      onSilence();
    },
    Math.min(5_000, limitMs / 2),
  ).unref();
  return {
    begin() {
      const conversation: Conversation = {
        ask() {
          const now = performance.now();
          const state = asking.get(conversation) ?? { open: 0, since: now };
          state.open += 1;
          asking.set(conversation, state);
          return () => {
            state.open -= 1;
            state.since = performance.now();
            if (state.open === 0) asking.delete(conversation);
          };
        },
      };
      return conversation;
    },
    end: () => clearInterval(timer),
  };
}
