/** What the chapters of the tour share: the people, their products, the timeline, and the tour's own tickets. */
import {
  AssignTicketDocument,
  CloseTicketDocument,
  CreateTicketDocument,
  type CreateTicketMutation,
  SiteDocument,
} from '../../schema/generated/operations.ts';
import { askDecisionPoint, type SupportAnswer, type SupportQuestion } from './decision-point.ts';
import { createExpect, type Expect, UnmetExpectationError } from './expectations.ts';
import { type Inbox, openInbox } from './inbox.ts';
import { type Person, signIn } from './person.ts';
import type { Timeline } from './timeline.ts';

const cast = {
  erin: 'erin@vendor.example',
  sam: 'sam@vendor.example',
  ticketing: 'ticketing@vendor.example',
  jira: 'jira@vendor.example',
  rita: 'rita@acme.example',
  olivia: 'olivia@acme.example',
  jack: 'jack@acme.example',
  carla: 'carla@acme.example',
  penny: 'penny@acme.example',
  sid: 'sid@acme.example',
  tom: 'tom@acme.example',
  vera: 'vera@acme.example',
  gina: 'gina@acme.example',
  siem: 'siem@acme.example',
  gus: 'gus@globex.example',
} as const;

export type Cast = Readonly<Record<keyof typeof cast, Person>>;
export type SiteName = 'acme' | 'acme-labs' | 'acme-vault' | 'acme-old';
export type FiledTicket = Extract<CreateTicketMutation['createTicket'], { __typename: 'Ticket' }>;

export type Stage = {
  readonly people: Cast;
  readonly timeline: Timeline;
  readonly expect: Expect;
  /** The events that Erin and Sam receive. */
  readonly inbox: { readonly erin: Inbox; readonly sam: Inbox };
  /** Files a ticket as a person of Acme. It is closed when the stage is disposed of. */
  file(
    by: Person,
    ticket: { site: SiteName; product?: 'jira' | 'confluence'; summary: string; ticked?: boolean },
  ): Promise<FiledTicket>;
  /** Assigns an engineer, as the ticketing system does. */
  assign(ticketId: string, engineer: Person): Promise<void>;
  /** Asks whether an engineer may act, as Jira's backend does. */
  ask(question: SupportQuestion): Promise<SupportAnswer>;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function setStage(url: string, timeline: Timeline): Promise<Stage> {
  await using begun = new AsyncDisposableStack();
  const expect = createExpect(timeline);
  const names = Object.keys(cast) as (keyof typeof cast)[];
  const signedIn = await Promise.all(names.map(async (name) => [name, await signIn(url, cast[name])]));
  const people = Object.fromEntries(signedIn) as Cast;
  const erin = begun.use(await openInbox(people.erin));
  const sam = begun.use(await openInbox(people.sam));

  const products = new Map<string, string>();
  async function productId(site: SiteName, key: string): Promise<string> {
    const siteUrl = `https://${site}.example`;
    if (!products.has(`${siteUrl} ${key}`)) {
      const found = await people.olivia.client.execute(SiteDocument, { url: siteUrl });
      for (const { node } of found.site?.products.edges ?? [])
        products.set(`${siteUrl} ${node.key}`, node.id);
    }
    const id = products.get(`${siteUrl} ${key}`);
    if (id === undefined)
      throw new UnmetExpectationError('the sample data has the product', `${key} on ${siteUrl}`, null);
    return id;
  }

  const filed: string[] = [];
  begun.defer(async () => {
    for (const ticketId of filed) await people.ticketing.attempt(CloseTicketDocument, { ticketId });
  });
  const running = begun.move();
  return {
    people,
    timeline,
    expect,
    inbox: { erin, sam },
    async file(by, { site, product = 'jira', summary, ticked = false }) {
      const ticket = expect.done(
        'the ticket is filed',
        await by.attempt(CreateTicketDocument, {
          ...{ productId: await productId(site, product), summary, grantDataAccess: ticked },
        }),
      );
      filed.push(ticket.id);
      return ticket;
    },
    async assign(ticketId, engineer) {
      expect.done(
        'the ticket is assigned',
        await people.ticketing.attempt(AssignTicketDocument, { ticketId, engineerId: engineer.id }),
      );
    },
    ask: (question) => askDecisionPoint(url, people.jira, question),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
