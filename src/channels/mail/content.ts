/**
 * What a mail says, apart from how it is carried: the thing that is approved, hashed and previewed.
 */

/** A display name and one strict addr-spec (RFC 5321). */
export interface Mailbox {
  name: string | null;
  address: string;
}

/** A document as it is named in a message; its bytes are found by hash. */
export interface DocumentReference {
  name: string;
  mediaType: string;
  sha256: string;
}

/** Everything a person approves when they validate a mail. */
export interface MailContent {
  from: Mailbox;
  replyTo: Mailbox | null;
  to: Mailbox;
  cc: Mailbox[];
  bcc: Mailbox[];
  subject: string;
  text: string;
  html: string;
  documents: DocumentReference[];
}
