import type { Static } from 'typebox';
import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import type { ErrorItem } from '../errors.ts';
import { doubtfulNames, refuseColumns } from '../row-files/columns.ts';
import { unguarded } from '../row-files/csv-text.ts';
import type { FileRow } from '../row-files/read-rows.ts';
import { compileCheck } from '../schema-check.ts';
import { NewSuppression } from './schema.ts';
import type { GivenSuppression } from './store.ts';

const names = ['address', 'channel', 'cause', 'since', 'note'] as const;

/** A column of a file of suppressions; null: one without a name, as spreadsheets leave them behind. */
export type SuppressionColumn = (typeof names)[number] | null;

/** @throws AppError `unprocessable` naming every column that is unknown, missing, or there twice. */
export function suppressionColumns(header: readonly string[]): SuppressionColumn[] {
  const faults: ErrorItem[] = [];
  const columns = header.map((name) => {
    const known = names.find((one) => one === name) ?? null;
    if (known === null && name !== '')
      faults.push({ pointer: `/${name}`, code: 'column_unknown', message: 'is not known' });
    return known;
  });
  for (const name of header.length === 0 ? [] : (['address', 'cause'] as const)) {
    if (!columns.includes(name)) faults.push({ pointer: `/${name}`, code: 'column_missing', message: 'is missing' });
  }
  refuseColumns([...faults, ...doubtfulNames(header)]);
  return columns;
}

/** A suppression whose address has been read. */
export type ReadSuppression = Omit<GivenSuppression, 'since'> & { since: Date };

const faultsOf = compileCheck(NewSuppression);

const nullCharacter = { code: 'null_character', message: 'must not contain U+0000' };

const day = /^\d{4}-\d{2}-\d{2}$/;

/**
 * Blanks around it, no-break ones too, are what spreadsheets leave behind; a note is kept as it is. A day without a time is
 * its beginning in UTC.
 */
function cellOf(column: SuppressionColumn, text: string): string {
  const cell = unguarded(text);
  if (column === 'note') return cell;
  const trimmed = cell.trim();
  return column === 'since' && day.test(trimmed) ? `${trimmed}T00:00:00Z` : trimmed;
}

function readCells(columns: readonly SuppressionColumn[], cells: readonly string[]) {
  const value: Record<string, unknown> = {};
  const faults: ErrorItem[] = [];
  for (const [place, text] of cells.entries()) {
    const column = columns[place] ?? null;
    const cell = cellOf(column, text);
    if (cell === '') continue;
    if (column === null) {
      faults.push({ pointer: '', code: 'cell_unnamed', message: 'has a cell in a column without a name' });
    } else if (cell.includes('\u0000')) faults.push({ pointer: `/${column}`, ...nullCharacter });
    else value[column] = cell;
  }
  return { value, faults };
}

/** Checks a row of a file as a suppression that is created is checked. The address is in its compared form then. */
export function checkRow(
  row: FileRow,
  { columns, now }: { columns: readonly SuppressionColumn[]; now: Date },
): { kind: 'given'; given: ReadSuppression } | { kind: 'refused'; faults: readonly ErrorItem[] } {
  if (row.kind === 'fault') return { kind: 'refused', faults: row.faults };
  const read = row.kind === 'cells' ? readCells(columns, row.cells) : { value: row.value, faults: [] };
  const faults = [...read.faults, ...faultsOf(read.value)];
  if (faults.length > 0) return { kind: 'refused', faults };
  const { address, channel = 'mail', cause, since: given, note = null } = read.value as Static<typeof NewSuppression>;
  const refuse = (pointer: string, code: string, message: string) =>
    ({ kind: 'refused', faults: [{ pointer, code, message }] }) as const;
  const parsed = parseAddrSpec(address);
  if (parsed.kind === 'invalid') return refuse('/address', 'address_invalid', parsed.why);
  const since = given === undefined ? now : new Date(given);
  if (since > now) return refuse('/since', 'in_future', 'since is in the future');
  return { kind: 'given', given: { address: parsed.normalized, channel, cause, since, note } };
}
