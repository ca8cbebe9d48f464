/** The process of an attack. */
import { Agent, request } from 'node:http';
import { WebSocket } from 'ws';
import { answerRequests } from '../realtime/processes.ts';
import { type Attack, attacks } from './attacks.ts';

type Attacking = { name: string; url: string; token: string | null; grantIds: string[] };
/** How often each outcome was answered: `OK`, or the code of the error. */
export type Outcomes = Record<string, number>;

let grantIds: string[] = [];
let target = 0;
let number = 0;
let isRunning = false;
let stop: (() => void)[] = [];
let outcomes: Outcomes = {};

function next(attack: Attack) {
  number += 1;
  return attack.operation(grantIds[target] ?? '', grantIds.slice(target + 1), number);
}

function note(text: string): void {
  const [, code = text.includes('"errors"') ? 'ERROR' : 'OK'] = /"code":"(\w+)"/.exec(text) ?? [];
  outcomes[code] = (outcomes[code] ?? 0) + 1;
}

function openSocket(attack: Attack, url: string, token: string): void {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const send = (message: object) => {
    if (isRunning && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };
  const begin = () => {
    const payload = next(attack);
    send({ id: String(number), type: 'subscribe', payload });
  };
  socket.on('open', () => send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
  socket.on('message', (data) => {
    const text = String(data);
    const { type } = JSON.parse(text) as { type: string };
    if (type === 'connection_ack') for (let i = 0; i < attack.inFlight; i += 1) begin();
    else if (type === 'ping') send({ type: 'pong' });
    else if (type === 'next') note(text);
    else if (type === 'error') note(text);
    if (type === 'complete' || type === 'error') begin();
  });
  socket.on('error', () => undefined);
  stop.push(() => socket.terminate());
}

function openLine(attack: Attack, url: string, token: string | null): void {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const send = (): void => {
    if (!isRunning) return;
    const asked = request(
      `${url}/graphql`,
      {
        ...{ agent, method: 'POST' },
        headers: {
          'content-type': 'application/json',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => {
          note(text);
          setImmediate(send);
        });
      },
    );
    asked.on('error', () => setTimeout(send, 10));
    asked.end(JSON.stringify(next(attack)));
  };
  for (let i = 0; i < attack.inFlight; i += 1) send();
  stop.push(() => agent.destroy());
}

const handlers = {
  start({ name, url, token, grantIds: given }: Attacking): void {
    const attack = attacks[name];
    if (attack === undefined) throw new Error(`There is no attack ${name}`);
    [grantIds, target, isRunning, stop, outcomes] = [given, 0, true, [], {}];
    for (let line = 0; line < attack.lines; line += 1)
      if (attack.over === 'WEBSOCKET' && token !== null) openSocket(attack, url, token);
      else openLine(attack, url, token);
  },
  /** Which of the grants is revoked next. */
  aim(index: number): void {
    target = index;
  },
  stop(): Outcomes {
    isRunning = false;
    for (const end of stop) end();
    return outcomes;
  },
};

export type AttackerHandlers = typeof handlers;

answerRequests(handlers);
