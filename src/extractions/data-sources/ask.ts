import type { Logger } from 'pino';
import type { Config } from '../../config.ts';
import { parseNetworks } from '../../networks.ts';
import { readableSecrets, type Secrets } from '../../tenants/secrets.ts';
import {
  type SourceDriver,
  type SourceFault,
  type SourceQuestion,
  type SourceRows,
  type SourceTest,
  sourceFault,
} from './driver.ts';
import { createHttpDriver } from './drivers/http.ts';
import { createMariadbDriver } from './drivers/mariadb.ts';
import { createPostgresqlDriver } from './drivers/postgresql.ts';
import type { HttpSettings, SqlSettings } from './settings.ts';
import type { DataSourceRow } from './store.ts';

/** Asks data sources, a few questions at a time. */
export interface SourceAsker {
  ask(source: DataSourceRow, question: Omit<SourceQuestion, 'maximumRows'>): Promise<SourceRows | SourceFault>;
  test(source: DataSourceRow): Promise<SourceTest | SourceFault>;
  /** Refuses what comes from now on; what is asked ends by its own limits. */
  close(): void;
}

/** Questions that a process asks at once, each with a connection and its rows in memory: all of them, and one tenant's. */
const questionsAtOnce = { process: 8, tenant: 4 };
const waitingAtMost = 100;
/** For all turns of a question together. */
const patienceMs = 10_000;

/** A turn that several wait for: the first that comes is the first that asks. */
interface Turn {
  asking: number;
  waiting: ((mayAsk: boolean) => void)[];
}

function createTurns() {
  const turns = new Map<string, Turn>();

  function take(name: string, atOnce: number, patience: number): Promise<boolean> {
    const turn = turns.get(name) ?? { asking: 0, waiting: [] };
    turns.set(name, turn);
    if (turn.asking < atOnce) {
      turn.asking += 1;
      return Promise.resolve(true);
    }
    if (turn.waiting.length >= waitingAtMost) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        turn.waiting = turn.waiting.filter((one) => one !== goOn);
        resolve(false);
      }, patience);
      const goOn = (mayAsk: boolean) => {
        clearTimeout(timer);
        resolve(mayAsk);
      };
      turn.waiting.push(goOn);
    });
  }

  function giveBack(name: string): void {
    const turn = turns.get(name);
    if (turn === undefined) return;
    const next = turn.waiting.shift();
    if (next !== undefined) {
      next(true);
      return;
    }
    turn.asking -= 1;
    if (turn.asking === 0) turns.delete(name);
  }

  function end(): void {
    for (const { waiting } of turns.values()) for (const goOn of waiting.splice(0)) goOn(false);
  }

  return { take, giveBack, end };
}

/** Makes what asks the sources of a process. A source that is changed is asked with its new settings at once. */
export function createSourceAsker(deps: {
  config: Pick<Config, 'dataSourceAllowedNetworks'>;
  secrets: Secrets;
  log: Pick<Logger, 'warn'>;
}): SourceAsker {
  const allowed = parseNetworks(deps.config.dataSourceAllowedNetworks);
  const turns = createTurns();
  let closed = false;

  function driverOf(source: DataSourceRow): SourceDriver | SourceFault {
    const environment = { allowed, timeoutMs: source.statementTimeoutMs };
    const secrets = readableSecrets(deps.secrets, source);
    if (secrets === null) return sourceFault('secrets_unreadable');
    switch (source.kind) {
      case 'postgresql':
        return createPostgresqlDriver(source.settings as SqlSettings, secrets, environment);
      case 'mariadb':
        return createMariadbDriver(source.settings as SqlSettings, secrets, environment);
      case 'http':
        return createHttpDriver(source.settings as HttpSettings, secrets, environment);
    }
  }

  async function inTurn<Result extends { kind: string }>(
    source: DataSourceRow,
    work: (driver: SourceDriver) => Promise<Result | SourceFault>,
  ): Promise<Result | SourceFault> {
    const until = performance.now() + patienceMs;
    const taken: string[] = [];
    try {
      // The process last: what waits for its tenant's turn keeps no other tenant from asking.
      for (const [name, atOnce] of [
        [source.tenantId, questionsAtOnce.tenant],
        ['process', questionsAtOnce.process],
      ] as const) {
        const mayAsk = !closed && (await turns.take(name, atOnce, until - performance.now()));
        if (!mayAsk) return sourceFault('busy');
        taken.push(name);
      }
      const driver = driverOf(source);
      return 'kind' in driver ? driver : await work(driver);
    } finally {
      for (const name of taken) turns.giveBack(name);
    }
  }

  return {
    async ask(source, question) {
      const answer = await inTurn(source, (driver) => driver.ask({ ...question, maximumRows: source.maximumRows }));
      if (answer.kind === 'fault') {
        const { code, sqlState } = answer;
        // Not its message: it speaks of the query.
        deps.log.warn({ dataSource: source.id, fault: code, sqlState }, 'data-source.failed');
      }
      return answer;
    },
    test: (source) => inTurn(source, (driver) => driver.test()),
    close() {
      closed = true;
      turns.end();
    },
  };
}
