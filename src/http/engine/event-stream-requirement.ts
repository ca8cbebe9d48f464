import type { Plugin } from 'graphql-yoga';
import { requestError } from '../errors.ts';
import { acceptsEventStream } from '../media-types.ts';
import type { EngineContext } from '../running-operation.ts';

/** Answers 406 to a subscription over HTTP whose client does not accept an event stream, before it is executed. */
export function requireEventStream(): Plugin<EngineContext> {
  return {
    onSubscribe({ args, setResultAndStopExecution }) {
      const { operation, request } = args.contextValue;
      if (operation.transport !== 'HTTP' || acceptsEventStream(request.headers.get('accept') ?? undefined))
        return;
      setResultAndStopExecution({ errors: [notAcceptable()] });
    },
  };
}

function notAcceptable() {
  return requestError(
    406,
    'NOT_ACCEPTABLE',
    'A subscription is answered with an event stream. Send "accept: text/event-stream", or use a WebSocket.',
  );
}
