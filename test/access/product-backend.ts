/** The backend of Jira: asks running gateways over HTTP about the desks, on many connections at a time. */
import { setTimeout as wait } from 'node:timers/promises';
import { createCounter } from '../support/counter.ts';
import type { Json } from '../support/gateway.ts';
import type { Desk } from './desks.ts';

export type Answer = {
  readonly decision: boolean;
  /** The global id of its entry on the audit log. */
  readonly evaluation: string;
  /** When the question was sent, on `performance`'s clock. */
  readonly sentAt: number;
};

export type AskedGateway = { readonly port: number; readonly isRunning: boolean };

export type ProductBackend = {
  /** Asks both gateways about this desk next. */
  askSoon(desk: Desk): void;
  /** Resolves when so many more decisions were answered, by this gateway or by any; rejects when asking fails. */
  moreAnswers(count: number, gateway?: AskedGateway): Promise<void>;
  /** The number of requests without an answer, by reason. */
  readonly setbacks: ReadonlyMap<string, number>;
  /** Resolves when every connection has its last answer. */
  finish(): Promise<void>;
};

/** Decisions that every other connection asks for in one request. */
const batchSize = 5;
/** Milliseconds until a connection asks again that got no answer. */
const retryMs = 50;
/** Milliseconds after which another token is used: those of the issuer last ten minutes. */
const tokenMs = 60_000;

export function startProductBackend(options: {
  gateways: readonly AskedGateway[];
  /** Connections to each gateway. */
  connections: number;
  desks: readonly Desk[];
  site: string;
  tokenOf(): Promise<string>;
  onAnswer(answer: Answer): void;
}): ProductBackend {
  const { gateways, connections, desks, site, tokenOf, onAnswer } = options;
  const answers = new Map(gateways.map((gateway) => [gateway, createCounter()]));
  const total = createCounter();
  const next = new Map<AskedGateway, Desk[]>(gateways.map((gateway) => [gateway, []]));
  const setbacks = new Map<string, number>();
  let isOver = false;
  let turn = 0;
  let token = { text: '', until: 0 };

  async function currentToken(): Promise<string> {
    if (performance.now() >= token.until)
      token = { text: await tokenOf(), until: performance.now() + tokenMs };
    return token.text;
  }

  function chooseDesks(gateway: AskedGateway, count: number): Desk[] {
    const chosen = next.get(gateway)?.splice(0, count) ?? [];
    while (chosen.length < count) {
      const desk = desks[turn++ % desks.length];
      if (desk !== undefined) chosen.push(desk);
    }
    return chosen;
  }

  async function askOn(gateway: AskedGateway, batch: number): Promise<void> {
    while (!isOver) {
      if (!gateway.isRunning) {
        await wait(retryMs);
        continue;
      }
      const asked = chooseDesks(gateway, batch);
      const authorization = `Bearer ${await currentToken()}`;
      const sentAt = performance.now();
      const got = await post(gateway, authorization, asked);
      if (typeof got === 'string') {
        setbacks.set(got, (setbacks.get(got) ?? 0) + 1);
        await wait(retryMs);
        continue;
      }
      for (const [at, { decision, context }] of got.entries()) {
        onAnswer({ decision, evaluation: context.evaluation, sentAt });
        asked[at]?.answers.add(1);
      }
      answers.get(gateway)?.add(got.length);
      total.add(got.length);
    }
  }

  /** The answers, or why there are none. */
  async function post(
    gateway: AskedGateway,
    authorization: string,
    asked: readonly Desk[],
  ): Promise<Json[] | 'UNREACHABLE' | 'UNAVAILABLE'> {
    const [first, ...others] = asked.map((desk) => questionAbout(desk, site));
    const body = others.length === 0 ? first : { evaluations: [first, ...others] };
    const path = others.length === 0 ? 'evaluation' : 'evaluations';
    let response: { status: number; text: string };
    try {
      const answered = await fetch(`http://127.0.0.1:${gateway.port}/access/v1/${path}`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      response = { status: answered.status, text: await answered.text() };
    } catch {
      return 'UNREACHABLE';
    }
    if (response.status === 503) return 'UNAVAILABLE';
    if (response.status !== 200) throw new Error(`The answer is ${response.status} ${response.text}`);
    const answer: Json = JSON.parse(response.text);
    return others.length === 0 ? [answer] : answer.evaluations;
  }

  const asking = Promise.all(
    gateways.flatMap((gateway) =>
      Array.from({ length: connections }, (_, number) => askOn(gateway, number % 2 === 0 ? 1 : batchSize)),
    ),
  );
  asking.catch(() => undefined);

  return {
    setbacks,
    askSoon(desk) {
      for (const queue of next.values()) queue.push(desk);
    },
    async moreAnswers(count, gateway) {
      const counter = gateway === undefined ? total : answers.get(gateway);
      await Promise.race([counter?.more(count), asking]);
    },
    async finish() {
      isOver = true;
      await asking;
    },
  };
}

function questionAbout({ engineer, ticketKey }: Desk, site: string): object {
  return {
    subject: { type: 'support_engineer', id: engineer },
    action: { name: 'work_item.read' },
    resource: { type: 'work_item', id: 'ACME-1', properties: { site, product: 'jira' } },
    context: { ticket: ticketKey },
  };
}
