/** What streams are measured beside: a bare loop that posts the same messages, one after the other, and knows nothing else. */
import { answerRequests } from '../realtime/processes.ts';

type Messages = readonly { body: string; headers: Record<string, string> }[];

const handlers = {
  async post({ url, messages }: { url: string; messages: Messages }): Promise<void> {
    for (const { body, headers } of messages) {
      const response = await fetch(url, { method: 'POST', headers, body });
      await response.arrayBuffer();
    }
  },
};

export type PosterHandlers = typeof handlers;

answerRequests(handlers);
