/** A subscription over server-sent events, as text. */
import { generousMs } from './deadlines.ts';
import type { Person, TestGateway } from './gateway.ts';

export type Listening = {
  /** Reads until `enough` returns true or the stream ends, ends the stream, and returns the whole text. */
  until(enough: (text: string) => boolean): Promise<string>;
};

/** Subscribes, and resolves when the response headers have arrived. No later event is missed. */
export async function listen(
  { url }: TestGateway,
  { token }: Person,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<Listening> {
  const aborted = new AbortController();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.any([aborted.signal, AbortSignal.timeout(generousMs)]),
  });
  return {
    async until(enough) {
      let text = '';
      try {
        for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
          text += chunk;
          if (enough(text)) break;
        }
        return text;
      } finally {
        aborted.abort();
      }
    },
  };
}
