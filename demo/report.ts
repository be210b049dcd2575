import Table from 'cli-table3';
import type { Counts, MessageItem, SendRequestAnswer } from './api-types.ts';
import type { Fault, NoticeRow } from './edition-run.ts';

const statusMeaning = {
  E: 'En attente de validation',
  V: 'Validé, prêt à envoyer',
  OK: 'Envoyé avec succès',
  KO: 'Erreur lors de l’envoi',
  B: 'Bloqué',
} as const;

const faultInFrench: Record<Fault, string> = {
  'bad-address': 'adresse mal écrite',
  'missing-address': 'pas d’adresse mail',
  'box-not-ticked': '« AE par mail » non coché',
  'missing-field': 'montant absent',
  'duplicate-file-number': 'dossier en double',
};

function table(head: string[], rows: (string | number)[][], rightColumns: number[] = []): string {
  const made = new Table({
    head,
    colAligns: head.map((_, column) => (rightColumns.includes(column) ? 'right' : 'left')),
    // No line between rows: more of them fit on a screen.
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    // Colours only for a person: in a log they are noise.
    style: process.stdout.isTTY ? { head: ['cyan'], border: ['grey'] } : { head: [], border: [] },
  });
  made.push(...rows);
  return made.toString();
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** What the service answered for one row, in the words of `Expected`, with its code. */
function answerFor(answer: SendRequestAnswer, index: number): { got: string; code: string; pointer: string } {
  const error = answer.errors.find((item) => item.index === index);
  const message = answer.messages.find((item) => item.index === index);
  const isRepeat = answer.repeated.some((item) => item.index === index);
  const got = isRepeat ? 'repeated' : (message?.status ?? (error === undefined ? 'none' : 'KO'));
  return { got, code: error?.code ?? message?.reason ?? '', pointer: error?.pointer ?? '' };
}

/** Rows whose answer is not the one the edition run expects, as readable lines. Empty when all is as it should be. */
export function surprises(rows: readonly NoticeRow[], answer: SendRequestAnswer): string[] {
  const statuses = new Map(answer.messages.map((message) => [message.index, message.status]));
  return rows.flatMap((row, index) => {
    // The map first: looking through all answers for each of 10,000 good rows would be slow.
    const got = row.fault === null && statuses.has(index) ? statuses.get(index) : answerFor(answer, index).got;
    return got === row.expected ? [] : [`row ${index} (${row.fileNumber}): expected ${row.expected}, got ${got}`];
  });
}

/** The rows that did not become a waiting message: which, where, why. */
export function refusedTable(rows: readonly NoticeRow[], answer: SendRequestAnswer): string {
  const lines = rows.flatMap((row, index) => {
    if (row.fault === null) return [];
    const { got, code, pointer } = answerFor(answer, index);
    return [[index, row.fileNumber, faultInFrench[row.fault], got, code, pointer]];
  });
  return table(['row', 'dossier', 'what is wrong', 'answer', 'code', 'pointer'], lines, [0]);
}

/** Messages as the person who validates sees them. The end of an id tells apart what was made in one second. */
export function messagesTable(messages: readonly MessageItem[]): string {
  const lines = messages.map((message) => [
    `…${message.id.slice(-8)}`,
    message.context?.ref ?? '',
    shorten(message.to?.name ?? '', 22),
    shorten(message.to?.address ?? '', 30),
    shorten(message.subject ?? '', 32),
    shorten(message.documents.map(({ filename }) => filename).join(', '), 22),
    message.status,
  ]);
  return table(['id', 'dossier', 'name', 'mail', 'subject', 'PDF', 'status'], lines);
}

/** Counts by status, with the French name of each. */
export function countsTable(counts: Counts): string {
  const lines = Object.entries(statusMeaning).map(([status, meaning]) => [
    status,
    meaning,
    counts[status as keyof typeof statusMeaning],
  ]);
  return table(['status', '', 'messages'], [...lines, ['', 'Total', counts.created]], [2]);
}

/** How many of the messages in `KO` and `B` have each reason. */
export function reasonsTable(messages: readonly MessageItem[]): string {
  const counted = Map.groupBy(messages, ({ status, reason }) => `${status}|${reason ?? ''}`);
  const lines = [...counted].map(([group, members]) => {
    const refs = members.map(({ context }) => context?.ref ?? '').sort();
    return [...group.split('|'), members.length, shorten(refs.join(', '), 60)];
  });
  return table(['status', 'reason', 'messages', 'dossiers'], lines, [2]);
}
