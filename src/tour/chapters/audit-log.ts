import { AuditLogDocument } from '../../../schema/generated/operations.ts';
import { RequestFailedError } from '../../client/errors.ts';
import type { Stage } from '../stage.ts';

/** Reads the audit log of the first chapter's ticket. */
export async function auditLog(stage: Stage, ticketId: string): Promise<void> {
  const { people, timeline, expect } = stage;
  timeline.chapter('The audit log');
  const read = { filter: { ticketId }, first: 100 };
  const { auditLog: log } = await people.olivia.client.execute(AuditLogDocument, read);
  const entries = log.edges.map(({ node }) => node).reverse();
  timeline.line('Olivia', 'reads the audit log of the first ticket');
  for (const { occurredAt, actor, action, outcome, refusalCode } of entries) {
    const how = outcome === 'REFUSED' ? `REFUSED ${refusalCode}` : '';
    timeline.detail(
      `${occurredAt.slice(11, 23)}  ${actor.name.padEnd(18)}${action.padEnd(18)}${how}`.trimEnd(),
    );
  }
  expect.equal(
    'every decision and every refusal, in order',
    entries
      .filter(({ action }) => ['grant.approve', 'grant.revoke', 'grant.withdraw'].includes(action))
      .map(
        ({ actor, action, refusalCode }) => `${actor.name} ${action}${refusalCode ? ` ${refusalCode}` : ''}`,
      ),
    [
      'Carla grant.approve NOT_ELIGIBLE',
      'Penny grant.approve NOT_ELIGIBLE',
      'Jack grant.approve',
      'Rita grant.revoke',
      'Jack grant.approve TICKET_CLOSED',
      'Rita grant.withdraw',
    ],
  );
  const siem = await people.siem.client.execute(AuditLogDocument, read);
  expect.equal('Acme’s SIEM reads the same', siem.auditLog.edges.length, entries.length);
  const other = await people.gus.client.execute(AuditLogDocument, read);
  expect.equal('Gus of Globex reads none of it', other.auditLog.edges.length, 0);
  const refusal = await people.rita.client.execute(AuditLogDocument, read).then(
    () => null,
    (error: unknown) => (error instanceof RequestFailedError ? error.code : error),
  );
  expect.equal('Rita may not read it', refusal, 'FORBIDDEN');
}
