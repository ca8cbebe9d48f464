type Grant = { id: string; state: string; version: number };

/** The open grants, kept from the events of a subscription with the current state. */
export function keepOpenGrants() {
  const grants = new Map<string, Grant>();
  const seen = new Set<string>();
  return {
    apply({ type, grant }: { type: string; grant?: Grant | null | undefined }): void {
      if (type === 'STARTED') seen.clear();
      if (type === 'CURRENT_COMPLETE') {
        for (const id of grants.keys()) if (!seen.has(id)) grants.delete(id);
      }
      if (grant == null) return;
      seen.add(grant.id);
      // A resumption may repeat events. Only the current state may go back to an older version: after a restore.
      const known = grants.get(grant.id)?.version ?? 0;
      if (type === 'CURRENT' || grant.version > known) grants.set(grant.id, grant);
    },
    open: (): Grant[] =>
      [...grants.values()].filter(({ state }) => state === 'ACTIVE' || state.startsWith('PENDING_')),
  };
}
