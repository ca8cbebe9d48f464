/** What is proposed: the input of the mutation that waits, in the form in which it is kept. */
import { z } from 'zod';
import { longestRetention, shortestRetention } from '../audit/retention.ts';
import { isCountryCode } from '../platform/country-codes.ts';
import { isId } from '../platform/ids.ts';
import { type Role, roleRules } from '../roles/role.ts';

const id = z.string().refine(isId, 'must be an id.');
const seconds = z.int().min(1);
const roles = Object.keys(roleRules) as [Role, ...Role[]];

/** The input of each kind of change. It is checked again when it is read to be carried out. */
export const changeInputs = {
  SET_SUPPORT_ACCESS_RESTRICTIONS: z.strictObject({ siteId: id, restricted: z.boolean() }),
  SET_SUPPORT_ACCESS_POLICY: z.strictObject({
    siteId: id,
    requestWaitSeconds: seconds,
    maxGrantSeconds: seconds.nullable(),
    samePersonMayApproveTwice: z.boolean(),
    relayedConsentCounts: z.boolean(),
    // Absent in a change that was proposed before they were in the policy: as they are.
    dataResidencyPinned: z.boolean().optional(),
    engineerCountries: z.array(z.string().refine(isCountryCode, 'must be a country.')).max(250).optional(),
    sessionIdleSeconds: seconds.optional(),
    maxSessionSeconds: seconds.optional(),
  }),
  ASSIGN_ROLE: z.strictObject({
    accountId: id,
    role: z.enum(roles),
    organizationId: id,
    siteId: id.nullable(),
    productId: id.nullable(),
    origin: z.enum(['DIRECT', 'SCIM']),
  }),
  SYNC_ROLE: z.strictObject({ roleAssignmentId: id }),
  REMOVE_ROLE: z.strictObject({ roleAssignmentId: id }),
  REMOVE_USER: z.strictObject({ organizationId: id, accountId: id }),
  SET_AUDIT_RETENTION: z.strictObject({
    organizationId: id,
    days: z.int().min(shortestRetention).max(longestRetention),
  }),
} as const;

export type ChangeKind = keyof typeof changeInputs;
export type ChangeInput<Kind extends ChangeKind> = z.output<(typeof changeInputs)[Kind]>;

/** Values that a change replaces: their names, and what they are before or after it. */
export type Values = Readonly<Record<string, string | number | boolean | null | string[]>>;

/** What a change does, in data and in words. */
export type Change = {
  [Kind in ChangeKind]: {
    kind: Kind;
    /** Identifies what it changes, with an id in it: at most one change of the same thing waits. */
    about: string;
    organizationId: string;
    /** Null: it is about the whole organization. */
    siteId: string | null;
    input: ChangeInput<Kind>;
    before: Values;
    after: Values;
    /** One sentence, without a full stop. */
    summary: string;
    /** Whose role or membership it changes. */
    subjectId: string | null;
  };
}[ChangeKind];
