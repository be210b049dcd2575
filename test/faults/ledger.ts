/** Three lists that must agree at the end: what was accepted, what the sink took, what the database says. */
import { sql } from 'drizzle-orm';
import { messageIdOf, receiverOf, type Sending } from '../support/sending.ts';

/** What was accepted by the API: message ids by receiver. */
export type Accepted = ReadonlyMap<string, string>;

/** What a scenario found, to be added up. */
export interface Findings {
  accepted: number;
  sent: number;
  /** Ended otherwise, and nothing arrived: refused by the server, blocked by a person. */
  refused: number;
  /** Second copies of the same mail. */
  duplicates: number;
  /** Messages held because nobody can tell. */
  uncertain: number;
}

/** What a fault left behind, before anybody recovers it. */
export interface Wreck {
  /** Messages whose attempt is open. */
  open: ReadonlySet<string>;
  /** Messages that the sink has taken. */
  taken: ReadonlySet<string>;
  at: number;
}

/** A rule that the end of a scenario breaks. */
export class Broken extends Error {}

export function must(condition: boolean, what: string): void {
  if (!condition) throw new Broken(what);
}

/** The message a mail is of: the first part of its Message-ID. */
const messageOf = (mail: Parameters<typeof messageIdOf>[0]): string =>
  /<([0-9a-f-]{36})\./.exec(messageIdOf(mail))?.[1] ?? '';

/** Reads what is open in the database and what the sink has, at this moment. */
export async function readWreck(service: Sending): Promise<Wreck> {
  const rows = await service.execute(sql`select message_id from attempts where finished_at is null`);
  return {
    open: new Set(rows.map(({ message_id }) => String(message_id))),
    taken: new Set(service.sink.mails.map(messageOf)),
    at: Date.now(),
  };
}

/** Mails of the sink by message, with their Message-IDs. */
function mailsByMessage(service: Sending): Map<string, string[]> {
  const mails = new Map<string, string[]>();
  for (const mail of service.sink.mails) {
    const id = messageOf(mail);
    mails.set(id, [...(mails.get(id) ?? []), `${messageIdOf(mail)} ${receiverOf(mail)}`]);
  }
  return mails;
}

async function checkRows(service: Sending): Promise<void> {
  const [row] = await service.execute(sql`
    select (select count(*)::int from attempts where finished_at is null) as open,
      (select count(*)::int from messages where dispatch_state <> 'idle') as moving,
      (select count(*)::int from pgboss.job where name like 'dispatch.%') as jobs,
      (select count(*)::int from messages where not exists (
        select 1 from transitions where transitions.message_id = messages.id and to_status = messages.status)) as untold,
      (select count(*)::int from (
        select from_status, lag(to_status) over (partition by tenant_id, message_id order by at, id) as before
        from transitions) moves where from_status is distinct from before) as unchained,
      (select count(*)::int from (
        select 1 from events where type = 'message.sent' group by tenant_id, resource_id having count(*) > 1) twice) as told_twice,
      (select count(*)::int from send_requests where created_count <> (
        select count(*) from messages where messages.send_request_id = send_requests.id)) as miscounted`);
  must(row?.open === 0, `${row?.open} attempts are open`);
  must(row?.moving === 0, `${row?.moving} messages are stuck on their way`);
  must(row?.jobs === 0, `${row?.jobs} jobs are left`);
  must(row?.untold === 0, `${row?.untold} messages have no transition to their status`);
  must(row?.unchained === 0, `${row?.unchained} transitions do not follow the one before`);
  must(row?.told_twice === 0, `${row?.told_twice} messages were told as sent twice`);
  must(row?.miscounted === 0, `${row?.miscounted} send requests do not add up`);
}

/** What may have become of a message when a fault came: whether it was on its way, and whether the sink had it. */
export type Doubt = (messageId: string) => { open: boolean; taken: boolean };

/** The doubts of a wreck: only what was open then. */
export const doubtsOf =
  (wreck: Wreck): Doubt =>
  (id) => ({ open: wreck.open.has(id), taken: wreck.taken.has(id) });

/** Nothing was ever in doubt. */
export const noDoubt: Doubt = () => ({ open: false, taken: false });

/** Anything may be in doubt: the scenario bounds how much of it. */
export const anyDoubt: Doubt = () => ({ open: true, taken: true });

/**
 * Compares the lists once nothing is on its way any more.
 * @throws Broken naming the first rule that does not hold.
 */
export async function compare(
  service: Sending,
  accepted: Accepted,
  doubt: Doubt,
  onUncertain: 'resend' | 'hold',
): Promise<Findings> {
  await checkRows(service);
  const rows = await service.execute(sql`select id, status, reason, delivery from messages`);
  const known = new Map(rows.map((row) => [String(row.id), row]));
  const mails = mailsByMessage(service);
  let [sent, duplicates, uncertain] = [0, 0, 0];
  for (const [receiver, id] of accepted) {
    const row = known.get(id);
    must(row !== undefined, `the accepted message to ${receiver} is lost`);
    const copies = mails.get(id) ?? [];
    if (row?.status === 'OK') {
      sent += 1;
      must(copies.length >= 1, `the message to ${receiver} is OK and never arrived`);
    } else {
      must(row?.reason === 'outcome_unknown', `the message to ${receiver} ended ${row?.status} ${row?.reason}`);
      must(row?.delivery === 'uncertain', `the message to ${receiver} is in doubt and does not say so`);
      must(doubt(id).open, `the message to ${receiver} is held though it was not open`);
      uncertain += 1;
    }
    must(new Set(copies).size <= 1, `the copies to ${receiver} have different Message-IDs`);
    if (copies.length > 1) {
      duplicates += copies.length - 1;
      must(onUncertain === 'resend', `the message to ${receiver} came twice under hold`);
      must(copies.length === 2, `the message to ${receiver} came ${copies.length} times`);
      must(doubt(id).open && doubt(id).taken, `the message to ${receiver} came twice though nothing was in doubt`);
    }
  }
  must(
    [...mails.keys()].every((id) => known.has(id)),
    'a mail came of no message',
  );
  if (onUncertain === 'resend') must(uncertain === 0, `${uncertain} messages are held under resend`);
  return { accepted: accepted.size, sent, refused: 0, duplicates, uncertain };
}
