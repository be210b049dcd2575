/** A refusal of the service: what was asked, and its problem document (RFC 9457) as a few readable lines. */
export class ApiProblem extends Error {
  readonly status: number;
  /** Stable code of the problem; `http_<status>` where the answer is not a problem document. */
  readonly code: string;

  constructor(asked: string, status: number, body: unknown) {
    const problem = (typeof body === 'object' && body !== null ? body : {}) as Partial<ProblemDocument>;
    const code = problem.code ?? `http_${status}`;
    const items = (problem.errors ?? []).slice(0, 5).map((item) => `\n  ${item.pointer} ${item.code}: ${item.message}`);
    super(`${asked} → ${status} ${code}: ${problem.detail ?? problem.title ?? 'no explanation'}${items.join('')}`);
    this.name = 'ApiProblem';
    this.status = status;
    this.code = code;
  }
}

interface ProblemDocument {
  title: string;
  detail: string;
  code: string;
  errors: { pointer: string; code: string; message: string }[];
}

/** Calls of the HTTP API. Every one throws `ApiProblem` on a refusal; the answer's type is the caller's claim. */
export interface ApiClient {
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  put<Answer>(path: string, body: unknown): Promise<Answer>;
  /** Posts one file as the field `file` of a multipart form. */
  upload<Answer>(path: string, file: { name: string; mediaType: string; bytes: Buffer }): Promise<Answer>;
}

/** Tries of one call while the service answers "later" (429, 503). */
const maximumTries = 5;

/** Seconds to wait before calling again, or null when the answer is final. `Retry-After` in seconds, 1 without. */
function waitOf(answer: Response, tries: number): number | null {
  if ((answer.status !== 429 && answer.status !== 503) || tries >= maximumTries) return null;
  return Math.min(Number(answer.headers.get('retry-after')) || 1, 30);
}

async function bodyOf(answer: Response): Promise<unknown> {
  const text = await answer.text();
  if (!/[/+]json\b/.test(answer.headers.get('content-type') ?? '')) return text;
  return JSON.parse(text);
}

/** A client of the service at `baseUrl` that authenticates with `key`. */
export function createApiClient(baseUrl: string, key: string): ApiClient {
  const call = async <Answer>(method: string, path: string, init: RequestInit): Promise<Answer> => {
    const headers = { authorization: `Bearer ${key}`, accept: 'application/json', ...init.headers };
    for (let tries = 1; ; tries += 1) {
      const answer = await fetch(new URL(path, baseUrl), { ...init, method, headers });
      const body = await bodyOf(answer);
      if (answer.ok) return body as Answer;
      const waitSeconds = waitOf(answer, tries);
      if (waitSeconds === null) throw new ApiProblem(`${method} ${path}`, answer.status, body);
      await new Promise((resume) => setTimeout(resume, waitSeconds * 1_000));
    }
  };
  const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
  return {
    get: (path) => call('GET', path, {}),
    post: (path, body, headers) => call('POST', path, json(body, headers)),
    put: (path, body) => call('PUT', path, json(body)),
    upload: (path, file) => {
      const form = new FormData();
      form.append('file', new Blob([new Uint8Array(file.bytes)], { type: file.mediaType }), file.name);
      return call('POST', path, { body: form });
    },
  };
}

/** Runs `work` on every item, at most `limit` at a time; results keep the order. The first failure stops the rest. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  let next = 0;
  const walk = async () => {
    while (next < items.length) {
      const index = next;
      next += 1;
      try {
        results[index] = await work(items[index] as Item, index);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, walk));
  return results;
}
