/** The process of a customer who revokes one grant after another over HTTP. */
import { setTimeout as wait } from 'node:timers/promises';
import { now } from './clock.ts';
import { answerRequests } from './processes.ts';

export type Revoking = {
  url: string;
  token: string;
  /** The global ids of the grants to revoke. */
  grantIds: string[];
  /** The average time between two revocations, in milliseconds. */
  pause: number;
};

/** For each grant: when the request was sent and when the response arrived. */
export type Revoked = { sentAt: Float64Array; answeredAt: Float64Array };

const mutation =
  'mutation Revoke($grantId: ID!) { revokeDataAccess(input: { grantId: $grantId }) { __typename ... on Grant { state } } }';

const handlers = {
  async revoke({ url, token, grantIds, pause }: Revoking): Promise<Revoked> {
    const sentAt = new Float64Array(grantIds.length);
    const answeredAt = new Float64Array(grantIds.length);
    const answers: Promise<void>[] = [];
    for (const [at, grantId] of grantIds.entries()) {
      answers.push(
        (async () => {
          sentAt[at] = now();
          const response = await fetch(url, {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
            body: JSON.stringify({ query: mutation, variables: { grantId } }),
          });
          const text = await response.text();
          answeredAt[at] = now();
          if (!text.includes('"state":"REVOKED"')) throw new Error(`A grant was not revoked: ${text}`);
        })(),
      );
      await wait(pause * (0.5 + Math.random()));
    }
    await Promise.all(answers);
    return { sentAt, answeredAt };
  },
};

export type CustomerHandlers = typeof handlers;

answerRequests(handlers);
