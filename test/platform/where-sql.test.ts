import { describe, expect, test } from 'vitest';
import { Prisma } from '../../prisma/generated/client/client.ts';
import { whereSql } from '../../src/platform/where-sql.ts';

const ofTicket = (where: object) =>
  Prisma.sql`EXISTS (SELECT FROM tickets AS t WHERE ${whereSql(where, 't')})`;

describe('the condition of a query as SQL', () => {
  test.each<[where: object, text: string, values: unknown[]]>([
    [{}, 'true', []],
    [{ siteId: 'one' }, '(r.site_id = $1)', ['one']],
    [{ siteId: 'one', scopeKind: 'two' }, '(r.site_id = $1 AND r.scope_kind = $2)', ['one', 'two']],
    [{ endedAt: null }, '(r.ended_at IS NULL)', []],
    [{ endedAt: { not: null } }, '(r.ended_at IS NOT NULL)', []],
    [{ state: { in: ['ACTIVE', 'DENIED'] } }, '(r.state = ANY ($1))', [['ACTIVE', 'DENIED']]],
    // Nothing is among no values.
    [{ id: { in: [] } }, '(r.id = ANY ($1))', [[]]],
    [{ version: { gte: 2 } }, '(r.version >= $1)', [2]],
    [{ version: { lt: 2 } }, '(r.version < $1)', [2]],
    [{ AND: [{ id: 'one' }, {}] }, '(((r.id = $1) AND true))', ['one']],
    [{ OR: [{ id: 'one' }, { id: 'two' }] }, '(((r.id = $1) OR (r.id = $2)))', ['one', 'two']],
    [{ AND: [] }, '(true)', []],
    // An alternative among none holds for no row, wherever it stands.
    [{ OR: [] }, '(false)', []],
    [{ AND: [{ OR: [] }, { id: 'one' }] }, '(((false) AND (r.id = $1)))', ['one']],
    [{ NOT: { id: 'one', version: 1 } }, '(NOT (r.id = $1 AND r.version = $2))', ['one', 1]],
    [{ ticket: { siteId: 'one' } }, '(EXISTS (SELECT FROM tickets AS t WHERE (t.site_id = $1)))', ['one']],
  ])('%j', (where, text, values) => {
    const sql = whereSql(where, 'r', { ticket: ofTicket });
    expect({ text: sql.text, values: sql.values }).toEqual({ text, values });
  });

  test('is compared with the moment of a date', () => {
    const at = new Date(0);
    expect(whereSql({ dueAt: at }, 'r').values).toEqual([at]);
    expect(whereSql({ dueAt: { lte: at } }, 'r').text).toBe('(r.due_at <= $1)');
  });

  test.each([
    { summary: { contains: 'x' } },
    { version: { gt: 1, lt: 3 } },
    { id: { not: 'one' } },
    { id: {} },
  ])('is refused where it is not known: %j', (where) => {
    expect(() => whereSql(where, 'r')).toThrow(/comparison/);
  });
});
