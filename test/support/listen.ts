/** A subscription over server-sent events, as text. */
import { generousMs } from './deadlines.ts';
import type { Person, TestGateway } from './gateway.ts';

export type Listening = {
  /** Reads until `enough` returns true or the stream ends, ends the stream, and returns the whole text. */
  until(enough: (text: string) => boolean): Promise<string>;
};

/** Subscribes, and resolves when the subscription has started or was refused. No later event is missed. */
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
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  async function read(enough: (text: string) => boolean): Promise<void> {
    while (!enough(text)) {
      const next = await reader?.read();
      if (next === undefined || next.done) return;
      text += next.value;
    }
  }
  await read((begun) => begun.includes('data: {'));
  return {
    async until(enough) {
      try {
        await read(enough);
        return text;
      } finally {
        aborted.abort();
      }
    },
  };
}
