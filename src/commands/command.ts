/** What a command is: its locks, the facts it needs, who may run it, and the pure function that decides it. */
import type { AuditAction } from '../audit/actions.ts';
import type { Actor, AuditContext, AuditResource } from '../audit/entry.ts';
import type { StreamNetworks } from '../audit/streams/endpoint.ts';
import type { MutationName, Relation } from '../authorization/operations.ts';
import type { ChangeOnTicket } from '../changes/event.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { MailRequest } from '../notifications/mail-kind.ts';
import { anywhere, type VendorSites } from '../organizations/residency.ts';
import type { Transaction } from '../platform/database.ts';
import type { Quotas } from '../platform/quotas.ts';
import type { RightsLock } from '../roles/locks.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import type { Asking } from './quotas.ts';
import type { Refusal, RefusalCode } from './refusal.ts';
import type { DecidedSessionChange } from './session-effects.ts';

/** Everything that differs from one command to the next. execute.ts does the rest, the same for all of them. */
export type Command<Input, Facts, Row extends object> = {
  /** The mutation that runs it: its row in the authorization table. */
  operation: MutationName;
  /** Its action on the audit log. */
  action: AuditAction;
  /** The API's name for what the input names: `Ticket`, `Grant`, `Site` … */
  resource: string;
  /** Takes the locks on the sites and tickets that it changes, before the transaction's first write. */
  lock: (tx: Transaction, input: Input) => Promise<void>;
  /** Whose rights it relies on or takes away, besides those of its caller. Default: nobody's. */
  rights?: ((input: Input, tx: Transaction) => Rights) | undefined;
  /** Reads the facts it is decided on, after the locks, at the moment `now`. Null: what the input names does not exist. */
  load: (tx: Transaction, input: Input, now: Date) => Promise<Facts | null>;
  /**
   * As `load`, of a command that names no other rights, whose `lock` is one statement that it sends at once, and whose facts depend
   * on nothing but the input: they share a round trip. Its first statement is sent at once as well.
   */
  loadAtOnce?: ((tx: Transaction, input: Input) => Promise<Facts | null>) | undefined;
  /** The viewer's relations to what the input names. */
  relations: (viewer: Viewer, facts: Facts) => ReadonlySet<Relation>;
  /** Whether somebody in these relations may know that it exists. Anybody else is refused with `NOT_FOUND`. */
  isVisible: (relations: ReadonlySet<Relation>) => boolean;
  /** Whether somebody in these relations may see the row that the command answered, when they repeat it later. Default: `isVisible`. */
  isAnswerVisible?: (relations: ReadonlySet<Relation>) => boolean;
  /** The same by the row itself, instead of by the relations to what the input names. */
  seesAnswer?(viewer: Viewer, answer: Row): boolean;
  /**
   * Every code that it can be refused with. Its mutation's result type is made from this list, so `execute`
   * treats any other refusal as a defect.
   */
  refusals: readonly RefusalCode[];
  /** The refusal for a viewer who may see it and may not run the command. Default: a plain `FORBIDDEN`. */
  refuse?: (viewer: Viewer, facts: Facts) => Refusal;
  /** The organization, site, ticket and grant that its audit entries belong to. */
  auditContext: (facts: Facts) => AuditContext;
  /** The resource that its audit entry names. */
  auditResource: (facts: Facts, input: Input) => AuditResource;
  /** Ends what has run out of time by `now`, so that the decision is made on what is true at that moment. */
  applyTimeLimits?: (facts: Facts, now: Date) => { facts: Facts; changes: DecidedGrantChange[] };
  /**
   * Lets lapse what the command relies on and what no longer holds: these changes come instead of its own, and it is
   * refused. Asked only for a viewer who may run the command. Null: nothing has lapsed.
   */
  lapse?: (facts: Facts, now: Date) => { changes: DecidedGrantChange[]; refused: Refusal } | null;
  /**
   * Reads why a quota allows the caller no more of it. Asked only for a viewer who may run the command. Null: there is none to
   * wait for. Left out: it has no quota.
   */
  exceeded?: ((tx: Transaction, facts: Facts, asking: Asking) => Promise<Refusal | null>) | undefined;
  /** Decides. Pure: it reads nothing but its arguments, and changes nothing. */
  decide: (facts: Facts, input: Input, context: DecisionContext) => Outcome<Row>;
};

/** Settings of the deployment that commands are decided by. */
export type Rules = {
  /**
   * How long the appointment of a Guard admin waits where nobody could confirm it, and what an operator makes count after
   * an organization has lost its last admin, in milliseconds.
   */
  appointmentWaitMs: number;
  /** Where the vendor processes customers' data, and from where its engineers act. */
  vendorSites: VendorSites;
  /** So many grants, and so many change requests, end in one transaction with their site or licence. Default: `endedAtOnce`. */
  endedAtOnce?: number | undefined;
  /** Default: `defaultQuotas`. */
  quotas?: Quotas;
  /** To which networks the audit log may be streamed although they are not public, and without TLS. Default: none. */
  streamNetworks?: StreamNetworks;
};

/** Few enough for a fraction of the time limit of a transaction on a busy machine. */
export const endedAtOnce = 200;

export const defaultRules: Rules = { appointmentWaitMs: 72 * 60 * 60 * 1000, vendorSites: anywhere };

/** One lock, several after reading what the input names, or none. */
export type Rights = RightsLock | null | Promise<readonly RightsLock[]>;

/** Who asks, when, by which rules, and whether a second person has confirmed it where that is needed. */
export type Question = {
  viewer: Viewer;
  now: Date;
  rules?: Rules | undefined;
  isConfirmed?: boolean;
  /** Why a quota allows the viewer no more. */
  exceeded?: Refusal | null;
};

/** A question, and how the viewer is related to what the command names. */
export type DecisionContext = Pick<Question, 'viewer' | 'now'> & {
  rules: Rules;
  isConfirmed: boolean;
  relations: ReadonlySet<Relation>;
};

export type Outcome<Row extends object> =
  | {
      refused: Refusal;
      /** Writes what the refused attempt has ended. */
      write?: (tx: Transaction) => Promise<void>;
    }
  | {
      /** The row that the mutation returns, as it is after the command. */
      answer: Row;
      /** The changes of grants, in order. */
      grants?: readonly DecidedGrantChange[];
      /** New and changed change requests, in order. */
      changeRequests?: readonly ChangeOnTicket[];
      /** The starts and ends of support sessions, in order, beyond those that end with their grants. */
      sessions?: readonly DecidedSessionChange[];
      /** Writes the rows of other models. */
      write?: (tx: Transaction) => Promise<void>;
      /** The command's own audit entry. A command on a grant, a session or a change request has none: each change of one is an entry. */
      entry?: OwnAuditEntry;
      /** The entries of what follows from it, in order, after its own. */
      consequences?: readonly OwnAuditEntry[];
      /** The site on which something has ended that the background job has to settle. */
      unsettledSiteId?: string;
      /** Accounts whose rights this changes: their subscriptions are checked again. */
      accessChangedFor?: readonly string[];
      /** Mail to send after the commit. A change of a grant brings its own: grant-change-effects.ts. */
      mails?: readonly MailRequest[];
    };

/** Action, resource and context default to those of the command, the actor to its caller. */
export type OwnAuditEntry = {
  action?: AuditAction;
  actor?: Actor;
  auditResource?: AuditResource;
  auditContext?: AuditContext;
  details: Record<string, unknown>;
};
