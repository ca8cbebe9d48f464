/** Records the spans that are made, by OpenTelemetry's API alone: an SDK in a few lines. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type AttributeValue,
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  type SpanStatus,
  type Tracer,
  trace,
} from '@opentelemetry/api';

export class RecordedSpan implements Span {
  name: string;
  readonly parent: RecordedSpan | undefined;
  readonly attributes: Attributes;
  status: SpanStatus | undefined;
  ends = 0;

  constructor(name: string, { attributes = {} }: SpanOptions, parent: Span | undefined) {
    this.name = name;
    this.attributes = { ...attributes };
    this.parent = parent instanceof RecordedSpan ? parent : undefined;
  }

  /** Its name after those of the spans around it. */
  get path(): string {
    return this.parent === undefined ? this.name : `${this.parent.path} > ${this.name}`;
  }

  spanContext = () => ({ traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 1 });
  isRecording = () => true;
  end(): void {
    this.ends += 1;
  }
  updateName(name: string): this {
    this.name = name;
    return this;
  }
  setAttribute(key: string, value: AttributeValue): this {
    this.attributes[key] = value;
    return this;
  }
  setAttributes(attributes: Attributes): this {
    Object.assign(this.attributes, attributes);
    return this;
  }
  setStatus(status: SpanStatus): this {
    this.status = status;
    return this;
  }
  addEvent(): this {
    throw new Error('The gateway adds no events to spans');
  }
  recordException(): void {
    throw new Error('An exception has a message, which may quote data');
  }
  addLink = (): this => this;
  addLinks = (): this => this;
}

/** Records until it is disposed. */
export function recordSpans(): { spans: RecordedSpan[] } & Disposable {
  const spans: RecordedSpan[] = [];
  const storage = new AsyncLocalStorage<Context>();
  let isRecording = true;
  const startSpan = (name: string, options: SpanOptions = {}, around = context.active()) => {
    const span = new RecordedSpan(name, options, trace.getSpan(around));
    if (isRecording) spans.push(span);
    return span;
  };
  const tracer: Tracer = {
    startSpan,
    startActiveSpan(name: string, ...rest: unknown[]) {
      const work = rest.pop() as (span: Span) => never;
      const [options, around = context.active()] = rest as [SpanOptions?, Context?];
      const span = startSpan(name, options, around);
      return context.with(trace.setSpan(around, span), () => work(span));
    },
  };
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  context.setGlobalContextManager({
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (around, work, self, ...given) => storage.run(around, () => Reflect.apply(work, self, given)),
    bind: (_around, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  return {
    spans,
    [Symbol.dispose]() {
      // The tracers that exist keep using this one.
      isRecording = false;
      trace.disable();
      context.disable();
    },
  };
}
