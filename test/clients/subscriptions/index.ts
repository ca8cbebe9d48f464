export { createEventSources } from './eventsource.ts';
export { createEventStreams } from './graphql-sse.ts';
export { createSockets } from './graphql-ws.ts';
