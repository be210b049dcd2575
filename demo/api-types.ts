/** Number of messages by status; `created` is their sum. */
export type Counts = Record<'created' | 'E' | 'V' | 'OK' | 'KO' | 'B', number>;

/** The parts of a send request's creation answer that the demo reads. `index` is the row in what was posted. */
export interface SendRequestAnswer {
  id: string;
  status: string;
  counts: Counts;
  messages: { index: number; id: string; status: string; reason: string | null }[];
  errors: { index: number; pointer: string; code: string; message: string }[];
  repeated: { index: number; messageId: string }[];
}

/** The parts of a message that the demo reads. */
export interface MessageItem {
  id: string;
  status: string;
  reason: string | null;
  to: { address: string | null; name: string | null } | null;
  subject: string | null;
  documents: { filename: string }[];
  context: { type: string; ref: string } | null;
}

/** A page of a list. */
export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}
