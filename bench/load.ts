/** Many requests at once over connections that stay open: the same client for both sides of a bench. */
import { Agent, request } from 'node:http';
import { secondsOf } from './measure.ts';

/** One request of a load. */
export interface Shot {
  headers: Record<string, string>;
  body: string;
}

/**
 * Posts `count` shots to `url` over `connections`, each as soon as one before it is answered.
 * @returns requests per second. Fails at the first answer that is not 201.
 */
export async function load(
  url: string,
  options: { connections: number; count: number; shot(number: number): Shot },
): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections });
  const fire = ({ headers, body }: Shot) =>
    new Promise<void>((resolve, reject) => {
      const sent = request(
        url,
        { agent, method: 'POST', headers: { ...headers, 'content-length': Buffer.byteLength(body) } },
        (answer) => {
          answer.resume();
          answer.once('end', () =>
            answer.statusCode === 201 ? resolve() : reject(new Error(`the answer was ${answer.statusCode}`)),
          );
        },
      );
      sent.once('error', reject);
      sent.end(body);
    });
  let next = 0;
  const work = async (): Promise<void> => {
    for (let number = next++; number < options.count; number = next++) await fire(options.shot(number));
  };
  try {
    const seconds = await secondsOf(() => Promise.all(Array.from({ length: options.connections }, work)));
    return options.count / seconds;
  } finally {
    agent.destroy();
  }
}
