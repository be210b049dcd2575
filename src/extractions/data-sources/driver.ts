import type { BlockList } from 'node:net';
import type { FieldShape } from '../../merge-fields/shape.ts';

/**
 * What a data source may answer in the place of rows: the one closed list. `passing`: it may answer later; the others
 * want a person. Neither messages nor codes hold values, keys or credentials.
 */
export const sourceFaults = {
  unreachable: { passing: true, message: 'the data source cannot be reached' },
  busy: { passing: true, message: 'the data source has no connection free' },
  address_refused: { passing: false, message: 'its address is not public, nor in DATA_SOURCE_ALLOWED_NETWORKS' },
  tls_needed: { passing: false, message: 'without TLS it is asked inside DATA_SOURCE_ALLOWED_NETWORKS only' },
  tls_failed: { passing: false, message: 'a TLS connection that can be trusted is not possible' },
  login_refused: { passing: false, message: 'the data source refuses the log-in' },
  secrets_unreadable: {
    passing: false,
    message: 'its secrets cannot be read: give them again, or SECRETS_KEY its key',
  },
  query_refused: { passing: false, message: 'the data source refuses the query' },
  query_timeout: { passing: false, message: 'the query takes longer than statementTimeoutMs' },
  too_many_rows: { passing: false, message: 'the query gives more rows than maximumRows' },
  too_large: { passing: false, message: 'the result is too large' },
  column_refused: { passing: false, message: 'a column cannot be a merge field' },
  value_refused: { passing: false, message: 'a value cannot be that of a merge field' },
  answer_refused: { passing: false, message: 'the answer is not a JSON array of objects' },
} as const;

export type SourceFaultCode = keyof typeof sourceFaults;

/** Why a data source gave no rows. */
export interface SourceFault {
  kind: 'fault';
  code: SourceFaultCode;
  /** What the source says, without data; else the sentence of the code. */
  message: string;
  /** Of a database. */
  sqlState: string | null;
  /** Line of the query, from 1. */
  line: number | null;
}

/** Makes a fault; `message` is more exact than the sentence of its code. */
export function sourceFault(
  code: SourceFaultCode,
  more: { message?: string; sqlState?: string; line?: number | null } = {},
): SourceFault {
  const { message = sourceFaults[code].message, sqlState = null, line = null } = more;
  return { kind: 'fault', code, message, sqlState, line };
}

/** A column of a result, as a merge field. */
export interface SourceColumn {
  name: string;
  field: FieldShape;
  /** It may hold a list as well as an object: people may say which. */
  anyJson?: boolean;
}

/** Rows as JSON values, in the order of their columns. */
export interface SourceRows {
  kind: 'rows';
  columns: SourceColumn[];
  rows: unknown[][];
}

/** What is asked. */
export interface SourceQuestion {
  /** Checked by `checkQuery` of the kind. */
  query: string;
  keyType: 'string' | 'integer';
  /** Each once. None: a database tells the columns, and reads nothing. */
  keys: readonly string[];
  maximumRows: number;
}

/** What a try of a source found. */
export interface SourceTest {
  kind: 'tested';
  /** Whether its credentials could change anything; null: it cannot be asked. */
  canWrite: boolean | null;
  /** What a person should mend. */
  warnings: string[];
}

/** One data source. It answers a value for whatever can be expected, and rejects only for faults of this service. */
export interface SourceDriver {
  ask(question: SourceQuestion): Promise<SourceRows | SourceFault>;
  /** Connects, and looks at what the credentials may do. Reads no data. */
  test(): Promise<SourceTest | SourceFault>;
}

/** What a driver is made with, beside its own settings. */
export interface SourceEnvironment {
  /** Networks that are not public where it may connect all the same. */
  allowed: BlockList;
  /** Longest time of a statement, or of an HTTP answer. */
  timeoutMs: number;
}

/** Largest answer to a question, all its portions together, as it comes over the wire. */
export const answerBytesAtMost = 32_000_000;

/** Cuts keys into the portions that a source is asked about at once. None is one portion without keys. */
export function batchesOf(keys: readonly string[], size: number): string[][] {
  const batches: string[][] = [];
  for (let start = 0; start === 0 || start < keys.length; start += size) batches.push(keys.slice(start, start + size));
  return batches;
}
