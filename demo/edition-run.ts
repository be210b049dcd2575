import { firstNames, lastNames, mailDomains, residences, risks, streets, towns } from './french-people.ts';

/** What is wrong with a row, on purpose. */
export type Fault = 'bad-address' | 'missing-address' | 'box-not-ticked' | 'missing-field' | 'duplicate-file-number';

/** What becomes of a row: a message waiting in `E`, a message born `KO` or `B`, or no new message (a repeat). */
export type Expected = 'E' | 'KO' | 'B' | 'repeated';

/** One premium notice (avis d'échéance), as the broker's application holds it. Amounts and dates are in French. */
export interface NoticeRow {
  fileNumber: string;
  contractNumber: string;
  riskLabel: string;
  title: 'Madame' | 'Monsieur';
  firstName: string;
  lastName: string;
  /** Lines of the postal address below the name. */
  address: string[];
  /** Null: the record has no mail address. */
  mailAddress: string | null;
  /** The box "AE par mail" of the record (W5). */
  noticeByMail: boolean;
  amountLines: { label: string; amount: string }[];
  total: string;
  dueDate: string;
  period: string;
  fault: Fault | null;
  expected: Expected;
}

/** The day the run was edited: fixed, so that the same rows give the same bytes. */
export const editionDate = new Date('2026-11-20T09:00:00Z');

/** Fewest rows that hold the ten broken ones apart. */
export const minimumCount = 20;

const faults: readonly Fault[] = [
  'bad-address',
  'missing-address',
  'box-not-ticked',
  'missing-field',
  'duplicate-file-number',
  'bad-address',
  'missing-address',
  'box-not-ticked',
  'missing-field',
  'duplicate-file-number',
];

const badAddresses = ['jean.dupont@', 'a@b.example, c@d.example'];

const expectedOf: Record<Fault, Expected> = {
  'bad-address': 'KO',
  'missing-address': 'KO',
  'box-not-ticked': 'B',
  'missing-field': 'KO',
  'duplicate-file-number': 'repeated',
};

/** Numbers from 0 to `below` − 1, always the same for one seed (mulberry32). */
function createDice(seed: number) {
  let state = seed >>> 0;
  return (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

type Dice = ReturnType<typeof createDice>;

function pick<T>(dice: Dice, choices: readonly T[]): T {
  return choices[dice(choices.length)] as T;
}

/**
 * Cents as a French amount, `1 234,56 €`. As the Imprimerie nationale has it, the thousands are parted by a
 * narrow no-break space (U+202F) and the sign by a no-break space (U+00A0).
 */
export function frenchAmount(cents: number): string {
  const euros = String(Math.floor(cents / 100)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
  return `${euros},${String(cents % 100).padStart(2, '0')}\u00a0€`;
}

const months = [
  'janvier',
  'février',
  'mars',
  'avril',
  'mai',
  'juin',
  'juillet',
  'août',
  'septembre',
  'octobre',
  'novembre',
  'décembre',
];

/** A date as French letters write it: `1er janvier 2027`, `15 mars 2027`. In UTC. */
export function frenchDate(date: Date): string {
  const day = date.getUTCDate();
  return `${day}${day === 1 ? 'er' : ''} ${months[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}

/** A local part and its domain from a name: letters without accents, 64 octets at most (RFC 5321, 4.5.3.1.1). */
function mailAddressOf(firstName: string, lastName: string, domain: string, taken: Set<string>): string {
  const plain = (name: string) =>
    name
      .toLowerCase()
      .replaceAll('œ', 'oe')
      .normalize('NFD')
      .replace(/[^a-z-]/g, '');
  const local = `${plain(firstName)}.${plain(lastName)}`.slice(0, 60);
  for (let serial = 1; ; serial += 1) {
    const address = `${local}${serial === 1 ? '' : serial}@${domain}`;
    if (!taken.has(address)) {
      taken.add(address);
      return address;
    }
  }
}

function amountsOf(dice: Dice, taxPerThousand: number): Pick<NoticeRow, 'amountLines' | 'total'> {
  const premium = 6_000 + dice(340_000);
  const tax = Math.round((premium * taxPerThousand) / 1_000);
  const lines = [
    { label: 'Cotisation nette', cents: premium },
    { label: 'Taxe sur les conventions d’assurance', cents: tax },
    { label: 'Contribution au fonds de garantie des victimes', cents: 650 },
    { label: 'Frais d’échéance', cents: 1_200 },
  ];
  return {
    amountLines: lines.map(({ label, cents }) => ({ label, amount: frenchAmount(cents) })),
    total: frenchAmount(lines.reduce((sum, { cents }) => sum + cents, 0)),
  };
}

function datesOf(dice: Dice): Pick<NoticeRow, 'dueDate' | 'period'> {
  const month = dice(3);
  const day = pick(dice, [1, 1, 1, 15, 20]);
  const start = new Date(Date.UTC(2027, month, day));
  const end = new Date(Date.UTC(2028, month, day - 1));
  return { dueDate: frenchDate(start), period: `du ${frenchDate(start)} au ${frenchDate(end)}` };
}

function goodRow(dice: Dice, position: number, taken: Set<string>): NoticeRow {
  const title = pick(dice, ['Madame', 'Monsieur'] as const);
  const firstName = pick(dice, firstNames[title]);
  const lastName = pick(dice, lastNames);
  const risk = pick(dice, risks);
  const residence = pick(dice, residences);
  const street = `${1 + dice(180)}${pick(dice, ['', '', '', ' bis', ' ter'])}, ${pick(dice, streets)}`;
  return {
    fileNumber: `D-2026-${String(position + 1).padStart(6, '0')}`,
    contractNumber: `${risk.prefix}-${String(1_000_000 + dice(9_000_000))}`,
    riskLabel: risk.label,
    title,
    firstName,
    lastName,
    address: [...(residence === null ? [] : [residence]), street, pick(dice, towns)],
    mailAddress: mailAddressOf(firstName, lastName, pick(dice, mailDomains), taken),
    noticeByMail: true,
    ...amountsOf(dice, risk.taxPerThousand),
    ...datesOf(dice),
    fault: null,
    expected: 'E',
  };
}

function breakRow(rows: NoticeRow[], position: number, fault: Fault, isSecond: boolean): NoticeRow {
  const row = rows[position] as NoticeRow;
  const broken = { ...row, fault, expected: expectedOf[fault] };
  switch (fault) {
    case 'bad-address':
      return { ...broken, mailAddress: badAddresses[isSecond ? 1 : 0] as string };
    case 'missing-address':
      return { ...broken, mailAddress: null };
    case 'box-not-ticked':
      return { ...broken, noticeByMail: false };
    case 'missing-field':
      return broken;
    case 'duplicate-file-number':
      // The row before is always a good one: faults are two rows apart or more.
      return { ...(rows[position - 1] as NoticeRow), fault, expected: expectedOf[fault] };
  }
}

/**
 * The rows of an edition run, the same for the same `count` and `seed`, ten of them broken: two of each `Fault`.
 * `count` below `minimumCount` is refused.
 */
export function editionRun({ count = 500, seed = 1 }: { count?: number; seed?: number } = {}): NoticeRow[] {
  if (!Number.isInteger(count) || count < minimumCount) {
    throw new RangeError(`An edition run has ${minimumCount} rows or more, not ${count}`);
  }
  const dice = createDice(seed);
  const taken = new Set<string>();
  const rows = Array.from({ length: count }, (_, position) => goodRow(dice, position, taken));
  for (const [index, fault] of faults.entries()) {
    const position = Math.floor(((index + 0.5) * count) / faults.length);
    rows[position] = breakRow(rows, position, fault, index >= faults.length / 2);
  }
  return rows;
}

/** The merge fields of the template `avis-echeance` for one row; `montant` is left out where the row misses a field. */
export function mergeFields(row: NoticeRow): Record<string, string> {
  return {
    Adr_Titre: row.title,
    Adr_Nom: row.lastName,
    Adr_Prenom: row.firstName,
    dossier: row.fileNumber,
    contrat: row.contractNumber,
    ...(row.fault === 'missing-field' ? {} : { montant: row.total }),
    echeance: row.dueDate,
  };
}
