/**
 * `npm run database:setup -- --url <url>`: creates the two roles of a database, hands its tables to the owner, migrates
 * them, and gives the runtime role what gateways need. It can be repeated.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { readEnvironment } from './config/environment.ts';
import {
  type CreatedRoles,
  type DatabaseRole,
  type DatabaseRoles,
  defaultRoleNames,
  setUpRoles,
  urlAs,
} from './platform/database-roles.ts';
import { migrateAsOwner } from './platform/migrations.ts';
import { StartupError } from './platform/startup-error.ts';

const usage = `Usage: npm run database:setup -- --url postgresql://postgres:password@host:5432/latchkey

  --url <url>       the database, which must exist, as a superuser of its server
  --owner <name>    the role that owns the tables and migrates them: ${defaultRoleNames.owner}
  --runtime <name>  the role as which gateways run: ${defaultRoleNames.runtime}
  --owner-nologin   a new owner cannot log in: this command migrates instead of the gateways

A new role gets the password in DATABASE_OWNER_PASSWORD or DATABASE_RUNTIME_PASSWORD, or one that is made and printed. A
role that exists keeps its password, unless its variable is set.`;

const passwordVariables = { owner: 'DATABASE_OWNER_PASSWORD', runtime: 'DATABASE_RUNTIME_PASSWORD' } as const;
type RoleKind = keyof typeof passwordVariables;

/** Sets the database up, and returns what to print. */
async function setUp(): Promise<string[]> {
  const { url, owner, runtime, ownerLogsIn } = readArguments();
  const roles: DatabaseRoles = {
    owner: ownerLogsIn ? roleNamed(owner, 'owner') : { name: owner, login: null },
    runtime: roleNamed(runtime, 'runtime'),
  };
  const created = await setUpRoles(url, roles, '--url');
  const applied = await migrateAsOwner({ url, role: owner, variable: '--url' }, runtime);
  return [
    ...(['owner', 'runtime'] as const).map(
      (kind) => `${created[kind] ? 'Created' : 'Found'} the role ${roles[kind].name}: ${purposes[kind]}.`,
    ),
    `Applied ${applied.length} migrations.`,
    'Set for each gateway:',
    `DATABASE_URL=${printedUrl(url, roles, created, 'runtime')}`,
    ...(ownerLogsIn ? [`DATABASE_OWNER_URL=${printedUrl(url, roles, created, 'owner')}`] : []),
  ];
}

const purposes = {
  owner: 'it owns the tables and migrates them',
  runtime: 'gateways run as it, and it only reads and writes rows',
} as const satisfies Record<RoleKind, string>;

/** With the password only if it was made here: the others are known. */
function printedUrl(url: string, roles: DatabaseRoles, created: CreatedRoles, kind: RoleKind): string {
  const { name, login } = roles[kind];
  const isMade = created[kind] && login?.onlyIfNew === true;
  return urlAs(url, { name, password: isMade ? login.password : passwordVariables[kind] });
}

function readArguments(): { url: string; owner: string; runtime: string; ownerLogsIn: boolean } {
  const { url = '', owner, runtime, 'owner-nologin': noLogin } = parse();
  if (!/^postgres(ql)?:$/.test(URL.parse(url)?.protocol ?? '')) throw new StartupError(usage);
  if (owner === runtime) throw new StartupError('--owner and --runtime must name two roles.');
  return { url, owner, runtime, ownerLogsIn: !noLogin };
}

function parse() {
  try {
    return parseArgs({
      options: {
        url: { type: 'string' },
        owner: { type: 'string', default: defaultRoleNames.owner },
        runtime: { type: 'string', default: defaultRoleNames.runtime },
        'owner-nologin': { type: 'boolean', default: false },
      },
    }).values;
  } catch {
    throw new StartupError(usage);
  }
}

function roleNamed(name: string, kind: RoleKind): DatabaseRole {
  const variable = passwordVariables[kind];
  const given = readEnvironment()[variable] ?? '';
  if (!/^[\x21-\x7e]*$/.test(given)) {
    throw new StartupError(`${variable} must be ASCII without spaces: \`openssl rand -hex 24\` makes one.`);
  }
  return given === ''
    ? { name, login: { password: randomBytes(24).toString('hex'), onlyIfNew: true } }
    : { name, login: { password: given, onlyIfNew: false } };
}

try {
  for (const line of await setUp()) process.stdout.write(`${line}\n`);
} catch (error) {
  if (!(error instanceof StartupError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
