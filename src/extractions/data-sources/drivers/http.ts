/**
 * Asks an HTTP service: `GET` of a path with the keys in its query, answered by a JSON array of objects. No redirect is
 * followed: it would lead to an address that nobody checked, with the headers of this one.
 */
import { request as requestPlain } from 'node:http';
import { request as requestEncrypted } from 'node:https';
import { isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { connectToSource, isTlsError } from '../connection.ts';
import {
  answerBytesAtMost,
  batchesOf,
  type SourceDriver,
  type SourceEnvironment,
  type SourceFault,
  type SourceQuestion,
  type SourceRows,
  type SourceTest,
  sourceFault,
} from '../driver.ts';
import { httpTarget } from '../http-path.ts';
import { objectRows, rowsOf } from '../object-rows.ts';
import type { HttpSecrets, HttpSettings } from '../settings.ts';

/** A path with more would be too long for many services. */
const keysAtOnce = 50;
/** A whole question, all its portions together. */
const longestMs = 60_000;
/** One portion. */
const bytesAtMost = 5_000_000;
/** Of the head of an answer. */
const headAtMost = 100_000;

interface HttpAnswer {
  kind: 'answer';
  status: number;
  mediaType: string;
  body: Buffer;
}

function exchange(target: URL, { settings, secrets, environment }: HttpSource): Promise<HttpAnswer | SourceFault> {
  const encrypted = target.protocol === 'https:';
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const port = Number(target.port) || (encrypted ? 443 : 80);
  const limits = { longestMs: environment.timeoutMs, bytesAtMost: bytesAtMost + headAtMost };
  return connectToSource({ host, port, encrypted }, environment, limits).then(
    (connection) =>
      new Promise<HttpAnswer | SourceFault>((resolve) => {
        if (connection.kind === 'fault') return resolve(connection);
        const end = (result: HttpAnswer | SourceFault) => {
          resolve(result);
          connection.close();
        };
        const fail = (error: unknown) =>
          end(sourceFault(connection.ended() ?? (isTlsError(error) ? 'tls_failed' : 'unreachable')));
        const ca = settings.certificateAuthority;
        // An address is no name of a server: it is only compared with the certificate.
        const name = isIP(host) === 0 ? { servername: host } : {};
        const tls = { minVersion: 'TLSv1.2', ...name, ...(ca === undefined ? {} : { ca }) } as const;
        const request = (encrypted ? requestEncrypted : requestPlain)(target, {
          createConnection: () =>
            encrypted ? connectTls({ socket: connection.socket, host, ...tls }) : connection.socket,
          maxHeaderSize: 16_384,
          headers: { ...secrets, accept: 'application/json', 'accept-encoding': 'identity', connection: 'close' },
        });
        request.on('error', fail);
        let answered = false;
        // Whatever is neither a response nor an error ends here.
        request.on('close', () => answered || fail(null));
        request.on('upgrade', () => end({ kind: 'answer', status: 101, mediaType: '', body: Buffer.alloc(0) }));
        request.on('response', (response) => {
          answered = true;
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('error', fail);
          response.on('close', () => fail(null));
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > bytesAtMost) end(sourceFault('too_large'));
            else chunks.push(chunk);
          });
          response.on('end', () => {
            const [mediaType = ''] = (response.headers['content-type'] ?? '').split(';', 1);
            const status = response.statusCode ?? 0;
            end({ kind: 'answer', status, mediaType: mediaType.trim().toLowerCase(), body: Buffer.concat(chunks) });
          });
        });
        request.end();
      }),
  );
}

interface HttpSource {
  settings: HttpSettings;
  secrets: HttpSecrets;
  environment: SourceEnvironment;
}

/** What a status says of the source; null: it has answered. */
function faultOfStatus(status: number): SourceFault | null {
  const message = `it answers with the status ${status}`;
  if (status === 401 || status === 403) return sourceFault('login_refused', { message });
  if (status === 429 || status >= 500) return sourceFault('unreachable', { message });
  return null;
}

function readAnswer({ status, mediaType, body }: HttpAnswer): Record<string, unknown>[] | SourceFault {
  const fault = faultOfStatus(status);
  if (fault !== null) return fault;
  const refuse = (message: string) => sourceFault('answer_refused', { message });
  if (status !== 200) return refuse(`it answers with the status ${status}; redirects are not followed`);
  if (!/^application\/(.+\+)?json$/.test(mediaType)) return refuse('its answer is not of the type application/json');
  return objectRows(body);
}

/** Makes the driver of one HTTP service. */
export function createHttpDriver(
  settings: HttpSettings,
  secrets: HttpSecrets,
  environment: SourceEnvironment,
): SourceDriver {
  const source = { settings, secrets, environment };
  return {
    async ask({ query, keys, maximumRows }: SourceQuestion): Promise<SourceRows | SourceFault> {
      const objects: Record<string, unknown>[] = [];
      const deadline = performance.now() + longestMs;
      let received = 0;
      for (const batch of batchesOf(keys, keysAtOnce)) {
        if (performance.now() > deadline) return sourceFault('query_timeout');
        const target = httpTarget(settings.url, query, batch);
        if (target.kind === 'problem') return sourceFault('query_refused', { message: target.message });
        const answer = await exchange(target.url, source);
        const read = answer.kind === 'fault' ? answer : readAnswer(answer);
        if (!Array.isArray(read)) return read;
        received += answer.kind === 'answer' ? answer.body.length : 0;
        if (received > answerBytesAtMost) return sourceFault('too_large');
        if (objects.length + read.length > maximumRows) return sourceFault('too_many_rows');
        for (const object of read) objects.push(object);
      }
      return rowsOf(objects);
    },
    async test(): Promise<SourceTest | SourceFault> {
      const answer = await exchange(new URL(settings.url), source);
      if (answer.kind === 'fault') return answer;
      return faultOfStatus(answer.status) ?? { kind: 'tested', canWrite: null, warnings: [] };
    },
  };
}
