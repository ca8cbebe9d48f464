import { RequestFailedError } from '../../../client/src/index.ts';
import { AuditLogDocument } from '../../../schema/generated/operations.ts';
import type { Stage } from '../stage.ts';

/** Reads the audit log of the first chapter's ticket. */
export async function auditLog(stage: Stage, ticketId: string): Promise<void> {
  const { people, timeline, expect } = stage;
  timeline.chapter('The audit log');
  const read = { filter: { ticketId }, first: 100 };
  const { auditLog: log } = await people.olivia.client.execute(AuditLogDocument, read);
  const entries = (log?.edges ?? []).map(({ node }) => node).reverse();
  timeline.line('Olivia', 'reads the audit log of the first ticket');
  for (const { occurredAt, actor, action, outcome, refusalCode } of entries) {
    const how = outcome === 'REFUSED' ? `REFUSED ${refusalCode}` : '';
    timeline.detail(
      `${occurredAt.slice(11, 23)}  ${actor.name.padEnd(18)}${(action ?? '').padEnd(18)}${how}`.trimEnd(),
    );
  }
  expect.equal(
    'every decision and every refusal, in order',
    entries
      .filter(({ action }) => ['GRANT_APPROVE', 'GRANT_REVOKE', 'GRANT_WITHDRAW'].includes(action ?? ''))
      .map(
        ({ actor, action, refusalCode }) => `${actor.name} ${action}${refusalCode ? ` ${refusalCode}` : ''}`,
      ),
    [
      'Carla GRANT_APPROVE NOT_ELIGIBLE',
      'Penny GRANT_APPROVE NOT_ELIGIBLE',
      'Jack GRANT_APPROVE',
      'Rita GRANT_REVOKE',
      'Jack GRANT_APPROVE TICKET_CLOSED',
      'Rita GRANT_WITHDRAW',
    ],
  );
  const siem = await people.siem.client.execute(AuditLogDocument, read);
  expect.equal('Acme’s SIEM reads the same', siem.auditLog?.edges.length, entries.length);
  const other = await people.gus.client.execute(AuditLogDocument, read);
  expect.equal('Gus of Globex reads none of it', other.auditLog?.edges.length, 0);
  const refusal = await people.rita.client.execute(AuditLogDocument, read).then(
    () => null,
    (error: unknown) => (error instanceof RequestFailedError ? error.code : error),
  );
  expect.equal('Rita may not read it', refusal, 'FORBIDDEN');
}
