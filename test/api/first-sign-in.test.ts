import { expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { done } from '../support/world.ts';

async function entriesOf(gateway: TestGateway, email: string) {
  const { rows } = await gateway.sql.query(
    `SELECT e.actor_kind, e.actor_email, e.resource_type, e.resource_id = a.id::text AS names_itself, e.outcome,
            e.organization_id, e.details = jsonb_build_object('email', a.email, 'issuer', a.subject_issuer, 'subject', a.subject) AS says_what
       FROM audit_entries e JOIN accounts a ON a.id = e.actor_id
      WHERE e.action = 'account.bind_subject' AND a.email = $1`,
    [email],
  );
  return rows;
}

const viewer = '{ viewer { account { email } } }';

test('simultaneous first requests of an account all succeed, and write one audit entry', async () => {
  await using gateway = await startGateway();
  const operator = await gateway.as('operator@vendor.example');
  for (let round = 0; round < 5; round += 1) {
    const email = `newcomer-${round}@vendor.example`;
    await done(operator, 'addSupportEngineer', { email, name: 'Newcomer' });
    const newcomer = await gateway.as(email);
    const answers = await Promise.all(Array.from({ length: 10 }, () => newcomer.send(viewer)));
    expect(answers.map(({ data }) => data?.viewer?.account?.email)).toEqual(Array(10).fill(email));
    await newcomer.ask(viewer);
    expect(await entriesOf(gateway, email)).toEqual([
      {
        ...{ actor_kind: 'SUPPORT_ENGINEER', actor_email: email, resource_type: 'SupportEngineer' },
        ...{ names_itself: true, outcome: 'SUCCEEDED', organization_id: null, says_what: true },
      },
    ]);
  }
});

test('a sign-in that binds nothing writes no entry', async () => {
  await using gateway = await startGateway();
  const operator = await gateway.as('operator@vendor.example');
  const newcomer = async (name: string) => {
    const email = `${name}@vendor.example`;
    await done(operator, 'addSupportEngineer', { email, name });
    return await gateway.as(email);
  };
  const deactivated = await newcomer('deactivated');
  await gateway.sql.query('UPDATE accounts SET active = false WHERE email = $1', [deactivated.email]);
  const renamed = await newcomer('renamed');
  await gateway.sql.query(`UPDATE accounts SET email = 'other@vendor.example' WHERE email = $1`, [
    renamed.email,
  ]);
  const before = await gateway.sql.query('SELECT count(*)::int AS entries FROM audit_entries');
  for (const nobody of [deactivated, renamed]) {
    expect((await nobody.send(viewer)).errors[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
  }
  const after = await gateway.sql.query('SELECT count(*)::int AS entries FROM audit_entries');
  expect(after.rows).toEqual(before.rows);
});

test('the binding and its entry are written together or not at all', async () => {
  await using gateway = await startGateway();
  const operator = await gateway.as('operator@vendor.example');
  const email = 'unlucky@vendor.example';
  await done(operator, 'addSupportEngineer', { email, name: 'Unlucky' });
  const unlucky = await gateway.as(email);
  await gateway.sql.query(`CREATE FUNCTION no_entries() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no entries today'; END $$;
    CREATE TRIGGER no_entries BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION no_entries()`);
  expect((await unlucky.send(viewer)).errors).toHaveLength(1);
  const { rows } = await gateway.sql.query('SELECT subject FROM accounts WHERE email = $1', [email]);
  expect(rows).toEqual([{ subject: null }]);
  await gateway.sql.query('DROP TRIGGER no_entries ON audit_entries');
  expect((await unlucky.ask(viewer)).viewer.account.email).toBe(email);
  expect(await entriesOf(gateway, email)).toHaveLength(1);
});
