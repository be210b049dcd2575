/** What may happen in a generated life of messages: plain data, so that a failing life can be cut down and printed. */
import fc from 'fast-check';

/** How the provider answers one try. The names say where: `…AtBody` after the content, else at RCPT. */
export const providerAnswers = [
  'accept',
  'busy',
  'busyAtBody',
  'unknown',
  'refusedAtBody',
  'cut',
  'cutAtBody',
  'takeAndCut',
  'relayDenied',
] as const;

export type ProviderAnswer = (typeof providerAnswers)[number];

/** One row of a send request. `answers`: to its tries, in order; then all are accepted. */
export interface Row {
  /** Which of the known people it names, if any: their box decides. */
  person: number | null;
  goodAddress: boolean;
  goodName: boolean;
  answers: ProviderAnswer[];
}

export const bulkActions = ['validate', 'block', 'resend'] as const;

export type BulkAction = (typeof bulkActions)[number];

/**
 * What is done while the provider has the content of a message and has not answered yet. `each`: every action that one
 * message can be asked for, and must refuse.
 */
export const deeds = ['each', 'cancel', 'blockRequest', 'pause', 'untick', 'postpone'] as const;

export type Deed = (typeof deeds)[number];

/** Which messages an action by filter is meant for. */
export type Filter = 'request' | 'status' | 'both' | 'address';

/** A send request. Times are minutes from now; null: none. */
export interface Creation {
  kind: 'create';
  rows: Row[];
  validation: 'manual' | 'automatic';
  draft: boolean;
  allOrNothing: boolean;
  priority: 'urgent' | 'normal' | 'bulk';
  sendAt: number | null;
  notAfter: number | null;
}

/** Times are minutes from now; null: none. Numbers that name a message, a request or a person are taken modulo. */
export type Command =
  | Creation
  | { kind: 'act'; action: BulkAction; message: number; hash: 'none' | 'right' | 'wrong' }
  | { kind: 'resolve'; message: number; outcome: 'sent' | 'notSent' }
  | {
      kind: 'correct';
      message: number;
      change: 'to' | 'badTo' | 'data' | 'both' | 'subject' | 'remark';
      answers: ProviderAnswer[];
    }
  | { kind: 'cancel'; request: number }
  | { kind: 'cancelAll' }
  | { kind: 'confirm'; request: number }
  | { kind: 'reschedule'; request: number; sendAt?: number | null; notAfter?: number | null }
  | { kind: 'account'; to: 'pause' | 'resume' }
  | { kind: 'choose'; person: number; accepted: boolean }
  | { kind: 'bulkIds'; action: BulkAction; messages: number[]; stranger: boolean }
  | { kind: 'bulkFilter'; action: BulkAction; by: Filter; message: number }
  | { kind: 'work'; minutes: number }
  | { kind: 'meddle'; first: Creation; minutes: number; deed: Deed };

export type CommandOf<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

/** A life: how the account treats doubt, and what happens. The first command is always a `create`. */
export interface Life {
  onUncertain: 'resend' | 'hold';
  commands: Command[];
}

/** People whose box can be ticked. */
export const peopleCount = 3;

/** Least commands of a life. */
export const leastCommands = 30;

const number = fc.nat(9_999);
const of = <const Values extends readonly unknown[]>(...values: Values) => fc.constantFrom<Values[number]>(...values);

const answers = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant('accept' as const) },
    { weight: 6, arbitrary: of('busy', 'busyAtBody', 'unknown', 'refusedAtBody', 'cut') },
    { weight: 4, arbitrary: of('cutAtBody', 'takeAndCut') },
    { weight: 1, arbitrary: fc.constant('relayDenied' as const) },
  ),
  { maxLength: 4 },
);

/** Faulty in one of eight. */
const usually = of(true, true, true, true, true, true, true, false);

const row: fc.Arbitrary<Row> = fc.record({
  person: fc.option(fc.nat(peopleCount - 1), { freq: 2 }),
  goodAddress: usually,
  goodName: usually,
  answers,
});

const create: fc.Arbitrary<Creation> = fc.record({
  kind: fc.constant('create' as const),
  rows: fc.array(row, { minLength: 1, maxLength: 4 }),
  validation: of('manual', 'automatic'),
  draft: of(false, false, false, true),
  allOrNothing: of(false, false, false, false, true),
  priority: of('urgent', 'normal', 'bulk'),
  sendAt: of(null, null, null, 30, 600),
  notAfter: of(null, null, null, null, null, 45, 700, 4_000),
});

const action = of(...bulkActions);
const minutes = of(0, 1, 3, 10, 70, 400, 1_500);

/** A request that is taken, so that what follows has something to act on. */
const taken = create.map((one) => ({ ...one, draft: false, allOrNothing: false, sendAt: null, notAfter: null }));
/** One that leaves at once. Its first content is often not accepted: what was done meanwhile counts at the next try. */
const leaving = fc
  .tuple(taken, of('accept', 'busyAtBody', 'busyAtBody', 'cutAtBody', 'takeAndCut'))
  .map(([one, answer]): Creation => {
    const [first, ...others] = one.rows;
    const rows = first === undefined ? others : [{ ...first, answers: [answer, ...first.answers] }, ...others];
    return { ...one, rows, validation: 'automatic' };
  });

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 7, arbitrary: create },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('act' as const),
      action,
      message: number,
      hash: of('none', 'none', 'right', 'wrong'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('resolve' as const), message: number, outcome: of('sent', 'notSent') }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('correct' as const),
      message: number,
      change: of('to', 'badTo', 'data', 'both', 'both', 'subject', 'remark'),
      answers,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), request: number }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('confirm' as const), request: number }) },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        kind: fc.constant('reschedule' as const),
        request: number,
        sendAt: of(null, null, -5, 30, 600),
        notAfter: of(null, null, -5, 20, 500, 3_000),
      },
      { requiredKeys: ['kind', 'request'] },
    ),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('account' as const), to: of('pause', 'resume', 'resume') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('choose' as const),
      person: fc.nat(peopleCount - 1),
      accepted: of(true, true, false),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('bulkIds' as const),
      action,
      messages: fc.array(number, { minLength: 1, maxLength: 6 }),
      stranger: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('bulkFilter' as const),
      action,
      by: of('request', 'status', 'both', 'address'),
      message: number,
    }),
  },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('work' as const), minutes }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('meddle' as const), first: leaving, minutes, deed: of(...deeds) }),
  },
);

/** Lives of at least thirty commands. */
export const lives: fc.Arbitrary<Life> = fc
  .tuple(
    of('resend', 'hold', 'hold'),
    taken,
    fc.array(command, { minLength: leastCommands - 1, maxLength: leastCommands + 12, size: 'max' }),
  )
  .map(([onUncertain, first, rest]) => ({ onUncertain, commands: [first, ...rest] }));
