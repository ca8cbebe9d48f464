import type { Command } from '../commands/command.ts';
import { type Dependencies, execute } from '../commands/execute.ts';
import type { PersonaEmail } from './personas.ts';

/** What the functions that load the sample data share: the ids so far, and a way to run commands as people. */
export type LoadingContext = {
  readonly dependencies: Dependencies;
  /** The ids of accounts by email, of sites by URL, of products by URL and key: `https://acme.example/jira`. */
  readonly ids: Map<string, string>;
  id(of: string): string;
  as<Input, Facts, Row extends object>(
    email: PersonaEmail,
    command: Command<Input, Facts, Row>,
    input: Input,
  ): Promise<Row>;
};

export function createLoadingContext(dependencies: Dependencies, operatorId: string): LoadingContext {
  const ids = new Map([['operator@vendor.example', operatorId]]);
  let steps = 0;
  const id = (of: string): string => {
    const known = ids.get(of);
    if (known === undefined) throw new Error(`The sample data has no ${of} yet`);
    return known;
  };
  return {
    dependencies,
    ids,
    id,
    // The steps are always the same, so their idempotency keys let an interrupted load continue.
    as: (email, command, input) => {
      steps += 1;
      return execute(dependencies, command, input, {
        accountId: id(email),
        idempotencyKey: `sample-data/${steps}`,
      });
    },
  };
}
