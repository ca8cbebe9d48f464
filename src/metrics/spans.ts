/** Spans of OpenTelemetry. Without an SDK in the process they are not recorded, and cost next to nothing. */
import {
  type Attributes,
  context,
  isSpanContextValid,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';

const tracer = trace.getTracer('latchkey');

/**
 * Does the work within a span, which ends with it and shows whether it failed. Neither its name nor its attributes may name
 * people, and its name is one of few.
 */
export function inSpan<T>(name: string, attributes: Attributes, work: () => T): T {
  return tracer.startActiveSpan(name, { attributes }, (span) => endedWith(span, work));
}

/** The trace that this is a part of; null where none is recorded. */
export function currentTraceId(): string | null {
  const span = trace.getActiveSpan()?.spanContext();
  return span !== undefined && isSpanContextValid(span) ? span.traceId : null;
}

/** Does work of which the last part has a span of its own: from the call of `begin` to the end of the work. */
export function withLastSpan<T>(name: string, work: (begin: () => void) => Promise<T>): Promise<T> {
  let last: Span | undefined;
  const done = work(() => {
    last = tracer.startSpan(name);
  });
  return done.then(
    (result) => {
      last?.end();
      return result;
    },
    (error: unknown) => {
      if (last !== undefined) endFailed(last, error);
      throw error;
    },
  );
}

/** A span around what several functions do one after the other, each of them within a span of its own. */
export class OuterSpan {
  readonly #span: Span;

  constructor(name: string, attributes: Attributes) {
    this.#span = tracer.startSpan(name, { attributes });
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  within<T>(name: string, work: () => T): T {
    const around = trace.setSpan(context.active(), this.#span);
    return tracer.startActiveSpan(name, {}, around, (span) => endedWith(span, work));
  }

  end(attributes: Attributes = {}): void {
    this.#span.setAttributes(attributes).end();
  }
}

/** Ends the span when the work is done, or its promise is settled. */
function endedWith<T>(span: Span, work: () => T): T {
  try {
    const result = work();
    if (!isPromise(result)) {
      span.end();
      return result;
    }
    return result.then(
      (value) => {
        span.end();
        return value;
      },
      (error: unknown) => {
        endFailed(span, error);
        throw error;
      },
    ) as T;
  } catch (error) {
    endFailed(span, error);
    throw error;
  }
}

function isPromise(result: unknown): result is PromiseLike<unknown> {
  return (
    typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function'
  );
}

/** The message of an error may quote data; its name does not. */
function endFailed(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR });
  if (error instanceof Error) span.setAttribute('error.type', error.name);
  span.end();
}
