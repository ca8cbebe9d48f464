/** What a kind of mail is: who gets it, until when it is wanted, what it concerns, and how its text is written. */

/** One of the recipients. */
export type Recipient = { recipientName: string };

/** A line break in `text` is `\n`; `subject` has none. */
export type MailText = { subject: string; text: string };

/**
 * A kind of mail. Its SQL may use these names:
 *
 * - `m`: the mail. `m.about_id` is the id of what it is about, and `m.details` what its `MailRequest` says besides.
 * - `a`: the account of a recipient.
 * - `clock.now`: the time of the attempt; in `wanted` and `facts` only.
 */
export type MailKind<Facts = unknown> = {
  /** In lower case. It is in the database, in Message-IDs and on the audit log, so it never changes. */
  name: string;
  /** Joins that lead from `m` to what `recipient` names. */
  about: string;
  /**
   * The condition for who gets the mail: active accounts of users, a thousand at most. It is checked when the mail is queued
   * and again before each attempt to send it.
   */
  recipient: string;
  /** Further joins, for the rest. */
  joins: string;
  /** The condition under which the mail is still worth sending. */
  wanted: string;
  /** Where the audit log says that the mail was given up: what it concerns, and where that belongs. The organization in the SQL of `about`. */
  concerns: {
    resourceType: string;
    resourceId: string;
    organizationId: string;
    siteId?: string;
    ticketId?: string;
    grantId?: string;
  };
  /** The columns of the facts that `write` needs. */
  facts: string;
  /** Writes the mail for one recipient: plain text without links. What people wrote goes through `quotedText`. */
  write(facts: Facts & Recipient): MailText;
  /** The line that stands for this mail in a digest. */
  line(facts: Facts): string;
  /**
   * Only for a kind that asks the recipient for a decision: when the decision comes too late, in the SQL of `about`. More than a
   * few of them to one person become a digest, except shortly before that.
   */
  decideBy?: string;
};

/** A mail that a transaction asks for: one to each recipient of the kind, each time that it is asked for. */
export type MailRequest = {
  kind: MailKind;
  /** The id of what it is about. */
  aboutId: string;
  /** What it says that cannot be read from the database any more when it is sent. */
  details?: Record<string, string | null>;
};
