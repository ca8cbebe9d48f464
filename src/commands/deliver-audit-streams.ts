/** What follows from failed deliveries of the audit log: a stream is tried again, its admins are told, or it is disabled. */
import { appendAuditEntries } from '../audit/store.ts';
import { createSender, type FailedAttempt, type Sender } from '../audit/streams/deliver.ts';
import type { Post } from '../audit/streams/post.ts';
import { toldAfterAttempts } from '../audit/streams/retry.ts';
import { auditStreamDisabledMail, auditStreamFailingMail } from '../notifications/kinds/audit-stream.ts';
import { queueMails } from '../notifications/queue.ts';
import type { Transaction } from '../platform/database.ts';
import type { Dependencies } from './execute.ts';

/** The sender of a gateway. */
export function createStreamSender(
  { database, clock, logger, announce, metrics }: Dependencies,
  post: Post,
): Sender {
  async function onFailed({ stream, attempt, next, save }: FailedAttempt): Promise<void> {
    const about = {
      streamId: stream.streamId,
      organizationId: stream.organizationId,
      attempt,
      reason: next.error,
    };
    logger.warn(about, 'A message of the audit log was not delivered');
    if (next.outcome === 'RETRY' && attempt !== toldAfterAttempts) {
      await save(database.prisma);
      return;
    }
    const now = clock();
    await database.transaction(async (tx) => {
      if (!(await save(tx))) return;
      const kind = next.outcome === 'DISABLE' ? auditStreamDisabledMail : auditStreamFailingMail;
      const name = next.outcome === 'DISABLE' ? await disable(tx, stream.streamId, next.reason) : null;
      if (next.outcome === 'DISABLE' && name === null) return;
      await queueMails(tx, [{ kind, aboutId: stream.streamId }], now);
      if (next.outcome === 'DISABLE')
        await appendAuditEntries(tx, [
          {
            ...{
              action: 'audit_stream.disable',
              actor: { kind: 'SYSTEM' },
              refusalCode: null,
              occurredAt: now,
            },
            organizationId: stream.organizationId,
            resource: { type: 'AuditStream', id: stream.streamId },
            details: { name, reason: next.reason, lastError: next.error, attempts: attempt },
          },
        ]);
    });
    announce(null);
    if (next.outcome === 'DISABLE') logger.error(about, 'A stream of the audit log was disabled');
  }

  return createSender({
    ...{ database, clock, logger, post, onFailed },
    onMessage: (outcome, entries) => metrics?.auditStreamed(outcome, entries),
  });
}

/** Returns its name; null if it was not active any more. */
async function disable(tx: Transaction, id: string, disabledReason: string): Promise<string | null> {
  const [disabled] = await tx.auditStream.updateManyAndReturn({
    where: { id, state: 'ACTIVE' },
    data: { state: 'DISABLED', disabledReason, version: { increment: 1 } },
    select: { name: true },
  });
  return disabled?.name ?? null;
}
