/** A recipient as a row of a table that an import reads back as it was. */
import type { RecipientAddress } from '../addresses/read-addresses.ts';
import { relationNames } from '../relations.ts';
import type { RecipientWithAddresses } from '../store.ts';
import { columnOf } from './columns.ts';

/** One kind and role of address in a table, with the columns that say more of it. */
export interface AddressColumns {
  kind: RecipientAddress['kind'];
  role: string | null;
  preferred: boolean;
  acceptsContact: boolean;
}

/** The columns of a table of recipients. What does not fit in them stands in `attributes` and `addresses`, as JSON. */
export interface TableColumns {
  attributes: readonly string[];
  addresses: readonly AddressColumns[];
}

const fields = ['type', 'externalId', 'displayName', 'locale', 'preferredChannel', ...relationNames] as const;

const nameOf = ({ kind, role }: Pick<AddressColumns, 'kind' | 'role'>) => (role === null ? kind : `${kind}.${role}`);

/** Whether an import takes the name for what is meant: a role can be called `preferred`. */
export function isAddressColumn(column: Pick<AddressColumns, 'kind' | 'role'>): boolean {
  const name = nameOf(column);
  const read = name === name.trim() ? columnOf(name) : null;
  return read?.kind === 'address' && read.role === column.role;
}

/** Whether an attribute of this name can have a column. */
export function isAttributeColumn(name: string): boolean {
  return name === name.trim() && columnOf(`attributes.${name}`)?.kind === 'attribute';
}

/** The names of the columns, in order. */
export function headerOf({ attributes, addresses }: TableColumns): string[] {
  const ofAddresses = addresses.flatMap((column) => {
    const name = nameOf(column);
    return [
      name,
      ...(column.preferred ? [`${name}.preferred`] : []),
      ...(column.acceptsContact ? [`${name}.acceptsContact`] : []),
    ];
  });
  return [...fields, ...attributes.map((name) => `attributes.${name}`), ...ofAddresses, 'attributes', 'addresses'];
}

/** Null: they do not fit, and stand as JSON. */
function attributeCells(attributes: Record<string, unknown>, columns: readonly string[]): string[] | null {
  const names = Object.keys(attributes);
  const fits = names.every((name) => typeof attributes[name] === 'string' && attributes[name] !== '');
  if (!fits || names.some((name) => !columns.includes(name))) return null;
  return columns.map((name) => (Object.hasOwn(attributes, name) ? String(attributes[name]) : ''));
}

function cellsOf(column: AddressColumns, address: RecipientAddress | undefined): string[] {
  if (address === undefined) return ['', ...(column.preferred ? [''] : []), ...(column.acceptsContact ? [''] : [])];
  return [
    address.value,
    ...(column.preferred ? [String(address.preferred)] : []),
    // A yes is left unsaid: who refuses after the export must not be overruled when the file is imported.
    ...(column.acceptsContact ? [address.acceptsContact ? '' : 'false'] : []),
  ];
}

/** Null: they do not fit, because of their order, because two are of one kind and role, or for a column that is not there. */
function addressCells(addresses: readonly RecipientAddress[], columns: readonly AddressColumns[]): string[] | null {
  const places = addresses.map((address) =>
    columns.findIndex(({ kind, role }) => kind === address.kind && role === address.role),
  );
  const inOrder = places.every((place, index) => place >= 0 && (index === 0 || place > (places[index - 1] ?? place)));
  const said = addresses.every(({ preferred, acceptsContact }, index) => {
    const column = columns[places[index] ?? -1];
    return (!preferred || column?.preferred) && (acceptsContact || column?.acceptsContact);
  });
  if (!inOrder || !said) return null;
  return columns.flatMap((column, place) => cellsOf(column, addresses[places.indexOf(place)]));
}

const empty = (columns: readonly AddressColumns[]) => columns.flatMap((column) => cellsOf(column, undefined));

/** An address as a body has it. A refusal is said, a yes is not: whoever refuses after the export keeps their word. */
function writtenAddress({ kind, value, role, preferred, acceptsContact }: RecipientAddress) {
  return { kind, value, role, preferred, ...(acceptsContact ? {} : { acceptsContact }) };
}

/** The cells of a recipient, under `headerOf`. Its relations are references (`withReferences`). */
export function flatten(recipient: RecipientWithAddresses, { attributes, addresses }: TableColumns): (string | null)[] {
  const plain = attributeCells(recipient.attributes, attributes);
  const ways = addressCells(recipient.addresses, addresses);
  return [
    ...fields.map((name) => recipient[name]),
    ...(plain ?? attributes.map(() => '')),
    ...(ways ?? empty(addresses)),
    plain === null ? JSON.stringify(recipient.attributes) : '',
    ways === null ? JSON.stringify(recipient.addresses.map(writtenAddress)) : '',
  ];
}

/** A recipient as a line of NDJSON: the members of `POST /v1/recipients`. Its relations are references. */
export function asObject(recipient: RecipientWithAddresses): object {
  const { type, externalId, displayName, locale, preferredChannel, attributes } = recipient;
  const { householdOf, referenceContactOf, partOf } = recipient;
  const relations = { householdOf, referenceContactOf, partOf };
  const given = Object.fromEntries(Object.entries(relations).filter(([, id]) => id !== null));
  const addresses = recipient.addresses.map(writtenAddress);
  return { type, externalId, displayName, locale, preferredChannel, ...given, attributes, addresses };
}
