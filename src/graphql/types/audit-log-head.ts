import { logName } from '../../audit/log-name.ts';
import type { Head } from '../../audit/sealed-log.ts';
import { may } from '../../authorization/operations.ts';
import { relationsToLog } from '../../authorization/viewer-relations.ts';
import { keysOfLog } from '../../transparency/log-keys.ts';
import { consistencyRanges } from '../../transparency/merkle-tree.ts';
import { verifierKey } from '../../transparency/signed-note.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';
import { badUserInput } from '../errors.ts';
import { recordProof } from '../record-reading.ts';

/** A head, and whose log it is. */
export type HeadOfLog = Head & { readonly log: string };

/**
 * The head of a log, for a viewer who may have its records, and so what proves them; null for everybody else. It is on record that
 * they have read it.
 *
 * @param of what is read by it
 */
export async function headFor(
  context: Context,
  log: string,
  of: 'HEAD' | 'ENTRY' | 'GRANT',
): Promise<HeadOfLog | null> {
  if (!may('proveAuditLog', relationsToLog(viewerOf(context), log))) return null;
  const head = await context.loaders.auditLogHeads.load(log);
  if (head === null) return null;
  await recordProof(context, log, of);
  return { ...head, log };
}

export const AuditLogHead = builder.objectRef<HeadOfLog>('AuditLogHead').implement({
  description:
    'The signed head of an audit log: how many entries are sealed, and the root of the Merkle tree over their records. Keep it elsewhere: it shows later whether anything up to here was changed.',
  fields: (t) => ({
    checkpoint: t.exposeString('note', {
      viewerIndependent: true,
      description: 'The head as a signed text, by C2SP tlog-checkpoint.',
    }),
    size: t.expose('size', {
      type: 'SafeInt',
      viewerIndependent: true,
      description: 'How many entries are sealed: those with the positions up to this one.',
    }),
    rootHash: t.string({
      viewerIndependent: true,
      description: 'The root of the tree: SHA-256, in base64.',
      resolve: ({ root }) => root.toString('base64'),
    }),
    signedAt: t.expose('signedAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'When it was signed.',
    }),
    verifierKeys: t.stringList({
      viewerIndependent: true,
      description:
        'The public keys with which heads of this log are verified, by C2SP signed-note: those that sign now, and those that have signed earlier heads. Note them once, by a way that you trust: a key that comes with what it is to verify proves nothing.',
      resolve: ({ log }, _, { services: { logKeys } }) =>
        logKeys === null ? [] : keysOfLog(logKeys, logName(log)).verifiers.map(verifierKey),
    }),
    consistencyProof: t.stringList({
      viewerIndependent: true,
      description:
        'The hashes that prove that the log of an earlier head is the beginning of this one, by RFC 9162, section 2.1.4: in base64.',
      args: {
        from: t.arg({
          type: 'SafeInt',
          required: true,
          description: 'The `size` of the earlier head: at least 1, and at most that of this one.',
        }),
      },
      resolve: async ({ log, size }, { from }, context) => {
        if (from < 1 || from > size) throw badUserInput(`from must be a size from 1 to ${size}.`);
        const ranges = consistencyRanges(from, size);
        const hashes = await context.loaders.auditProofs.load({ log, ranges });
        await recordProof(context, log, 'CONSISTENCY');
        return hashes.map((hash) => hash.toString('base64'));
      },
    }),
  }),
});
