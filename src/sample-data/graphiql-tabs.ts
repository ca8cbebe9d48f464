import type { PreparedTab } from '../http/graphiql.ts';
import type { Database } from '../platform/database.ts';
import { ticketOfStep } from './tickets.ts';

type Step = keyof typeof ticketOfStep;

/**
 * The tabs that GraphiQL opens with: a step of a grant's life each, as the person who takes it. A step needs none
 * of the other steps. Sample data that an earlier version has loaded has nothing for some. Returns none where there is no
 * sample data.
 */
export async function prepareTabs({ prisma }: Database): Promise<PreparedTab[]> {
  const tickets = await prisma.ticket.findMany({
    where: {
      summary: { in: Object.values(ticketOfStep) },
      reporter: { email: { in: ['rita@acme.example', 'jack@acme.example'] } },
    },
    orderBy: { createdAt: 'desc' },
    include: {
      grants: {
        ...{ orderBy: { requestedAt: 'asc' }, take: 1 },
        include: { sessions: { orderBy: { startedAt: 'asc' }, take: 1 } },
      },
    },
  });
  // Of several with the same summary, the oldest is the sample ticket.
  const bySummary = new Map(tickets.map((ticket) => [ticket.summary, ticket]));
  const of = (step: Step) => bySummary.get(ticketOfStep[step]);
  const [approve, close, reopen] = [of('approve'), of('close'), of('reopen')];
  const [restricted, unused] = [of('decideAsGuard')?.grants[0], of('startSession')?.grants[0]];
  const session = of('endSession')?.grants[0]?.sessions[0];
  if (approve === undefined || close === undefined || reopen === undefined || restricted === undefined)
    return [];
  return [
    {
      title:
        'Erin, a support engineer: press play and leave this running. Events arrive here when a customer decides, with `npm run approve` or in a second window.',
      email: 'erin@vendor.example',
      query: `subscription ErinWatches {
  grantEvents {
    type
    occurredAt
    grant {
      state
      endReason
      ticket { key summary }
      engineer { email }
    }
    cursor
  }
}`,
    },
    {
      title: `Jack, product admin of Jira: what does ${approve.key} wait for, and may he decide it?`,
      email: 'jack@acme.example',
      query: `query JackLooks($key: String!) {
  ticket(key: $key) {
    summary
    status
    assignee { email }
    accessEligibility {
      allowed
      requiredRoles { role over }
      eligibleGrantors { edges { node { email } } }
    }
    grants {
      edges {
        node {
          state
          requestedBy { email }
          decisions { stage outcome decidedBy { email } }
        }
      }
    }
  }
}`,
      variables: { key: approve.key },
    },
    {
      title: `Carla, product admin of Confluence: she tries to approve ${approve.key}, which is about Jira. She is refused, and told why and who may.`,
      email: 'carla@acme.example',
      query: `mutation CarlaTries($input: ApproveDataAccessInput!) {
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
      variables: onTicket(approve.id),
    },
    {
      title: `Jack: he approves ${approve.key}. Erin has access from now on.`,
      email: 'jack@acme.example',
      query: `mutation JackApproves($input: ApproveDataAccessInput!) {
  approveDataAccess(input: $input) {
    __typename
    ... on Grant {
      id
      state
      activatedAt
      engineer { email }
      version
    }
    ... on Error { code message }
  }
}`,
      variables: onTicket(approve.id),
    },
    ...(unused === undefined ? [] : [startsSession(unused.id)]),
    ...(session === undefined ? [] : [endsSession(session.id)]),
    {
      title: `Rita, who filed ${close.key}: Erin has access on it. Closing the ticket revokes the access at once.`,
      email: 'rita@acme.example',
      query: `mutation RitaCloses($input: CloseTicketInput!) {
  closeTicket(input: $input) {
    __typename
    ... on Ticket {
      status
      grants(first: 1) { edges { node { state endReason } } }
    }
    ... on Error { code message }
  }
}`,
      variables: onTicket(close.id),
    },
    {
      title: `Rita: ${reopen.key} is closed. Reopening a ticket does not bring back access: a customer has to approve again.`,
      email: 'rita@acme.example',
      query: `mutation RitaReopens($input: ReopenTicketInput!) {
  reopenTicket(input: $input) {
    __typename
    ... on Ticket {
      status
      grants(first: 1) { edges { node { state endReason } } }
      timeline(first: 5) { edges { node { summary } } }
    }
    ... on Error { code message }
  }
}`,
      variables: onTicket(reopen.id),
    },
    {
      title:
        'Gina, Guard admin: on a restricted site Vera has approved as the customer, and Gina gives the second approval.',
      email: 'gina@acme.example',
      query: `mutation GinaApproves($input: ApproveGuardRequestInput!) {
  approveGuardRequest(input: $input) {
    __typename
    ... on Grant {
      state
      decisions { stage outcome decidedBy { email } }
    }
    ... on Error { code message }
  }
}`,
      variables: { input: { grantId: globalId('Grant', restricted.id) } },
    },
    {
      title:
        'Olivia, organization admin: press play and leave this running. Events arrive here when support starts to use access, and when it stops.',
      email: 'olivia@acme.example',
      query: `subscription OliviaWatches {
  sessionEvents(withCurrentState: true) {
    type
    occurredAt
    session {
      reason
      note
      endReason
      engineer { email }
      ticket { key }
    }
    cursor
  }
}`,
    },
    {
      title: 'Olivia: every request that waits for a decision.',
      email: 'olivia@acme.example',
      query: `query OliviaLists {
  grants(
    filter: { states: [PENDING_APPROVAL, PENDING_GUARD_APPROVAL] }
  ) {
    edges {
      node {
        id
        state
        ticket { key summary site { url } product { name } }
        approvalDueAt
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}`,
    },
    {
      title: 'Olivia: who did what, and who was refused.',
      email: 'olivia@acme.example',
      query: `query OliviaAudits {
  auditLog(first: 20) {
    edges {
      node {
        occurredAt
        actor { email }
        action
        outcome
        refusalCode
        details
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}`,
    },
  ];
}

function startsSession(grantId: string): PreparedTab {
  return {
    title:
      'Erin: she has access that she does not use yet. In a support session she may act; why and from where is on record.',
    email: 'erin@vendor.example',
    query: `mutation ErinStarts($input: StartSupportSessionInput!) {
  startSupportSession(input: $input) {
    __typename
    ... on SupportSession {
      state
      dueAt
      grant { state ticket { key } }
      actions { edges { node { occurredAt action } } }
    }
    ... on Error { code message }
  }
}`,
    variables: {
      input: {
        grantId: globalId('Grant', grantId),
        ...{ reason: 'INVESTIGATE_PROBLEM', note: 'The order of the backlog.', country: 'DE' },
      },
    },
  };
}

function endsSession(sessionId: string): PreparedTab {
  return {
    title:
      'Erin: she ends another session, and sees what happened in it. Unless it is used, a session ends by itself after half an hour.',
    email: 'erin@vendor.example',
    query: `mutation ErinEnds($input: EndSupportSessionInput!) {
  endSupportSession(input: $input) {
    __typename
    ... on SupportSession {
      state
      endReason
      actions { edges { node { occurredAt action } } }
    }
    ... on Error { code message }
  }
}`,
    variables: { input: { supportSessionId: globalId('SupportSession', sessionId) } },
  };
}

function onTicket(id: string) {
  return { input: { ticketId: globalId('Ticket', id) } };
}

/** The id of an object in the API. */
function globalId(typename: string, id: string): string {
  return Buffer.from(`${typename}:${id}`).toString('base64');
}
