import { isUniqueViolation, isWriteConflict } from './database-errors.ts';

/** Thrown when a row was changed by another transaction since it was read, found by comparing its version. */
export class WriteConflictError extends Error {
  constructor() {
    super('The row was changed by another transaction since it was read.');
    this.name = 'WriteConflictError';
  }
}

const attempts = 3;

/**
 * Runs the work, and runs it again when another transaction was faster: three times at most, then the error is
 * the caller's. The work must be a whole transaction. Locks make conflicts rare; nothing makes them impossible.
 */
export async function retryOnWriteConflict<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const isConflict =
        error instanceof WriteConflictError || isWriteConflict(error) || isUniqueViolation(error);
      if (!isConflict || attempt === attempts) throw error;
    }
  }
}
