/** Records as events of OCSF 1.8.0: each is what the schema of its class demands. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type AuditAction, auditActions } from '../../src/audit/actions.ts';
import { mappings } from '../../src/audit/ocsf/actions.ts';
import { ocsfEventOf } from '../../src/audit/ocsf/event.ts';
import { classes, everyClass, objects } from '../../src/audit/ocsf/schema.ts';
import type { AuditRecord } from '../../src/audit/record.ts';
import { encodeGlobalId } from '../../src/platform/global-id.ts';

type Value = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Value =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown) => typeof value === 'string';
const isInteger = (value: unknown) => Number.isSafeInteger(value);

const scalars: Readonly<Record<string, (value: unknown) => boolean>> = {
  ...{ string: isText, username: isText, resource_uid: isText, hostname: isText, url: isText },
  ...{ integer: isInteger, long: isInteger, timestamp: isInteger, port: isInteger },
  ...{ boolean: (value) => typeof value === 'boolean', json: () => true, object: isObject },
  ip: (value) => isText(value) && isIP(String(value)) !== 0,
  email: (value) => /^[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$/.test(String(value)),
};

/** What is wrong with a value of attributes, each written as in schema.ts. */
function problems(value: Value, attributes: Readonly<Record<string, string>>, path: string): string[] {
  const missing = Object.entries(attributes).flatMap(([name, rule]) =>
    rule.split(' ')[1] === 'required' && value[name] === undefined ? [`${path}.${name} is missing`] : [],
  );
  const wrong = Object.entries(value).flatMap(([name, given]) => {
    const rule = attributes[name];
    const at = `${path}.${name}`;
    if (rule === undefined) return [`${at} is not in the schema`];
    const [type = '', , ...allowed] = rule.split(' ');
    if (allowed.length > 0 && !allowed.includes(String(given))) return [`${at} is ${String(given)}`];
    if (!type.endsWith('[]')) return problemsOfOne(given, type, at);
    return Array.isArray(given)
      ? given.flatMap((one, index) => problemsOfOne(one, type.slice(0, -2), `${at}.${index}`))
      : [`${at} is no list`];
  });
  return [...missing, ...wrong];
}

function problemsOfOne(value: unknown, type: string, path: string): string[] {
  const object = objects[type];
  if (object === undefined) return scalars[type]?.(value) === true ? [] : [`${path} is no ${type}`];
  if (!isObject(value)) return [`${path} is no object`];
  const { atLeastOne, attributes } = object;
  const hasOne = atLeastOne.length === 0 || atLeastOne.some((name) => value[name] !== undefined);
  return [
    ...(hasOne ? [] : [`${path} has none of ${atLeastOne.join()}`]),
    ...problems(value, attributes, path),
  ];
}

function problemsOfEvent(event: Value): string[] {
  const ofClass = Object.values(classes).find(({ uid }) => uid === event['class_uid']);
  if (ofClass === undefined) return ['there is no such class'];
  const { uid, caption, category, attributes } = ofClass;
  const activities: Readonly<Record<number, string>> = { 0: 'Unknown', ...ofClass.activities, 99: 'Other' };
  const activity = Number(event['activity_id']);
  const expected = {
    class_name: caption,
    ...{ category_uid: category.uid, category_name: category.caption },
    ...{ type_uid: uid * 100 + activity, type_name: `${caption}: ${activities[activity]}` },
    ...(activity === 99 ? {} : { activity_name: activities[activity] }),
  };
  return [
    ...problems(event, { ...everyClass, ...attributes }, 'event'),
    ...(activities[activity] === undefined ? [`there is no activity ${activity}`] : []),
    ...Object.entries(expected).flatMap(([name, value]) =>
      event[name] === value ? [] : [`${name} is ${String(event[name])}, and not ${String(value)}`],
    ),
  ];
}

const id = (type: string) => encodeGlobalId(type, '00000000-0000-7000-8000-000000000001');

const actors: readonly AuditRecord['actor'][] = [
  { kind: 'USER', id: id('User'), email: 'rita@acme.example', name: 'Rita' },
  { kind: 'SUPPORT_ENGINEER', id: id('SupportEngineer'), email: 'erin@vendor.example', name: 'Erin' },
  { kind: 'OPERATOR', id: id('Operator'), email: 'ops@vendor.example', name: 'Ops' },
  { kind: 'COMPLIANCE_ANALYST', id: id('ComplianceAnalyst'), email: 'cora@vendor.example', name: 'Cora' },
  { kind: 'SERVICE_ACCOUNT', id: id('ServiceAccount'), email: 'bücher@desk.example', name: 'Desk' },
  { kind: 'SYSTEM', name: 'Latchkey' },
];

const places: readonly Partial<AuditRecord>[] = [
  {},
  {
    organizationId: id('Organization'),
    ...{ siteId: id('Site'), siteUrl: 'https://acme.example', productKey: 'jira' },
    ...{ ticketId: id('Ticket'), ticketKey: 'SUP-1', grantId: id('Grant') },
    ...{ supportSessionId: id('SupportSession'), traceId: '4bf92f3577b34da6a3ce929d0e0e4736' },
    ...{ clientAddress: '2001:db8::1', userAgent: 'Portal/2.1', requestId: 'req-1' },
  },
];

const typesOfResources: Readonly<Record<string, string>> = {
  ...{ account: 'User', grant: 'Grant', ticket: 'Ticket', site: 'Site', product: 'Product' },
  ...{ organization: 'Organization', role: 'RoleAssignment', support_session: 'SupportSession' },
};

function resourceOf(action: AuditAction): AuditRecord['resource'] {
  const [on = ''] = action.split('.');
  const type = typesOfResources[on] ?? on;
  return { type, id: /^[a-z]/.test(type) ? 'ACME-17' : id(type) };
}

/** What matters of the details of an action that succeeded. */
function detailsOf(action: AuditAction): AuditRecord['details'] {
  const on = mappings[action].class;
  if (on === 'USER_ACCESS') return { userId: id('User'), email: 'rita@acme.example', role: 'SITE_ADMIN' };
  if (on === 'API_ACTIVITY') return { askedBy: 'jira@vendor.example', askedById: id('ServiceAccount') };
  return on === 'ACCOUNT_CHANGE' ? { email: 'rita@acme.example', name: 'Rita' } : { reason: 'It is urgent' };
}

describe.for(auditActions)('%s', (action) => {
  const base = { id: id('AuditEntry'), position: 7, occurredAt: '2026-01-02T03:04:05.678Z', action };
  const succeeded = { outcome: 'SUCCEEDED', count: 1, details: detailsOf(action) } as const;
  const refused = { outcome: 'REFUSED', refusalCode: 'FORBIDDEN', count: 1, details: {} } as const;
  const since = '2026-01-02T03:04:00.000Z';
  const repeated = { ...refused, count: 5, details: { since, until: base.occurredAt } };

  test('is a valid event, whatever came of it, whoever acted and wherever', () => {
    for (const actor of actors)
      for (const place of places)
        for (const outcome of [succeeded, refused, repeated]) {
          const event = ocsfEventOf({ ...base, actor, resource: resourceOf(action), ...place, ...outcome });
          expect(problemsOfEvent(event), JSON.stringify(event)).toEqual([]);
          expect(JSON.parse(JSON.stringify(event))).toEqual(event);
          expect(event).toMatchObject({
            time: Date.parse(base.occurredAt),
            metadata: { uid: base.id, sequence: 7, event_code: action, version: '1.8.0' },
            ...(outcome === succeeded ? { status_id: 1 } : { status_id: 2, status_code: 'FORBIDDEN' }),
            unmapped: { details: outcome.details, actorKind: actor.kind },
          });
        }
  });
});

const example: AuditRecord = {
  ...{ id: id('AuditEntry'), position: 7, occurredAt: '2026-01-02T03:04:05.678Z' },
  ...{ action: 'grant.approve', outcome: 'SUCCEEDED', count: 1 },
  actor: actors[0] ?? { kind: 'USER', name: '' },
  resource: { type: 'Grant', id: id('Grant') },
  ticketKey: 'SUP-1',
  details: { to: 'ACTIVE' },
};

test.for<[Partial<AuditRecord>, Value]>([
  [{}, { class_uid: 3004, type_uid: 300410, entity: { uid: id('Grant'), name: 'SUP-1', type: 'Grant' } }],
  [{ action: 'support_session.end' }, { class_uid: 3004, activity_name: 'Deactivate' }],
  [
    { action: 'work_item.read', resource: { type: 'work_item', id: 'ACME-17' }, productKey: 'jira' },
    { class_uid: 6003, type_uid: 600302, api: { operation: 'work_item.read', service: { name: 'jira' } } },
  ],
  [
    { action: 'role.remove', details: { userId: id('User'), role: 'SITE_ADMIN' }, siteId: id('Site') },
    { class_uid: 3005, type_uid: 300502, privileges: ['SITE_ADMIN'], resources: [{ uid: id('Site') }] },
  ],
  [
    { action: 'role.remove', outcome: 'REFUSED', details: {} },
    { class_uid: 3004, type_uid: 300499 },
  ],
  [{ action: 'account.deactivate' }, { class_uid: 3001, type_uid: 300105 }],
  [{ action: 'newer.action' }, { class_uid: 3004, type_uid: 300499 }],
])('%j is %j', ([changes, expected]) => {
  const event = ocsfEventOf({ ...example, ...changes });
  expect(event).toMatchObject(expected);
  expect(problemsOfEvent(event)).toEqual([]);
});

test('docs/audit.md has the class and the activity of every action', () => {
  const document = readFileSync(new URL('../../docs/audit.md', import.meta.url), 'utf8');
  const rows = [...document.matchAll(/^\| .* \((\d{4})\) \| (.*) \((\d+)\) \| (.*) \|$/gm)];
  const documented = rows.flatMap(([, uid, name, activity, actions = '']) =>
    actions.split(' ').map((action) => [action.slice(1, -1), [Number(uid), name, Number(activity)]]),
  );
  const mapped = Object.entries(mappings).map(([action, { class: ofClass, activity }]) => {
    const { uid, activities } = classes[ofClass];
    const names: Readonly<Record<number, string>> = activities;
    return [action, typeof activity === 'number' ? [uid, names[activity], activity] : [uid, activity, 99]];
  });
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(mapped));
});

test('the check finds what is missing, unknown or of another type', () => {
  const event = ocsfEventOf(example);
  const { time: _, ...without } = event;
  expect(problemsOfEvent(without)).toEqual(['event.time is missing']);
  expect(problemsOfEvent({ ...event, invented: 1 })).toEqual(['event.invented is not in the schema']);
  expect(problemsOfEvent({ ...event, time: 'now' })).toEqual(['event.time is no timestamp']);
  expect(problemsOfEvent({ ...event, severity_id: 7 })).toEqual(['event.severity_id is 7']);
  expect(problemsOfEvent({ ...event, entity: { type_id: 4 } })).toEqual([
    expect.stringMatching(/^event.entity has none of name,uid/),
  ]);
  expect(problemsOfEvent({ ...event, activity_name: 'Create' })).toHaveLength(1);
});
