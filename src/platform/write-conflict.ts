import { isForeignKeyViolation, isUniqueViolation, isWriteConflict } from './database-errors.ts';

/** Thrown if a row's version shows that another transaction has changed the row since it was read. */
export class WriteConflictError extends Error {
  constructor() {
    super('The row was changed by another transaction since it was read.');
    this.name = 'WriteConflictError';
  }
}

const attempts = 3;

/**
 * Runs the work and retries it on a write conflict: at most three attempts, then it rejects with the last error. The
 * work must be a whole transaction. Locks make conflicts rare but not impossible. A unique or a foreign key is violated
 * if another transaction has added the row, or removed what it refers to, since the facts were read.
 */
export async function retryOnWriteConflict<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const isConflict =
        error instanceof WriteConflictError ||
        isWriteConflict(error) ||
        isUniqueViolation(error) ||
        isForeignKeyViolation(error);
      if (!isConflict || attempt === attempts) throw error;
    }
  }
}
