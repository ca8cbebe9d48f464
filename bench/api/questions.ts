/** What clients ask in the benchmark, and what every server must answer, whatever its schema is. */

/** A request of one person, who is named by email. Times are ISO 8601. */
export type Question = { viewer: string } & (
  | { kind: 'outstanding'; siteId: string }
  | { kind: 'ticket'; key: string }
  /** An organization's entries of one actor, within a period. */
  | { kind: 'auditActor'; actorEmail: string; from: string; until: string }
  /** An organization's entries within a period. */
  | { kind: 'auditPeriod'; from: string; until: string }
  /** The page after this many entries of the whole log. */
  | { kind: 'auditDeep'; skipped: number }
);
export type QuestionKind = Question['kind'];

/** Items of a page. */
export const pageSizes = { outstanding: 20, grants: 20, audit: 50 } as const;

/** The answer to `outstanding`, newest first. */
export type OutstandingRequest = {
  requestedAt: string;
  approvalDueAt: string;
  engineer: string;
  ticket: { key: string; summary: string; reporter: string; site: string; product: string };
};

/** The answer to `ticket`. */
export type TicketPage = {
  key: string;
  summary: string;
  status: string;
  reporter: string;
  assignee: string;
  site: string;
  product: string;
  grants: {
    state: string;
    requestedAt: string;
    endedAt: string | null;
    engineer: string;
    decisions: { stage: string; outcome: string; decidedAt: string; decidedBy: string }[];
  }[];
};

/** The answer to questions about the audit log, newest first. */
export type FoundEntry = {
  occurredAt: string;
  action: string;
  outcome: string;
  actor: string;
};

export type Answer = OutstandingRequest[] | TicketPage | FoundEntry[];

/** How a server is asked, and how its answers are read. */
export type Dialect = {
  /** Where the server takes questions, below its URL. */
  readonly path: string;
  /** The JSON of the request. `cursor`: of the place that a deep page begins after. */
  body(question: Question, cursor: string | null): object;
  /** Reads the JSON of a response. */
  read(kind: QuestionKind, answer: never): Answer;
  /**
   * The cursor of the place in the audit log after so many entries. Null: the server needs none.
   * @param ask sends the JSON of a request and resolves to that of the response
   */
  readonly seek: ((ask: (body: object) => Promise<never>, skipped: number) => Promise<string>) | null;
};
