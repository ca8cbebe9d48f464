import { expect, test } from 'vitest';
import { startGateway } from '../support/gateway.ts';
import { done } from '../support/world.ts';

test("somebody's first requests, all at once, are all theirs", async () => {
  await using gateway = await startGateway();
  const operator = await gateway.as('operator@vendor.example');
  for (let round = 0; round < 5; round += 1) {
    const email = `newcomer-${round}@vendor.example`;
    await done(operator, 'addSupportEngineer', { email, name: 'Newcomer' });
    const newcomer = await gateway.as(email);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => newcomer.send('{ viewer { account { email } } }')),
    );
    expect(answers.map(({ data }) => data?.viewer?.account?.email)).toEqual(Array(10).fill(email));
  }
});
