/** The shape of details: of every action, as docs/audit.md says it, and strict. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { auditActions } from '../../src/audit/actions.ts';
import { commonShapes, detailsByAction } from '../../src/audit/details.ts';
import type { AuditRecord } from '../../src/audit/record.ts';
import { problemsOf, recordJsonSchema } from '../../src/audit/record-schema.ts';
import { encodeGlobalId } from '../../src/platform/global-id.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const document = read('docs/audit.md');

/** The keys of a shape, as the document writes them. */
const keysOf = (shape: z.ZodObject) =>
  Object.entries(shape.shape)
    .map(([key, value]) => `\`${key}${(value as z.ZodType).safeParse(undefined).success ? '?' : ''}\``)
    .sort();

/** The keys in the last cell of the row that begins with this name. */
function documented(name: string): string[] {
  const row = document.split('\n').find((line) => line.startsWith(`| ${name} |`)) ?? '';
  const words = row.split('|').at(-2)?.trim().split(' ') ?? [];
  const common = commonShapes[words[0] as keyof typeof commonShapes];
  return common === undefined ? words.sort() : [...keysOf(common), ...words.slice(1)].sort();
}

test.for(auditActions)('docs/audit.md has the details of %s', (action) => {
  const shape = detailsByAction.get(action);
  expect(shape && keysOf(shape)).toEqual(documented(`\`${action}\``));
});

test.for(['evaluation', 'grant', 'change', 'proposal', 'role', 'reading'] as const)(
  'docs/audit.md has the shape of %s',
  (name) => {
    expect(keysOf(commonShapes[name])).toEqual(documented(name));
  },
);

test('docs/audit-record.schema.json is the schema of records, with a definition of each action', () => {
  const schema = JSON.parse(read('docs/audit-record.schema.json'));
  expect(schema).toEqual(JSON.parse(JSON.stringify(recordJsonSchema())));
  expect(Object.keys(schema.$defs).sort()).toEqual([...Object.keys(commonShapes), ...auditActions].sort());
  for (const { $ref, additionalProperties } of Object.values<{
    $ref?: string;
    additionalProperties?: boolean;
  }>(schema.$defs))
    expect($ref === undefined ? additionalProperties === false : $ref.slice(8) in schema.$defs).toBe(true);
});

const record: AuditRecord = {
  id: encodeGlobalId('AuditEntry', '1'),
  position: 1,
  occurredAt: '2026-01-02T03:04:05.678Z',
  action: 'ticket.close',
  outcome: 'SUCCEEDED',
  count: 1,
  actor: { kind: 'SYSTEM', name: 'Latchkey' },
  resource: { type: 'Ticket', id: encodeGlobalId('Ticket', '2') },
  details: { from: 'OPEN', to: 'CLOSED' },
};

test.for<[string, Partial<AuditRecord>, boolean]>([
  ['as it is', {}, true],
  ['refused', { outcome: 'REFUSED', refusalCode: 'FORBIDDEN', details: {} }, true],
  [
    'refused for lack of eligibility',
    { outcome: 'REFUSED', refusalCode: 'NOT_ELIGIBLE', details: { obstacles: ['WRONG_SITE'] } },
    true,
  ],
  ['of an unknown action', { action: 'ticket.burn' }, false],
  ['with a key that is not documented', { details: { from: 'OPEN', to: 'CLOSED', by: 'x' } }, false],
  ['without a key', { details: { from: 'OPEN' } }, false],
  ['with a value that there is not', { details: { from: 'OPEN', to: 'BURNT' } }, false],
  ['refused with other details', { outcome: 'REFUSED', details: { from: 'OPEN', to: 'CLOSED' } }, false],
  ['with a local id', { siteId: '00000000-0000-7000-8000-000000000001' }, false],
  ['with an id of another type', { siteId: encodeGlobalId('Ticket', '2') }, false],
  ['at another time', { occurredAt: '2026-01-02T03:04:05Z' }, false],
])('a record %s is judged right', ([, changes, isValid]) => {
  expect(problemsOf({ ...record, ...changes }).length === 0).toBe(isValid);
});
