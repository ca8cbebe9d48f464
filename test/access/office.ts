/** Engineers at work for the tests of evaluations: a database with two customers, commands, and evaluators on it. */
import pg from 'pg';
import { openEvaluationDatabase } from '../../src/access/connection.ts';
import type { Asker, Evaluation, EvaluationAnswer, EvaluationSemantic } from '../../src/access/evaluation.ts';
import { createEvaluator, type EvaluatorLimits } from '../../src/access/evaluator.ts';
import { approveDataAccess } from '../../src/commands/approve-data-access.ts';
import { assignTicket } from '../../src/commands/change-ticket.ts';
import type { Command } from '../../src/commands/command.ts';
import { createTicket } from '../../src/commands/create-ticket.ts';
import { type Dependencies, execute } from '../../src/commands/execute.ts';
import { anywhere, type VendorSites } from '../../src/organizations/residency.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { type Database, type DatabaseOptions, openDatabase } from '../../src/platform/database.ts';
import { decodeGlobalId, encodeGlobalId } from '../../src/platform/global-id.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines, generousMs } from '../support/deadlines.ts';
import { fastGatewayUrl } from '../support/postgres.ts';
import { rawId } from '../support/rows.ts';
import { createDatabaseWithWorld, type WorldContents } from '../support/world.ts';

/** Deadlines that no load reaches. */
const generous = { waitMs: generousMs } as const;

export type Use = { ticketId: string; key: string; grantId: string; sessionId: string };

type Asked = {
  action?: string;
  subject?: string;
  resource?: { type: string; id: string };
  site?: string;
  product?: string;
  context?: Record<string, unknown>;
};

/** An evaluation of a work item, unless something else is asked. */
export function evaluationOf(asked: Asked, { acme, engineer }: WorldContents): Evaluation {
  return {
    subject: { type: 'support_engineer', id: asked.subject ?? engineer.email },
    action: { name: asked.action ?? 'work_item.read' },
    resource: {
      ...(asked.resource ?? { type: 'work_item', id: 'ACME-1' }),
      properties: { site: asked.site ?? acme.sites.main.url, product: asked.product ?? 'jira' },
    },
    context: asked.context ?? {},
  };
}

export type Office = Awaited<ReturnType<typeof openOffice>>;

export async function openOffice(options: { clock?: Clock; vendor?: VendorSites } = {}) {
  const { clock = (readAt?: Date) => readAt ?? new Date(), vendor = anywhere } = options;
  await using begun = new AsyncDisposableStack();
  const made = begun.adopt(await createDatabaseWithWorld(), (one) => one.dispose());
  const world = made.contents;
  const sql = begun.adopt(new pg.Pool({ connectionString: made.url, max: 4 }), (pool) => pool.end());
  sql.on('error', () => undefined);
  const logger = createLogger('silent');
  const databases = begun.use(new AsyncDisposableStack());
  const settings = { url: fastGatewayUrl(made.url), logger, deadlines: generousDatabaseDeadlines };
  const adopt = (database: Database): Database => databases.adopt(database, (opened) => opened.dispose());
  /** Opens connections of a gateway for evaluations. */
  const connect = (more: Partial<DatabaseOptions> = {}): Database =>
    adopt(openEvaluationDatabase({ ...settings, ...more }));
  const dependencies: Dependencies = {
    ...{ database: adopt(openDatabase(settings)), clock, logger },
    announce: () => undefined,
  };
  const ownConnections = connect();

  const accounts = new Map<string, string>();
  const accountOf = async (email: string): Promise<string> => {
    const known = accounts.get(email);
    if (known !== undefined) return known;
    const { rows } = await sql.query('SELECT id FROM accounts WHERE email = $1', [email]);
    accounts.set(email, rows[0].id);
    return rows[0].id;
  };

  /** Runs a command as the person with this address. */
  async function run<Input, Facts, Row extends object>(
    command: Command<Input, Facts, Row>,
    input: Input,
    email: string = world.acme.emails.organizationAdmin,
  ): Promise<Row> {
    const caller = { accountId: await accountOf(email), idempotencyKey: null };
    return await execute(dependencies, command, input, caller);
  }

  /** A backend of these products; of the vendor, or of one organization. */
  async function addBackend(
    email: string,
    products: string[],
    organizationId: string | null = null,
  ): Promise<Asker> {
    const asker = { id: newId(), issuer: 'office', subject: email };
    await sql.query(
      `INSERT INTO accounts (id, kind, email, name, subject, subject_issuer, capabilities, evaluated_products,
                             organization_id, created_at)
       VALUES ($1, 'SERVICE_ACCOUNT', $2, $2, $3, $4, '{ACCESS_EVALUATION}', $5, $6, now())`,
      [asker.id, email, asker.subject, asker.issuer, products, organizationId],
    );
    return asker;
  }

  const backend = await addBackend('jira@vendor.example', ['jira']);

  /** Files a ticket with access, which nobody works on. */
  async function fileTicket(site: 'main' | 'original' = 'main'): Promise<Omit<Use, 'sessionId'>> {
    const ticket = await run(createTicket, {
      productId: rawId(world.acme.sites[site].products.jira),
      ...{ summary: 'It is slow', grantDataAccess: true, reporterId: null },
    });
    const engineerId = rawId(world.engineer.id);
    await run(assignTicket, { ticketId: ticket.id, engineerId }, 'operator@vendor.example');
    const { rows } = await sql.query('SELECT id FROM grants WHERE ticket_id = $1', [ticket.id]);
    return { ticketId: ticket.id, key: ticket.key, grantId: rows[0].id };
  }

  /** Starts a session under a grant, for its engineer. */
  async function startSession(
    grantId: string,
    { at = clock(), idleSeconds = 1_800, seconds = 28_800 } = {},
  ): Promise<string> {
    const id = newId(at);
    await sql.query(
      `INSERT INTO support_sessions (id, grant_id, ticket_id, site_id, organization_id, engineer_id, reason, note, country,
                                     started_at, last_used_at, idle_seconds, expires_at, due_at, version)
       SELECT $1, g.id, g.ticket_id, g.site_id, s.organization_id, g.engineer_id, 'INVESTIGATE_PROBLEM', 'Looks', 'DE',
              $3::timestamptz, $3::timestamptz, $4::int, $3::timestamptz + make_interval(secs => $5::int),
              $3::timestamptz + make_interval(secs => least($4::int, $5::int)), 1
         FROM grants g JOIN sites s ON s.id = g.site_id WHERE g.id = $2`,
      [id, grantId, at, idleSeconds, seconds],
    );
    return id;
  }

  /** An engineer at work on a ticket of Jira on the site. */
  async function startWork(site: 'main' | 'original' = 'main'): Promise<Use> {
    const filed = await fileTicket(site);
    return { ...filed, sessionId: await startSession(filed.grantId) };
  }

  /** A change of the project ACME to which the customer has consented. Returns its id. */
  async function consentToChange(ticketId: string, { at = clock(), seconds = 3_600 } = {}): Promise<string> {
    const id = newId(at);
    await sql.query(
      `INSERT INTO change_requests (id, ticket_id, site_id, organization_id, kind, resource_type, resource_id, description,
                                    justification, requested_by_id, requested_at, valid_until, state, decided_by_id,
                                    decided_at, version)
       SELECT $1, t.id, t.site_id, s.organization_id, 'PERMISSIONS', 'project', 'ACME', 'Let support in', 'To see it',
              coalesce(t.assignee_id, t.reporter_id), $3::timestamptz, $3::timestamptz + make_interval(secs => $4::int), 'CONSENTED', t.reporter_id,
              $3::timestamptz, 2
         FROM tickets t JOIN sites s ON s.id = t.site_id WHERE t.id = $2`,
      [id, ticketId, at, seconds],
    );
    return id;
  }

  function openDecider(given: { database?: Database; limits?: Partial<EvaluatorLimits> } = {}) {
    const { database = ownConnections, limits = {} } = given;
    return createEvaluator({
      ...{ database, clock, vendor, announce: () => undefined },
      limits: { ...generous, ...limits },
    });
  }

  /** Asks as the backend of Jira. */
  function openEvaluator(given: Parameters<typeof openDecider>[0] = {}) {
    const decide = openDecider(given);
    return async (
      asked: readonly Asked[],
      semantic: EvaluationSemantic = 'execute_all',
      caller: Asker = backend,
    ): Promise<readonly EvaluationAnswer[]> => {
      const items = asked.map((one) => ({ evaluation: evaluationOf(one, world) }));
      const answers = await decide(items, semantic, caller);
      if (answers === null) throw new Error('The account may not ask');
      return answers;
    };
  }

  const running = begun.move();
  return {
    ...{ world, sql, backend, dependencies, clock, url: made.url },
    ...{ run, accountOf, addBackend, connect, openDecider, openEvaluator },
    ...{ fileTicket, startSession, startWork, consentToChange },
    approve: (ticketId: string, expiresAt: Date | null = null) =>
      run(approveDataAccess, {
        ticketId,
        path: 'SUPPORT_PORTAL',
        expiresAt,
        reason: null,
        expectedVersion: null,
      }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** The code of an answer. */
export const codeOf = (answer: EvaluationAnswer | undefined): unknown => answer?.context?.['code'];

/** The id of the entry of an answer. */
export const entryIdOf = ({ context }: EvaluationAnswer): string =>
  decodeGlobalId(String(context?.['evaluation']))?.id ?? '';

/** A change request, as a question names it. */
export const changeContext = (changeId: string) => ({
  change_request: encodeGlobalId('ChangeRequest', changeId),
});
