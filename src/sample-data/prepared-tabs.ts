/** What GraphiQL opens with: the sample ticket's story, a tab for each step, each ready to be played. */
import type { PreparedTab } from '../http/graphiql.ts';
import type { Database } from '../platform/database.ts';
import { boardTicket, vaultTicket } from './tickets.ts';

/** Empty where there is no sample data. */
export async function prepareTabs({ prisma }: Database): Promise<PreparedTab[]> {
  const [board, vault] = await Promise.all(
    [boardTicket, vaultTicket].map((summary) =>
      prisma.ticket.findFirst({
        where: { summary, reporter: { email: 'rita@acme.example' } },
        orderBy: { createdAt: 'asc' },
        include: { grants: { orderBy: { requestedAt: 'desc' }, take: 1 } },
      }),
    ),
  );
  const [restricted] = vault?.grants ?? [];
  if (board == null || restricted === undefined) return [];
  const onBoard = { input: { ticketId: globalId('Ticket', board.id) } };
  return [
    {
      title: 'Erin, the support engineer: leave this running, and approve in another window',
      email: 'erin@vendor.example',
      query: `subscription EngineerWatches {
  grantEvents {
    type
    occurredAt
    grant { state ticket { key summary } engineer { email } endReason version }
    cursor
  }
}`,
    },
    {
      title: `Jack, product admin of Jira: may he decide on ${board.key}, and what is there to decide?`,
      email: 'jack@acme.example',
      query: `query AdminLooks($key: String!) {
  ticket(key: $key) {
    summary status assignee { email }
    accessEligibility { allowed requiredRoles { role over } eligibleGrantors { edges { node { email } } } }
    grants { edges { node { id state requestedBy { email } decisions { stage outcome decidedBy { email } } version } } }
  }
}`,
      variables: { key: board.key },
    },
    {
      title: 'Carla, product admin of Confluence: the wrong product, so she is refused and told why',
      email: 'carla@acme.example',
      query: `mutation WrongAdminApproves($input: ApproveDataAccessInput!) {
  approveDataAccess(input: $input) {
    __typename
    ... on Grant { state }
    ... on Error { code message }
    ... on NotEligibleError {
      eligibility {
        obstacles { code message howToConfirm fix }
        requiredRoles { role over }
        eligibleGrantors { edges { node { name email } } }
      }
    }
  }
}`,
      variables: onBoard,
    },
    {
      title: 'Jack, product admin of Jira: he may',
      email: 'jack@acme.example',
      query: `mutation AdminApproves($input: ApproveDataAccessInput!) {
  approveDataAccess(input: $input) {
    __typename
    ... on Grant { id state activatedAt engineer { email } version }
    ... on Error { code message }
  }
}`,
      variables: onBoard,
    },
    {
      title: 'Rita, who filed the ticket: closing it revokes the access at once',
      email: 'rita@acme.example',
      query: `mutation ReporterCloses($input: CloseTicketInput!) {
  closeTicket(input: $input) {
    __typename
    ... on Ticket { status grants(first: 1) { edges { node { state endReason } } } }
    ... on Error { code message }
  }
}`,
      variables: onBoard,
    },
    {
      title: 'Rita again: reopening revives no access. Approve once more, and it is given anew',
      email: 'rita@acme.example',
      query: `mutation ReporterReopens($input: ReopenTicketInput!) {
  reopenTicket(input: $input) {
    __typename
    ... on Ticket { status grants(first: 1) { edges { node { state endReason } } } }
    ... on Error { code message }
  }
}`,
      variables: onBoard,
    },
    {
      title: 'Gina, Guard admin: she decides in second place on the restricted site',
      email: 'gina@acme.example',
      query: `mutation GuardApproves($input: ApproveGuardRequestInput!) {
  approveGuardRequest(input: $input) {
    __typename
    ... on Grant { state decisions { stage outcome decidedBy { email } } }
    ... on Error { code message }
  }
}`,
      variables: { input: { grantId: globalId('Grant', restricted.id) } },
    },
    {
      title: 'Olivia, organization admin: every request that waits',
      email: 'olivia@acme.example',
      query: `query OutstandingRequests {
  grants(filter: { states: [PENDING_APPROVAL, PENDING_GUARD_APPROVAL] }) {
    edges { node { id state ticket { key summary site { url } product { name } } approvalDueAt } }
    pageInfo { hasNextPage endCursor }
  }
}`,
    },
    {
      title: 'Olivia: who did what, and who was refused',
      email: 'olivia@acme.example',
      query: `query AuditLog {
  auditLog(first: 20) {
    edges { node { occurredAt actor { email } action outcome refusalCode details } }
    pageInfo { hasNextPage endCursor }
  }
}`,
    },
  ];
}

/** As the API names things. */
function globalId(typename: string, id: string): string {
  return Buffer.from(`${typename}:${id}`).toString('base64');
}
