import type { SendRequestAnswer } from './api-types.ts';
import { type ApiClient, inParallel } from './client.ts';
import { mergeFields, type NoticeRow } from './edition-run.ts';
import { noticePdf } from './notice-pdf.ts';

/** Calls in flight at once: as many as an application that posts in the background would allow itself. */
const concurrency = 8;

/** One row for each client: a file number that comes twice is one client. */
function clientsOf(rows: readonly NoticeRow[]): NoticeRow[] {
  return rows.filter((row) => row.fault !== 'duplicate-file-number');
}

function mailAddresses(row: NoticeRow) {
  // The service refuses a malformed address on a record: those rows bring theirs with the send request.
  if (row.mailAddress === null || row.fault === 'bad-address') return [];
  return [{ kind: 'mail', value: row.mailAddress, preferred: true }];
}

/** Writes each client's record and its choice for "AE par mail". Returns how many clients. */
export async function writeRecipients(client: ApiClient, rows: readonly NoticeRow[]): Promise<number> {
  const clients = clientsOf(rows);
  await inParallel(clients, concurrency, async (row) => {
    const path = `/v1/recipients/external:client:${row.fileNumber}`;
    await client.put(path, {
      type: 'client',
      externalId: row.fileNumber,
      displayName: `${row.firstName} ${row.lastName}`,
      addresses: mailAddresses(row),
      attributes: { titre: row.title, nom: row.lastName, prenom: row.firstName, adresse: row.address.join('\n') },
    });
    await client.put(`${path}/choices`, {
      choices: [
        { notificationType: 'ae-par-mail', channel: 'mail', accepted: row.noticeByMail, source: 'AE par mail' },
      ],
    });
  });
  return clients.length;
}

/** Makes and uploads each client's notice. Returns the document ids by file number, and the bytes uploaded. */
export async function uploadNotices(
  client: ApiClient,
  rows: readonly NoticeRow[],
): Promise<{ documents: Map<string, string>; bytes: number }> {
  const documents = new Map<string, string>();
  let bytes = 0;
  await inParallel(clientsOf(rows), concurrency, async (row) => {
    const pdf = await noticePdf(row);
    const { id } = await client.upload<{ id: string }>('/v1/documents', {
      name: `AE-${row.fileNumber}.pdf`,
      mediaType: 'application/pdf',
      bytes: pdf,
    });
    documents.set(row.fileNumber, id);
    bytes += pdf.length;
  });
  return { documents, bytes };
}

/** `run` names this run: it makes the dedupe keys and the idempotency key of one run differ from the next one's. */
export function postSendRequest(
  client: ApiClient,
  rows: readonly NoticeRow[],
  documents: ReadonlyMap<string, string>,
  run: string,
): Promise<SendRequestAnswer> {
  const recipients = rows.map((row) => ({
    recipient: `external:client:${row.fileNumber}`,
    ...(row.fault === 'bad-address'
      ? { to: { address: row.mailAddress, name: `${row.firstName} ${row.lastName}` } }
      : {}),
    data: mergeFields(row),
    documents: [documents.get(row.fileNumber)],
    dedupeKey: `${row.fileNumber}/${run}`,
    context: { type: 'dossier', ref: row.fileNumber },
  }));
  const body = {
    template: 'avis-echeance',
    mode: 'partial',
    validation: 'manual',
    priority: 'normal',
    editedAt: new Date().toISOString(),
    requestedBy: { user: 'mlefevre', osUser: 'AUBEPINE\\mlefevre', workstation: 'PC-PRODUCTION-03' },
    context: { type: 'edition', ref: run },
    recipients,
  };
  return client.post('/v1/send-requests', body, { 'idempotency-key': run });
}
