import { BlockList, isIP } from 'node:net';
import { resolve } from 'node:path';

/** Settings of one process. Frozen: nothing changes it after the start. */
export interface Config {
  host: string;
  port: number;
  opsPort: number;
  /** Where the API is reached, without a slash at its end: its document says it, links in mails lead there. Null: unknown. */
  publicUrl: string | null;
  /** Null: the embedded PostgreSQL of `dataDirectory`. */
  databaseUrl: string | null;
  databaseConnections: number;
  dataDirectory: string;
  platformKey: string | null;
  /** Base64 of 32 bytes each: the first encrypts, the others still decrypt. Empty: made in the data folder when embedded. */
  secretsKeys: string[];
  logLevel: string;
  deployment: 'test' | 'production';
  safeRecipientEmail: string | null;
  smtpAllowedNetworks: string[];
  dataSourceAllowedNetworks: string[];
  renderThreads: number;
  requestsPerMinute: number;
}

/** A setting that is wrong or missing: the start stops with this one line. */
export class SettingError extends Error {
  constructor(name: string, why: string) {
    super(`Setting ${name}: ${why}`);
    this.name = 'SettingError';
  }
}

/** Codes of the system (`EACCES`, …), of a connection that times out, and of PostgreSQL: no log-in, no such database. */
const refusals = /^(E[A-Z_]+|CONNECT_TIMEOUT|28...|3D000)$/;

/**
 * Waits for a part of the start that depends on a setting (a port, a folder, a database).
 * @param address the setting that gives the address to listen on, where `name` is a port.
 * @throws SettingError naming it when the machine, or the database, refuses it.
 */
export async function namingSetting<Result>(name: string, work: Promise<Result>, address?: string): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      const { code } = cause as { code?: unknown };
      if (typeof code !== 'string' || !refusals.test(code)) continue;
      throw new SettingError(
        code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' ? (address ?? name) : name,
        cause.message,
      );
    }
    throw error;
  }
}

type Environment = Record<string, string | undefined>;
type Reader<T> = (value: string | undefined, name: string) => T;

function integer(fallback: number, low: number, high: number): Reader<number> {
  return (value, name) => {
    if (value === undefined) return fallback;
    const number = Number(value);
    if (!Number.isInteger(number) || number < low || number > high) {
      throw new SettingError(name, `must be a whole number from ${low} to ${high}, not "${value}"`);
    }
    return number;
  };
}

function oneOf<const T extends string>(fallback: T, ...choices: T[]): Reader<T> {
  return (value, name) => {
    if (value === undefined) return fallback;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new SettingError(name, `must be one of ${choices.join(', ')}, not "${value}"`);
    return found;
  };
}

function url(fallback: string | null, ...protocols: string[]): Reader<string | null> {
  return (value, name) => {
    if (value === undefined) return fallback;
    // The value may hold a password: it is never shown.
    if (!URL.canParse(value)) throw new SettingError(name, 'must be a URL');
    if (!protocols.includes(new URL(value).protocol)) {
      throw new SettingError(name, `must be a URL that starts with ${protocols.join(' or ')}`);
    }
    return value;
  };
}

/** An address that paths are put behind. */
function publicUrl(value: string | undefined, name: string): string | null {
  const given = url(null, 'http:', 'https:')(value, name);
  if (given === null) return null;
  const { username, password, search, hash } = new URL(given);
  if (`${username}${password}${search}${hash}` !== '' || /[?#]$/.test(given)) {
    throw new SettingError(name, 'must have neither a user, a query nor a fragment: paths are put behind it');
  }
  return given.replace(/\/+$/, '');
}

function mailAddress(value: string | undefined, name: string): string | null {
  if (value === undefined) return null;
  if (!/^[^\s@<>,;:"()[\]\\]+@[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(value)) {
    throw new SettingError(name, `must be one mail address, not "${value}"`);
  }
  return value;
}

function networks(value: string | undefined, name: string): string[] {
  const ranges = (value ?? '').split(',').map((range) => range.trim());
  return ranges.filter(Boolean).map((range) => {
    const [address = '', prefix = ''] = range.split('/');
    try {
      new BlockList().addSubnet(address, Number.parseInt(prefix, 10), isIP(address) === 6 ? 'ipv6' : 'ipv4');
    } catch {
      throw new SettingError(name, `must be ranges like 10.0.0.0/8 with commas between, not "${range}"`);
    }
    return range;
  });
}

function secret(minimum: number): Reader<string | null> {
  return (value, name) => {
    if (value === undefined) return null;
    if (value.length < minimum) throw new SettingError(name, `must have at least ${minimum} characters`);
    return value;
  };
}

function secretsKeys(value: string | undefined, name: string): string[] {
  const keys = (value ?? '').split(',').map((key) => key.trim());
  return keys.filter(Boolean).map((key) => {
    if (Buffer.from(key, 'base64').length !== 32) {
      throw new SettingError(name, 'must be 32 random bytes in base64 (several: commas between, the newest first)');
    }
    return key;
  });
}

const text =
  (fallback: string): Reader<string> =>
  (value) =>
    value ?? fallback;

/** Every setting, the one place that names it, how it is read, and its default. */
const settings = {
  HOST: text('127.0.0.1'),
  PORT: integer(8080, 0, 65_535),
  OPS_PORT: integer(9090, 0, 65_535),
  PUBLIC_URL: publicUrl,
  DATABASE_URL: url(null, 'postgres:', 'postgresql:'),
  DATABASE_CONNECTIONS: integer(10, 2, 200),
  DATA_DIR: text('./data'),
  PLATFORM_KEY: secret(24),
  SECRETS_KEY: secretsKeys,
  LOG_LEVEL: oneOf('info', 'fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
  DEPLOYMENT: oneOf('test', 'test', 'production'),
  SAFE_RECIPIENT_EMAIL: mailAddress,
  SMTP_ALLOWED_NETWORKS: networks,
  DATA_SOURCE_ALLOWED_NETWORKS: networks,
  RENDER_THREADS: integer(2, 1, 32),
  REQUESTS_PER_MINUTE: integer(6_000, 1, 10_000_000),
} as const;

/** Names of all settings, for the guard that holds `.env.example` against them. */
export const settingNames: readonly string[] = Object.keys(settings);

/**
 * Reads the settings. An empty value counts as absent.
 * @throws SettingError naming the first setting that is wrong.
 */
export function readConfig(environment: Environment = process.env): Readonly<Config> {
  const read = <Name extends keyof typeof settings>(name: Name): ReturnType<(typeof settings)[Name]> =>
    settings[name](environment[name]?.trim() || undefined, name) as ReturnType<(typeof settings)[Name]>;
  const config: Config = {
    host: read('HOST'),
    port: read('PORT'),
    opsPort: read('OPS_PORT'),
    publicUrl: read('PUBLIC_URL'),
    databaseUrl: read('DATABASE_URL'),
    databaseConnections: read('DATABASE_CONNECTIONS'),
    dataDirectory: resolve(read('DATA_DIR')),
    platformKey: read('PLATFORM_KEY'),
    secretsKeys: read('SECRETS_KEY'),
    logLevel: read('LOG_LEVEL'),
    deployment: read('DEPLOYMENT'),
    safeRecipientEmail: read('SAFE_RECIPIENT_EMAIL'),
    smtpAllowedNetworks: read('SMTP_ALLOWED_NETWORKS'),
    dataSourceAllowedNetworks: read('DATA_SOURCE_ALLOWED_NETWORKS'),
    renderThreads: read('RENDER_THREADS'),
    requestsPerMinute: read('REQUESTS_PER_MINUTE'),
  };
  if (config.databaseUrl !== null && config.secretsKeys.length === 0) {
    throw new SettingError('SECRETS_KEY', 'is needed with DATABASE_URL (32 random bytes in base64)');
  }
  if (config.deployment === 'production' && config.databaseUrl === null) {
    throw new SettingError('DATABASE_URL', 'is needed in production: the embedded database is for trying out');
  }
  return Object.freeze(config);
}
