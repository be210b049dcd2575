/**
 * The one port of the service: what a channel driver is given, and what it answers.
 *
 * A driver knows no database, no queue and no status. It hands one message to one provider for one
 * recipient and says what became of it, as a value. Adding a channel is adding a driver file and its
 * line in `drivers.ts`.
 */
import type { TSchema } from 'typebox';

/** Where in the conversation with the provider an outcome was decided. */
export type DeliveryStep = 'prepare' | 'connect' | 'tls' | 'auth' | 'sender' | 'recipient' | 'body' | 'accepted';

/** What the provider said, kept with the attempt. Every part may be unknown. */
export interface ProviderAnswer {
  step: DeliveryStep;
  /** Basic code, e.g. 550 (RFC 5321 §4.2). */
  code: number | null;
  /** Enhanced code, e.g. `5.1.1` (RFC 3463). */
  enhancedCode: string | null;
  /** The provider's own words, cut at 500 characters, without addresses where the driver can tell. */
  text: string | null;
}

/**
 * What became of one hand-over.
 * - `accepted`: the provider took responsibility for it.
 * - `transient`: not taken, may be taken later. `retryAfterSeconds` is the provider's wish, if it had one.
 * - `permanent`: not taken, never will be as it is. `suppressAddress` when the address itself is dead.
 * - `account_fault`: the account's own trouble (password, TLS, refused settings): says nothing of the message.
 * - `uncertain`: the content was written and no answer came: the provider may or may not have it.
 */
export type Outcome =
  | { kind: 'accepted'; answer: ProviderAnswer; providerReference: string | null }
  | { kind: 'transient'; answer: ProviderAnswer; reason: string; retryAfterSeconds: number | null }
  | { kind: 'permanent'; answer: ProviderAnswer; reason: string; suppressAddress: boolean }
  | { kind: 'account_fault'; answer: ProviderAnswer; reason: string }
  | { kind: 'uncertain'; answer: ProviderAnswer; reason: string };

/** One hand-over of one finished message to exactly one recipient. */
export interface Handover {
  /** Id of the message, for the driver's logs and for the name of files. */
  messageId: string;
  /** Envelope sender: one strict addr-spec. */
  from: string;
  /** Envelope recipient: one strict addr-spec. */
  to: string;
  /** The finished content (for mail: the MIME bytes, RFC 5322), in pieces that follow one another. */
  raw: readonly Uint8Array[];
  /**
   * Asked once more where reaching the provider took time, before anything is said of the message: another worker may
   * have taken it over meanwhile. False: it is not to be begun, and what is answered does not matter.
   */
  mayBegin(): boolean;
}

/** A live connection to one account. Made once per account revision and worker, closed when it changes. */
export interface ChannelDriver {
  /** Never rejects for what can be expected; a rejection is a bug of the driver. */
  deliver(handover: Handover): Promise<Outcome>;
  /** Tries the account without sending anything (connects and logs in). */
  verify(): Promise<Outcome>;
  /** Ends idle connections. In-flight deliveries finish first. */
  close(): Promise<void>;
}

/** What every driver may need to know of the place where it runs. */
export interface DriverEnvironment {
  /** Folder for drivers that write files. */
  outboxDirectory: string;
  /** CIDR ranges of private or loopback addresses that accounts may connect to. */
  allowedNetworks: readonly string[];
  /** Most connections this process may hold for the account. */
  connections: number;
}

/** A kind of driver: its settings, its secrets, and how to make one. */
export interface DriverDefinition {
  id: string;
  channel: 'mail';
  /** Whether messages can reach people through it. False for files and simulators. */
  reachesPeople: boolean;
  /** JSON Schema of the account's `settings` (shown in answers). */
  settings: TSchema;
  /** JSON Schema of the account's `secrets` (write-only, encrypted at rest). */
  secrets: TSchema;
  /** @param settings and secrets have been checked against the two schemas. */
  create(settings: unknown, secrets: unknown, environment: DriverEnvironment): ChannelDriver;
}
