/** Carries out one row of the table against a service, by HTTP, as somebody who may write templates would. */
import type { HostileOutcome, HostileRow } from './row.ts';

/** What came back. */
interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the answer holds, and asserts it.
  body: any;
}

/** A service, by its address and a key. */
export interface Target {
  url: string;
  key: string;
}

/** What no template may tell: of Node, of prototypes, of files. */
const secrets = /native code|\[object |\[Function|root:x:|"devDependencies"|nodejs|function\s*\w*\(/;

/** One request. A body that is a string is sent as it is. */
export async function ask({ url, key }: Target, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      'idempotency-key': crypto.randomUUID(),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
}

function codesOf({ body }: Answer): string[] {
  return [body?.code, ...(body?.errors ?? []).map(({ code }: { code: string }) => code)].filter(Boolean);
}

/** Why a preview was refused, in the words of messages. */
function reasonOf({ status, body }: Answer): string {
  if (status !== 422) return `${status}`;
  if (body.errors?.some(({ code }: { code: string }) => code === 'field_missing')) return 'field_missing';
  return body.detail === 'it took too long' ? 'template_timeout' : 'template_error';
}

function judgeTexts(
  outcome: HostileOutcome,
  row: HostileRow,
  { subject, text, html }: Record<string, string>,
): string[] {
  const faults: string[] = [];
  const given = JSON.stringify(row.parts).length + row.json.length;
  if (outcome.kind === 'gives' && text !== outcome.text) faults.push(`gives ${JSON.stringify(text?.slice(0, 100))}`);
  if (`${subject}${text}${html}`.length > 3 * given + 10_000) faults.push('gives much more than it was given');
  if (secrets.test(`${subject}${text}${html}`)) faults.push('tells a secret');
  return faults;
}

/** Faults of what the preview answered. */
function judgePreview(row: HostileRow, preview: Answer): string[] {
  const { outcome } = row;
  if (outcome.kind === 'data') {
    const codes = codesOf(preview);
    return preview.status >= 400 && codes.some((code) => outcome.codes.includes(code))
      ? []
      : [`${preview.status} ${codes}`];
  }
  if (preview.status === 200) {
    if (outcome.kind === 'ends') return [`renders ${JSON.stringify(preview.body.text.slice(0, 80))}`];
    return judgeTexts(outcome, row, preview.body);
  }
  const reason = reasonOf(preview);
  if (outcome.kind === 'ends' && outcome.reasons.some((one) => one === reason)) return [];
  if (outcome.kind === 'little' && /^(template|field)/.test(reason)) return [];
  return [`preview: ${reason} ${JSON.stringify(preview.body).slice(0, 200)}`];
}

/** Faults of what became of its message. @param shown what the preview said of the same data. */
function judgeMessage({ outcome }: HostileRow, sent: Answer, shown: Answer): string[] {
  if (outcome.kind === 'data') {
    const codes = codesOf(sent);
    return codes.some((code) => outcome.codes.includes(code)) ? [] : [`request: ${sent.status} ${codes}`];
  }
  if (sent.status !== 201) return [`request: ${sent.status} ${JSON.stringify(sent.body).slice(0, 200)}`];
  const [message] = sent.body.messages;
  if (message.status === 'E') return outcome.kind === 'ends' ? ['its message is not KO'] : [];
  if (outcome.kind === 'ends' && outcome.reasons.includes(message.reason)) return [];
  // The same limits, but another moment: what was just within one may be just beyond it now.
  if (outcome.kind === 'little' && (shown.status !== 200 || message.reason === 'template_timeout')) return [];
  return [`its message is ${message.status} ${message.reason}`];
}

/**
 * Creates a template with the row's texts, publishes, checks and previews it, and sends it to one recipient.
 * @returns what was not as the row says.
 */
export async function attack(target: Target, row: HostileRow, key: string): Promise<string[]> {
  const { syntax, ...texts } = row.parts;
  const parts = { subject: 'Avis', text: 'Bonjour', html: '<p>Bonjour</p>', ...texts };
  const made = await ask(target, 'POST', '/v1/templates', { key, title: row.name, channel: 'mail' });
  const path = `/v1/templates/${made.body.id}`;
  const version = await ask(target, 'POST', `${path}/versions`, {
    ...parts,
    ...(syntax === undefined ? {} : { syntax }),
  });
  if (row.outcome.kind === 'refused') {
    const codes = codesOf(version);
    const asWanted = [400, 422].includes(version.status) && codes.includes(row.outcome.code);
    return asWanted ? [] : [`saved: ${version.status} ${codes} ${JSON.stringify(version.body).slice(0, 300)}`];
  }
  if (version.status !== 201) return [`not saved: ${JSON.stringify(version.body).slice(0, 300)}`];
  const published = await ask(target, 'POST', `${path}/versions/1/publish`);
  if (published.status !== 200) return [`not published: ${JSON.stringify(published.body).slice(0, 300)}`];
  const preview = await ask(target, 'POST', `${path}/preview`, `{"data":${row.json}}`);
  const checked = await ask(target, 'POST', `${path}/check`, `{"data":${row.json}}`);
  const sent = await ask(
    target,
    'POST',
    '/v1/send-requests',
    `{"template":"${key}","recipients":[{"to":{"address":"eve@courriel.example"},"data":${row.json}}]}`,
  );
  return [
    ...judgePreview(row, preview),
    ...(checked.status >= 500 ? [`check: ${checked.status}`] : []),
    ...judgeMessage(row, sent, preview),
  ];
}
