/** What clients accept (RFC 9110, Accept), as far as the gateway serves it. */

const eventStream = 'text/event-stream';
const served = ['application/json', 'application/graphql-response+json', eventStream];

/** The ranges of an `Accept` header that include a media type which the gateway serves, as they were sent. */
export function servedRanges(accept: string | undefined): string[] {
  return rangesOf(accept).filter((range) => served.some((mediaType) => includes(range, mediaType)));
}

/** Whether a client that sent this `Accept` header takes an event stream. */
export function acceptsEventStream(accept: string | undefined): boolean {
  return rangesOf(accept).some((range) => includes(range, eventStream));
}

function rangesOf(accept: string | undefined): string[] {
  // Without the header, everything is accepted.
  return (accept?.trim() || '*/*').split(',').map((range) => range.trim());
}

function includes(range: string, mediaType: string): boolean {
  const [name = '', ...parameters] = range.toLowerCase().replace(/\s/g, '').split(';');
  if (parameters.some((parameter) => /^charset=(?!"?utf-8"?$)/.test(parameter))) return false;
  return name === '*/*' || name === mediaType || name === `${mediaType.split('/')[0]}/*`;
}
