/** The schema that PostGraphile makes from the tables. */
import type { Dialect, Question } from '../questions.ts';
import { pageSizes } from '../questions.ts';

const outstanding = `query Outstanding($siteId: UUID!) {
  allGrants(first: ${pageSizes.outstanding}, orderBy: PRIMARY_KEY_DESC, condition: { siteId: $siteId, state: PENDING_APPROVAL }) {
    nodes { id requestedAt approvalDueAt accountByEngineerId { id name }
      ticketByTicketIdAndSiteId { id key summary accountByReporterId { id name } siteBySiteId { id name } productByProductIdAndSiteId { id name } } }
    pageInfo { hasNextPage endCursor } } }`;

const ticket = `query TicketPage($key: String!) {
  ticketByKey(key: $key) { id key summary status accountByReporterId { id name } accountByAssigneeId { id name }
    siteBySiteId { id name } productByProductIdAndSiteId { id name }
    grantsByTicketIdAndSiteId(first: ${pageSizes.grants}, orderBy: PRIMARY_KEY_DESC) { nodes { id state requestedAt endedAt accountByEngineerId { id name }
      decisionsByGrantId(orderBy: DECIDED_AT_ASC) { nodes { stage outcome decidedAt accountByDecidedById { id name } } } }
      pageInfo { hasNextPage } } } }`;

const entries = 'nodes { id occurredAt action outcome actorName } pageInfo { hasNextPage endCursor }';
const auditSearch = `query Audit($actor: String, $from: Datetime!, $until: Datetime!) {
  auditSearch(first: ${pageSizes.audit}, actor: $actor, since: $from, until: $until) { ${entries} } }`;
const inOrder = 'orderBy: [TXID_DESC, SEQ_DESC]';
const auditDeep = `query Audit($after: Cursor) {
  allAuditEntries(first: ${pageSizes.audit}, after: $after, ${inOrder}) { ${entries} } }`;
const seek = `query Seek($skipped: Int!) {
  allAuditEntries(first: 1, offset: $skipped, ${inOrder}) { pageInfo { endCursor } } }`;

function queryOf(question: Question, cursor: string | null): { query: string; variables: object } {
  switch (question.kind) {
    case 'outstanding':
      return { query: outstanding, variables: { siteId: question.siteId } };
    case 'ticket':
      return { query: ticket, variables: { key: question.key } };
    case 'auditActor': {
      const { actorEmail: actor, from, until } = question;
      return { query: auditSearch, variables: { actor, from, until } };
    }
    case 'auditPeriod':
      return { query: auditSearch, variables: { actor: null, from: question.from, until: question.until } };
    case 'auditDeep':
      return { query: auditDeep, variables: { after: cursor } };
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the schema is made from the tables, and checked by comparing the answers
type Read = any;

export const postgraphile: Dialect = {
  path: '/graphql',
  body: queryOf,
  read(kind, { data }: Read) {
    if (kind === 'outstanding') {
      return data.allGrants.nodes.map((grant: Read) => {
        const on = grant.ticketByTicketIdAndSiteId;
        return {
          ...{ requestedAt: grant.requestedAt, approvalDueAt: grant.approvalDueAt },
          engineer: grant.accountByEngineerId.name,
          ticket: {
            ...{ key: on.key, summary: on.summary, reporter: on.accountByReporterId.name },
            ...{ site: on.siteBySiteId.name, product: on.productByProductIdAndSiteId.name },
          },
        };
      });
    }
    if (kind === 'ticket') {
      const { key, summary, status, ...of } = data.ticketByKey;
      return {
        ...{
          key,
          summary,
          status,
          reporter: of.accountByReporterId.name,
          assignee: of.accountByAssigneeId.name,
        },
        ...{ site: of.siteBySiteId.name, product: of.productByProductIdAndSiteId.name },
        grants: of.grantsByTicketIdAndSiteId.nodes.map((grant: Read) => ({
          ...{ state: grant.state, requestedAt: grant.requestedAt, endedAt: grant.endedAt },
          engineer: grant.accountByEngineerId.name,
          decisions: grant.decisionsByGrantId.nodes.map((decision: Read) => ({
            ...{ stage: decision.stage, outcome: decision.outcome, decidedAt: decision.decidedAt },
            decidedBy: decision.accountByDecidedById.name,
          })),
        })),
      };
    }
    const found = data.auditSearch ?? data.allAuditEntries;
    return found.nodes.map(({ occurredAt, action, outcome, actorName }: Read) => ({
      ...{ occurredAt, action, outcome, actor: actorName },
    }));
  },
  async seek(ask, skipped) {
    const { data }: Read = await ask({ query: seek, variables: { skipped: skipped - 1 } });
    return data.allAuditEntries.pageInfo.endCursor;
  },
};
