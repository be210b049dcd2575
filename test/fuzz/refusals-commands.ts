/** What may happen to people and to messages for them, by chance. */
import fc from 'fast-check';
import { type Subject, subjects } from './refusals-model.ts';

/** People and addresses of one life: few, so that they meet. */
const person = fc.nat({ max: 3 });
const address = fc.nat({ max: 4 });

export type Command =
  | { kind: 'keep'; person: number; addresses: [number, boolean][]; member: number | null }
  | { kind: 'household'; person: number; member: number | null }
  | { kind: 'delete'; person: number }
  | { kind: 'consent'; person: number; level: number }
  | { kind: 'choose'; person: number; accepted: boolean }
  | { kind: 'suppress' | 'lift'; address: number; spelling: number }
  | { kind: 'type'; active: boolean }
  | {
      kind: 'send';
      subject: Subject;
      person: number | null;
      to: number | null;
      copy: number | null;
      spelling: number;
      automatic: boolean;
    }
  | { kind: 'correct'; to: number; spelling: number }
  | { kind: 'validate' | 'work' };

const spelling = fc.nat({ max: 2 });
const kind = <Kind extends Command['kind']>(word: Kind) => fc.constant(word);

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind('keep'),
      person,
      addresses: fc.uniqueArray(
        fc.tuple(address, fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.boolean())),
        {
          maxLength: 3,
          selector: ([number]) => number,
        },
      ),
      member: fc.option(person, { freq: 2 }),
    }),
  },
  // More often than not of the member who has dependants from the beginning: they leave, and come back.
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind('household'),
      person,
      member: fc.option(fc.oneof(fc.constant(0), person), { freq: 1 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('delete'), person }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('consent'), person, level: fc.nat({ max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('choose'), person, accepted: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('suppress'), address, spelling }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('lift'), address, spelling }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('type'), active: fc.boolean() }) },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: kind('send'),
      subject: fc.constantFrom(...(Object.keys(subjects) as Subject[])),
      person: fc.option(person, { freq: 4 }),
      to: fc.option(address, { freq: 2 }),
      copy: fc.option(address, { freq: 2 }),
      spelling,
      automatic: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('correct'), to: address, spelling }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('validate') }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('work') }) },
);

/** Everybody is there at first, in one household or two, or none. */
const beginning: fc.Arbitrary<Command[]> = fc
  .tuple(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.nat({ max: 3 }))
  .map(([dependant, level]) => [
    ...dependant.map(
      (follows, number): Command => ({
        kind: 'keep',
        person: number,
        addresses: [[number, true]],
        member: follows && number > 0 && !dependant[0] ? 0 : null,
      }),
    ),
    { kind: 'consent', person: 0, level },
  ]);

/** Lives: each ends by doing all that is due. */
export const lives = fc
  .tuple(beginning, fc.array(command, { minLength: 4, maxLength: 24 }))
  .map(([first, commands]) => [...first, ...commands]);
