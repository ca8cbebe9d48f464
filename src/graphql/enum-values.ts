/** Makes enum values from their descriptions: `{ OPEN: 'The engineer works on it.' }`. */
export function enumValues<Name extends string>(
  texts: Readonly<Record<Name, string>>,
): Record<Name, { description: string }> {
  const values = Object.entries<string>(texts).map(([name, description]) => [name, { description }]);
  return Object.fromEntries(values) as Record<Name, { description: string }>;
}
