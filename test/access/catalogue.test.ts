import { expect, test } from 'vitest';
import {
  allowanceCodes,
  allowancesOf,
  limitCodes,
  limitsOf,
  mayName,
  scopeOf,
  supportActions,
} from '../../src/access/catalogue.ts';

test('the support actions are these', () => {
  expect(supportActions).toEqual([
    ...['work_item.read', 'comment.read', 'attachment.read', 'page.read'],
    ...['users.view', 'groups.view', 'permissions.view', 'audit_log.view', 'admin_settings.view'],
    ...['rovo_conversation.read', 'rovo_index.read', 'data.export', 'change.apply'],
  ]);
});

test('only reading a Rovo conversation is possible under a grant of Rovo conversations', () => {
  expect(supportActions.filter((action) => scopeOf(action) === 'ROVO_CONVERSATIONS')).toEqual([
    'rovo_conversation.read',
  ]);
});

test('no other action may name a Rovo conversation', () => {
  expect(supportActions.filter((action) => mayName(action, 'rovo_conversation'))).toEqual([
    'rovo_conversation.read',
  ]);
});

test.each([
  ['work_item.read', 'page'],
  ['page.read', 'work_item'],
  ['users.view', 'group'],
  ['rovo_index.read', 'user'],
  ['rovo_conversation.read', 'work_item'],
  ['data.export', 'site'],
] as const)('%s is not about a resource of the type %s', (action, type) => {
  expect(mayName(action, type)).toBe(false);
});

test('a change may be of any resource that a change request can describe', () => {
  expect(mayName('change.apply', 'project')).toBe(true);
  expect(mayName('change.apply', 'permission_scheme')).toBe(true);
});

test('the lists of what a grant allows cover every action once', () => {
  const covered = [...allowancesOf('PRODUCT_DATA'), ...allowancesOf('ROVO_CONVERSATIONS')];
  expect(covered.flatMap(({ actions }) => actions).sort()).toEqual([...supportActions].sort());
  expect(covered.map(({ code }) => code).sort()).toEqual([...allowanceCodes].sort());
});

test('what is allowed under a grant of Rovo conversations is to read those', () => {
  expect(allowancesOf('ROVO_CONVERSATIONS').map(({ code }) => code)).toEqual(['READ_NAMED_CONVERSATIONS']);
});

test('every limit is that of a scope', () => {
  const listed = [...limitsOf('PRODUCT_DATA'), ...limitsOf('ROVO_CONVERSATIONS')].map(({ code }) => code);
  expect([...new Set(listed)].sort()).toEqual([...limitCodes].sort());
});

test.each(['PRODUCT_DATA', 'ROVO_CONVERSATIONS'] as const)('the sentences of %s are sentences', (scope) => {
  for (const { sentence } of [...allowancesOf(scope), ...limitsOf(scope)])
    expect(sentence).toMatch(/^[A-Z].*\.$/);
});
