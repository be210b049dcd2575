import type { ErrorItem } from '../../errors.ts';
import { readTruth } from '../../row-files/columns.ts';
import { unguarded } from '../../row-files/csv-text.ts';
import { parseStrictJson } from '../../strict-json.ts';
import type { Column } from './columns.ts';

/** A row as it would stand in JSON, and the columns that its addresses come from. */
export interface CellsRead {
  value: Record<string, unknown>;
  addressColumns: string[];
  faults: ErrorItem[];
}

interface Address {
  kind: string;
  value: string;
  role: string | null;
  preferred?: boolean;
  acceptsContact?: boolean;
}

function readJson(cell: string, pointer: string, faults: ErrorItem[]): unknown {
  try {
    return parseStrictJson(Buffer.from(cell), 1);
  } catch {
    faults.push({ pointer, code: 'invalid_json', message: 'is not acceptable JSON' });
    return undefined;
  }
}

/** Attributes and addresses as one JSON value, beside columns that give the same, would be two words about one thing. */
function setJson(read: CellsRead, name: 'attributes' | 'addresses', cell: string): void {
  if (name in read.value) {
    const message = 'is given as JSON and by columns of its own';
    read.faults.push({ pointer: `/${name}`, code: 'given_twice', message });
    return;
  }
  const value = readJson(cell, `/${name}`, read.faults);
  if (value !== undefined) read.value[name] = value;
}

function modify(read: CellsRead, address: Address | undefined, column: Column & { kind: 'modifier' }, cell: string) {
  const truth = readTruth(cell);
  if (truth === undefined) {
    read.faults.push({ pointer: `/${column.header}`, code: 'wrong_type', message: 'is neither yes nor no' });
  } else if (address !== undefined) address[column.name] = truth;
}

const headerOf = (column: Column): string =>
  column.kind === 'attribute'
    ? `attributes.${column.name}`
    : 'header' in column
      ? column.header
      : 'name' in column
        ? column.name
        : '';

function readColumn(
  read: CellsRead,
  byColumn: Map<string, Address>,
  attributes: [string, string][],
  column: Column,
  cell: string,
) {
  switch (column.kind) {
    case 'field':
      read.value[column.name] = cell;
      return;
    case 'attribute':
      attributes.push([column.name, cell]);
      return;
    case 'address': {
      const { header, addressKind: kind, role } = column;
      // Blanks around an address, no-break ones too, are what spreadsheets leave behind.
      byColumn.set(header, { kind, value: kind === 'postal' ? cell : cell.trim(), role });
      return;
    }
    case 'none':
      read.faults.push({ pointer: '', code: 'cell_unnamed', message: 'has a cell in a column without a name' });
      return;
    case 'modifier':
    case 'json':
      // They speak of what others give: behind them.
      return;
  }
}

/** Reads the cells of a row. An empty one gives nothing. */
export function readCells(columns: readonly Column[], cells: readonly string[]): CellsRead {
  const read: CellsRead = { value: {}, addressColumns: [], faults: [] };
  const byColumn = new Map<string, Address>();
  const attributes: [string, string][] = [];
  const texts = cells.map(unguarded);
  for (const [place, column] of columns.entries()) {
    const cell = texts[place] ?? '';
    if (cell.includes('\u0000')) {
      read.faults.push({ pointer: `/${headerOf(column)}`, code: 'null_character', message: 'must not contain U+0000' });
    } else if (cell !== '') readColumn(read, byColumn, attributes, column, cell);
  }
  // Own members whatever their names are: `__proto__` is one, and is refused by what checks the row.
  if (attributes.length > 0) read.value.attributes = Object.fromEntries(attributes);
  if (byColumn.size > 0) read.value.addresses = [...byColumn.values()];
  read.addressColumns = [...byColumn.keys()];
  for (const [place, column] of columns.entries()) {
    const cell = texts[place] ?? '';
    if (cell === '') continue;
    if (column.kind === 'modifier') modify(read, byColumn.get(column.of), column, cell);
    if (column.kind === 'json') setJson(read, column.name, cell);
  }
  return read;
}
