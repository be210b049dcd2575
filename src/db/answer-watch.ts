/** Questions to one connection, or to a pool whose connections they wait for in their order. */
export interface Conversation {
  /** Something is asked. @returns what to call when it is answered, or has failed. */
  ask(): () => void;
}

/** Notices a server that says nothing any more: nobody is told of a wire that was unplugged. */
export interface AnswerWatch {
  begin(): Conversation;
  end(): void;
}

interface Question {
  number: number;
  askedAt: number;
  /** When it was seen to have had its turn: a later one was answered. */
  overtakenAt: number | null;
}

interface Talk {
  open: Set<Question>;
  /** The latest question that was answered, and when anything was. */
  answered: { number: number; at: number };
}

/** Since when a question has waited for its answer, and for nothing else. */
function waitingSince(question: Question, { answered }: Talk, now: number): number {
  if (question.number < answered.number) question.overtakenAt ??= now;
  return question.overtakenAt ?? Math.max(question.askedAt, answered.at);
}

/**
 * Makes the watch of a pool, in real time.
 * @param limitMs longer than any answer may take.
 * @param onSilence told when something asked has had no answer for that long, whatever others were answered meanwhile:
 * one connection of many may be the silent one. Then all conversations have ended, whatever is answered later.
 */
export function createAnswerWatch(limitMs: number, onSilence: () => void): AnswerWatch {
  const talks = new Set<Talk>();
  const timer = setInterval(
    () => {
      const now = performance.now();
      const isSilent = (talk: Talk) =>
        [...talk.open].some((question) => now - waitingSince(question, talk, now) >= limitMs);
      if (![...talks].some(isSilent)) return;
      for (const talk of talks) talk.open.clear();
      talks.clear();
      onSilence();
    },
    Math.min(5_000, limitMs / 2),
  ).unref();
  return {
    begin() {
      const talk: Talk = { open: new Set(), answered: { number: 0, at: 0 } };
      let asked = 0;
      return {
        ask() {
          asked += 1;
          const question: Question = { number: asked, askedAt: performance.now(), overtakenAt: null };
          talk.open.add(question);
          talks.add(talk);
          return () => {
            const { number } = talk.answered;
            talk.answered = { number: Math.max(number, question.number), at: performance.now() };
            talk.open.delete(question);
            if (talk.open.size === 0) talks.delete(talk);
          };
        },
      };
    },
    end: () => clearInterval(timer),
  };
}
