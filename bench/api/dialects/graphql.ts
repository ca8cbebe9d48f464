/** Latchkey's API, as a console asks it. Mercurius serves the same part of the schema. */
import type { Dialect, FoundEntry, OutstandingRequest, Question, TicketPage } from '../questions.ts';
import { pageSizes } from '../questions.ts';

const outstanding = `query Outstanding($siteId: ID!) {
  grants(first: ${pageSizes.outstanding}, filter: { siteId: $siteId, states: [PENDING_APPROVAL] }) {
    edges { node { id requestedAt approvalDueAt engineer { id name }
      ticket { id key summary reporter { id name } site { id name } product { id name } } } }
    pageInfo { hasNextPage endCursor } } }`;

const ticket = `query TicketPage($key: String!) {
  ticket(key: $key) { id key summary status reporter { id name } assignee { id name } site { id name } product { id name }
    grants(first: ${pageSizes.grants}) { edges { node { id state requestedAt endedAt engineer { id name }
      decisions { stage outcome decidedAt decidedBy { id name } } } } pageInfo { hasNextPage } } } }`;

const audit = `query Audit($after: String, $filter: AuditLogFilter) {
  auditLog(first: ${pageSizes.audit}, after: $after, filter: $filter) {
    edges { node { id occurredAt action outcome actor { name } } }
    pageInfo { hasNextPage endCursor } } }`;

const seekPage = 100;
const seek = `query Seek($first: Int!, $after: String) {
  auditLog(first: $first, after: $after) { edges { cursor } pageInfo { endCursor } } }`;
type Sought = { data: { auditLog: { pageInfo: { endCursor: string } } } };

function queryOf(question: Question, cursor: string | null): { query: string; variables: object } {
  switch (question.kind) {
    case 'outstanding':
      return { query: outstanding, variables: { siteId: globalId('Site', question.siteId) } };
    case 'ticket':
      return { query: ticket, variables: { key: question.key } };
    case 'auditActor': {
      const { actorEmail, from, until } = question;
      return { query: audit, variables: { filter: { actorEmail, from, until } } };
    }
    case 'auditPeriod': {
      const { from, until } = question;
      return { query: audit, variables: { filter: { from, until } } };
    }
    case 'auditDeep':
      return { query: audit, variables: { after: cursor } };
  }
}

const globalId = (type: string, id: string) => Buffer.from(`${type}:${id}`).toString('base64');

type Named = { name: string };
type Connection<Node> = { edges: { node: Node }[] };
type Read = {
  data: {
    grants: Connection<
      Omit<OutstandingRequest, 'engineer' | 'ticket'> & {
        engineer: Named;
        ticket: { key: string; summary: string; reporter: Named; site: Named; product: Named };
      }
    >;
    ticket: Omit<TicketPage, 'reporter' | 'assignee' | 'site' | 'product' | 'grants'> & {
      reporter: Named;
      assignee: Named;
      site: Named;
      product: Named;
      grants: Connection<
        Omit<TicketPage['grants'][number], 'engineer' | 'decisions'> & {
          engineer: Named;
          decisions: { stage: string; outcome: string; decidedAt: string; decidedBy: Named }[];
        }
      >;
    };
    auditLog: Connection<Omit<FoundEntry, 'actor'> & { actor: Named }>;
  };
};

export const graphql: Dialect = {
  path: '/graphql',
  body: queryOf,
  read(kind, { data }: Read) {
    if (kind === 'outstanding') {
      return data.grants.edges.map(({ node: { requestedAt, approvalDueAt, engineer, ticket: on } }) => ({
        ...{ requestedAt, approvalDueAt, engineer: engineer.name },
        ticket: {
          ...{ key: on.key, summary: on.summary, reporter: on.reporter.name },
          ...{ site: on.site.name, product: on.product.name },
        },
      }));
    }
    if (kind === 'ticket') {
      const { key, summary, status, reporter, assignee, site, product, grants } = data.ticket;
      return {
        ...{ key, summary, status, reporter: reporter.name, assignee: assignee.name },
        ...{ site: site.name, product: product.name },
        grants: grants.edges.map(({ node: { state, requestedAt, endedAt, engineer, decisions } }) => ({
          ...{ state, requestedAt, endedAt, engineer: engineer.name },
          decisions: decisions.map(({ stage, outcome, decidedAt, decidedBy }) => ({
            ...{ stage, outcome, decidedAt, decidedBy: decidedBy.name },
          })),
        })),
      };
    }
    return data.auditLog.edges.map(({ node: { occurredAt, action, outcome, actor } }) => ({
      ...{ occurredAt, action, outcome, actor: actor.name },
    }));
  },
  async seek(ask, skipped) {
    let after: string | null = null;
    for (let passed = 0; passed < skipped; passed += seekPage) {
      const first = Math.min(seekPage, skipped - passed);
      const { data }: Sought = await ask({ query: seek, variables: { first, after } });
      after = data.auditLog.pageInfo.endCursor;
    }
    return after ?? '';
  },
};
