/** Global ids: a type's name and an id, in base64. Opaque to clients. */

export function encodeGlobalId(typename: string, id: string): string {
  return Buffer.from(`${typename}:${id}`).toString('base64');
}

/** What a global id holds, or null when it is none. The type may be unknown, the id malformed. */
export function decodeGlobalId(globalId: string): { typename: string; id: string } | null {
  const [, typename, id] = /^([A-Za-z]+):(.+)$/.exec(Buffer.from(globalId, 'base64').toString()) ?? [];
  return typename === undefined || id === undefined ? null : { typename, id };
}
