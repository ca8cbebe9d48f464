/** What Support can do and cannot do, as customers are told: each sentence a test. */
import { describe, expect, test } from 'vitest';
import { decide, type Facts } from '../../src/access/decide.ts';
import { isQuestion, readQuestion } from '../../src/access/question.ts';
import {
  asker,
  change,
  circumstances,
  evaluation,
  facts,
  rovoSession,
  session,
  siteFacts,
  someChange,
  ticketFacts,
} from './builders.ts';

type Asked = Parameters<typeof evaluation>[0];

function answer(asked: Asked, given: Partial<Facts> = {}): string {
  const question = readQuestion(evaluation(asked));
  if (!isQuestion(question)) return question.code;
  const verdict = decide(question, facts(given), circumstances());
  return verdict.allowed ? 'ALLOWED' : verdict.code;
}

const about = (action: string, type: string, more: Asked = {}): Asked => ({
  action,
  ...more,
  resource: { type, ...more.resource },
});
const whole = { resource: { id: 'jira' } };
const applying = about('change.apply', 'project', {
  resource: { id: 'ACME' },
  context: { change_request: someChange },
});
const chat = about('rovo_conversation.read', 'rovo_conversation', { resource: { id: 'chat-1' } });

describe('the engineer assigned to the ticket can', () => {
  test.each<[string, Asked, Partial<Facts>?]>([
    ['read any work item in the products covered by the grant', about('work_item.read', 'work_item')],
    ['read any comment', about('comment.read', 'comment')],
    ['read any attachment', about('attachment.read', 'attachment')],
    ['read any page', about('page.read', 'page')],
    ['view user configuration', about('users.view', 'product', whole)],
    ['view group configuration', about('groups.view', 'product', whole)],
    ['view permission configuration', about('permissions.view', 'product', whole)],
    ['view audit logs', about('audit_log.view', 'product', whole)],
    ['view admin settings', about('admin_settings.view', 'product', whole)],
    ['see the product as Rovo sees it', about('rovo_index.read', 'work_item')],
    ['apply a change of permissions after consent', applying, { change: change() }],
    [
      'read Rovo conversations under a narrower grant that names them',
      chat,
      { sessions: [rovoSession('chat-1')] },
    ],
  ])('%s', (_, asked, given) => {
    expect(answer(asked, given)).toBe('ALLOWED');
  });
});

describe('Support cannot', () => {
  test.each<[string, Asked, Partial<Facts>, string]>([
    [
      'read content from sites outside the scope of the grant',
      {},
      { site: siteFacts({ id: 'other' }) },
      'OTHER_SITE',
    ],
    [
      'read content from products outside the scope of the grant',
      { properties: { product: 'confluence' } },
      { asker: asker({ products: ['confluence'] }) },
      'OTHER_PRODUCT',
    ],
    [
      'make changes without explicit consent',
      applying,
      { change: change({ state: 'PENDING_CONSENT' }) },
      'CHANGE_NOT_CONSENTED',
    ],
    [
      'make changes that were refused',
      applying,
      { change: change({ state: 'REFUSED' }) },
      'CHANGE_NOT_CONSENTED',
    ],
    ['make changes that were never requested', applying, { change: null }, 'CHANGE_NOT_FOUND'],
    [
      'make another change than the one that was consented to',
      applying,
      { change: change({ resourceId: 'OTHER' }) },
      'CHANGE_OF_OTHER_RESOURCE',
    ],
    ['make changes by another action', about('work_item.update', 'work_item'), {}, 'UNKNOWN_ACTION'],
    [
      'read content from products that are not licensed',
      {},
      { ticket: ticketFacts({ product: { key: 'jira', licensed: false } }) },
      'PRODUCT_NOT_LICENSED',
    ],
    ['read anything before the customer grants it', {}, { sessions: [] }, 'NO_OPEN_SESSION'],
    [
      'read anything after access is revoked',
      {},
      { sessions: [session({ grant: { active: false } })] },
      'GRANT_NOT_ACTIVE',
    ],
    [
      'retain access when the ticket is closed',
      {},
      { ticket: ticketFacts({ closed: true }) },
      'TICKET_CLOSED',
    ],
    [
      'work on a ticket that is assigned to somebody else',
      {},
      { ticket: ticketFacts({ assigneeId: 'sam' }) },
      'NOT_ASSIGNED',
    ],
    ['read Rovo conversations under a grant of product data', chat, {}, 'ROVO_GRANT_NEEDED'],
    [
      'read other Rovo conversations than those named',
      chat,
      { sessions: [rovoSession('chat-2')] },
      'CONVERSATION_NOT_NAMED',
    ],
    [
      'read product data under a grant of Rovo conversations',
      {},
      { sessions: [rovoSession('ACME-1')] },
      'PRODUCT_DATA_GRANT_NEEDED',
    ],
    [
      'see more through Rovo than in the product',
      about('rovo_index.read', 'work_item'),
      { sessions: [rovoSession('ACME-1')] },
      'PRODUCT_DATA_GRANT_NEEDED',
    ],
    [
      'read Rovo conversations as what Rovo indexed',
      about('rovo_index.read', 'rovo_conversation'),
      {},
      'WRONG_RESOURCE_TYPE',
    ],
    [
      'export data outside the boundary',
      about('data.export', 'work_item', { context: { destination_region: 'US' } }),
      { site: siteFacts({ dataResidencyPinned: true }) },
      'EXPORT_OUTSIDE_BOUNDARY',
    ],
    [
      'process data outside the region of its residency',
      { context: { processing_region: 'US' } },
      { site: siteFacts({ dataResidencyPinned: true }) },
      'REGION_NOT_ALLOWED',
    ],
    ['act on a deactivated site', {}, { site: siteFacts({ active: false }) }, 'SITE_DEACTIVATED'],
  ])('%s', (_, asked, given, reason) => {
    expect(answer(asked, given)).toBe(reason);
  });
});
