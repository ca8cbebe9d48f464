/** Global ids: a type name and a database id, in base64. Opaque to clients. */

export function encodeGlobalId(typename: string, id: string): string {
  return Buffer.from(`${typename}:${id}`).toString('base64');
}

/** Decodes a global id; null if it does not have the form. The type may still be unknown, and the id malformed. */
export function decodeGlobalId(globalId: string): { typename: string; id: string } | null {
  const [, typename, id] = /^([A-Za-z]+):(.+)$/.exec(Buffer.from(globalId, 'base64').toString()) ?? [];
  return typename === undefined || id === undefined ? null : { typename, id };
}
