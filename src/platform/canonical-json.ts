import canonicalize from 'canonicalize';

/** The one spelling of a JSON value by RFC 8785: the same value is the same bytes, whoever writes it. */
export function canonicalJson(value: object): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('The value is not JSON');
  return text;
}
