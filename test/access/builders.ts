/** Builders of evaluations and facts as plain data: a yes, unless a test says what is different. */
import type {
  AskerFacts,
  ChangeFacts,
  Circumstances,
  EngineerFacts,
  Facts,
  SessionFacts,
  SiteFacts,
  TicketFacts,
} from '../../src/access/decide.ts';
import type { Evaluation } from '../../src/access/evaluation.ts';
import { isQuestion, type Question, readQuestion } from '../../src/access/question.ts';
import { anywhere } from '../../src/organizations/residency.ts';
import { encodeGlobalId } from '../../src/platform/global-id.ts';
import { fromNow, HOUR, NOW } from '../support/builders.ts';

const engineerEmail = 'erin@vendor.example';
export const siteUrl = 'https://acme.example';

/** May Erin read the work item ACME-1 in Jira, working on SUP-1000? */
export const evaluation = (
  facts: {
    action?: string;
    subject?: Partial<Evaluation['subject']>;
    resource?: { type?: string; id?: string };
    properties?: Record<string, unknown>;
    context?: Record<string, unknown>;
  } = {},
): Evaluation => ({
  subject: { type: 'support_engineer', id: engineerEmail, ...facts.subject },
  action: { name: facts.action ?? 'work_item.read' },
  resource: {
    type: 'work_item',
    id: 'ACME-1',
    ...facts.resource,
    properties: { site: siteUrl, product: 'jira', ...facts.properties },
  },
  context: { ticket: 'SUP-1000', ...facts.context },
});

/** The question that the evaluation asks. Throws if it is none. */
export const question = (facts: Parameters<typeof evaluation>[0] = {}): Question => {
  const read = readQuestion(evaluation(facts));
  if (!isQuestion(read)) throw new Error(`${read.code}: ${read.message}`);
  return read;
};

/** An id that things may have. */
export const someId = '01930000-0000-7000-8000-000000000000';
export const someChange: string = encodeGlobalId('ChangeRequest', someId);

/** The smallest context that each action needs besides the ticket. */
export const contextOf: Readonly<Record<string, Record<string, unknown>>> = {
  'data.export': { destination_region: 'EU' },
  'change.apply': { change_request: someChange },
};

export const asker = (facts: Partial<AskerFacts> = {}): AskerFacts => ({
  ...{ id: 'backend', email: 'jira@vendor.example', name: 'Jira' },
  products: ['jira'],
  organizationId: null,
  ...facts,
});

export const engineerFacts = (facts: Partial<EngineerFacts> = {}): EngineerFacts => ({
  ...{ id: 'engineer', email: engineerEmail, name: 'Erin', active: true },
  ...facts,
});

export const siteFacts = (facts: Partial<SiteFacts> = {}): SiteFacts => ({
  ...{ id: 'site', organizationId: 'organization', active: true },
  ...{ dataResidencyRegion: 'EU', dataResidencyPinned: false, engineerCountries: [] },
  ...facts,
});

export const ticketFacts = (facts: Partial<TicketFacts> = {}): TicketFacts => ({
  ...{ id: 'ticket', siteId: 'site', organizationId: 'organization', assigneeId: 'engineer', closed: false },
  product: { key: 'jira', licensed: true },
  ...facts,
});

export const session = (
  facts: Partial<Omit<SessionFacts, 'grant'>> & { grant?: Partial<SessionFacts['grant']> } = {},
): SessionFacts => ({
  ...{ id: 'session', engineerId: 'engineer', country: 'DE', ended: false },
  ...{
    lastUsedAt: fromNow(-HOUR / 2),
    idleSeconds: 3_600,
    dueAt: fromNow(HOUR / 2),
    expiresAt: fromNow(HOUR),
  },
  ...facts,
  grant: {
    ...{ id: 'grant', active: true, engineerId: 'engineer', expiresAt: null },
    ...{ scope: 'PRODUCT_DATA', conversationIds: [] },
    ...facts.grant,
  },
});

/** A session under a grant of these conversations. */
export const rovoSession = (...conversationIds: string[]): SessionFacts =>
  session({ id: 'rovo-session', grant: { id: 'rovo-grant', scope: 'ROVO_CONVERSATIONS', conversationIds } });

/** A change of the project ACME that the customer consented to. */
export const change = (facts: Partial<ChangeFacts> = {}): ChangeFacts => ({
  ...{ id: someId, ticketId: 'ticket', resourceType: 'project', resourceId: 'ACME' },
  ...{ state: 'CONSENTED', validUntil: fromNow(HOUR) },
  ...facts,
});

export const facts = (given: Partial<Facts> = {}): Facts => ({
  ...{ asker: asker(), engineer: engineerFacts(), site: siteFacts(), ticket: ticketFacts() },
  ...{ sessions: [session()], change: null },
  ...given,
});

export const circumstances = (given: Partial<Circumstances> = {}): Circumstances => ({
  now: NOW,
  vendor: anywhere,
  ...given,
});
