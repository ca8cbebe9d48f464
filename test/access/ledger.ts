/** Compares the answers that a client received with the entries on the audit log. */
import type pg from 'pg';
import { rawId } from '../support/rows.ts';
import type { Answer } from './product-backend.ts';

export type Ledger = {
  note(answer: Answer): void;
  /** Resolves with what is wrong, once every answer was compared. */
  close(): Promise<Wrong>;
  readonly yes: number;
  readonly no: number;
};

export type Wrong = {
  /** Answers that have no entry. */
  withoutEntry: string[];
  /** Answers whose entry says something else. */
  otherOutcome: string[];
  /** Answers of yes to a question that was sent after the revocation of its grant had been answered. */
  afterRevocation: string[];
};

export const nothingWrong: Wrong = { withoutEntry: [], otherOutcome: [], afterRevocation: [] };

/** Answers that are compared in one statement. Only these are kept. */
const atOnce = 1_000;

/** @param revokedAt when the revocation of a grant had been answered, on `performance`'s clock */
export function openLedger(sql: pg.Pool, revokedAt: (grantId: string) => number | undefined): Ledger {
  const wrong: Wrong = { withoutEntry: [], otherOutcome: [], afterRevocation: [] };
  const counts = { yes: 0, no: 0 };
  let noted: Answer[] = [];
  let comparing = Promise.resolve();

  async function compare(answers: readonly Answer[]): Promise<void> {
    const { rows } = await sql.query<{ id: string; allowed: boolean; grantId: string | null }>(
      `SELECT id, outcome = 'SUCCEEDED' AS allowed, grant_id AS "grantId" FROM audit_entries WHERE id = ANY ($1)`,
      [answers.map(({ evaluation }) => rawId(evaluation))],
    );
    const entries = new Map(rows.map((row) => [row.id, row]));
    for (const answer of answers) judge(answer, entries.get(rawId(answer.evaluation)));
  }

  function judge(
    { decision, evaluation, sentAt }: Answer,
    entry: { allowed: boolean; grantId: string | null } | undefined,
  ): void {
    if (entry === undefined) wrong.withoutEntry.push(evaluation);
    else if (entry.allowed !== decision) wrong.otherOutcome.push(evaluation);
    const revoked = revokedAt(entry?.grantId ?? '') ?? Number.POSITIVE_INFINITY;
    if (decision && sentAt > revoked)
      wrong.afterRevocation.push(`${evaluation} was asked ${sentAt - revoked} ms after the revocation`);
  }

  function compareNoted(): void {
    const answers = noted;
    noted = [];
    comparing = comparing.then(() => compare(answers));
    comparing.catch(() => undefined);
  }

  return {
    note(answer) {
      counts[answer.decision ? 'yes' : 'no'] += 1;
      noted.push(answer);
      if (noted.length >= atOnce) compareNoted();
    },
    async close() {
      compareNoted();
      await comparing;
      return wrong;
    },
    get yes() {
      return counts.yes;
    },
    get no() {
      return counts.no;
    },
  };
}

/** The entries of evaluations on the audit log. */
export async function countEvaluations(sql: Pick<pg.Pool, 'query'>): Promise<number> {
  const { rows } = await sql.query(
    `SELECT count(*)::int AS count FROM audit_entries WHERE details ? 'askedBy'`,
  );
  return rows[0].count;
}

/** The entries of yes that come after the revocation of their grant, in the order of the log. */
export async function yesAfterRevocation(sql: Pick<pg.Pool, 'query'>): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `SELECT yes.id FROM audit_entries revoked
       JOIN audit_entries yes ON yes.grant_id = revoked.grant_id AND yes.txid > revoked.txid
      WHERE revoked.action = 'grant.revoke' AND revoked.outcome = 'SUCCEEDED'
        AND yes.details ? 'askedBy' AND yes.outcome = 'SUCCEEDED'`,
  );
  return rows.map(({ id }) => id);
}
