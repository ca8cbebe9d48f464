import type { backoff } from './resume.ts';

export type EventStreamOptions = {
  wait?: typeof backoff;
  /** Milliseconds. */
  silenceMs?: number | undefined;
};

/**
 * `fetch` with a token. A request fails when nothing has arrived for this many milliseconds: the gateway sends a
 * comment every 12 seconds.
 */
export const fetchWith =
  (getToken: () => Promise<string>, silenceMs = 30_000) =>
  async (url: string | URL, init: RequestInit = {}): Promise<Response> => {
    const silence = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = () => clearTimeout(timer);
    const restart = () => {
      stop();
      timer = setTimeout(() => silence.abort(new TypeError('The gateway is silent')), silenceMs);
    };
    init.signal?.addEventListener('abort', stop);
    const authorization = `Bearer ${await getToken()}`;
    restart();
    const response = await fetch(url, {
      ...init,
      headers: { ...(init.headers as Record<string, string>), authorization },
      signal: AbortSignal.any([silence.signal, ...(init.signal ? [init.signal] : [])]),
    });
    const watched = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        restart();
        controller.enqueue(chunk);
      },
      flush: stop,
    });
    return new Response(response.body?.pipeThrough(watched), response);
  };
