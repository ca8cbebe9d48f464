/** Invariants of eligibility for any set of roles, for any product on any site. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eligibility, type Person, type ProductOnSite } from '../../src/roles/eligibility.ts';
import type { Role } from '../../src/roles/role.ts';
import { assignment, type Holding, place } from '../support/builders.ts';
import { deepFreeze } from '../support/deep-freeze.ts';
import { bySize } from '../support/size.ts';
import { type Held, obstacleOrder, obstaclesByTable, roleTable } from '../support/who-may-grant.ts';

const waysToHold = (Object.keys(roleTable) as Role[]).flatMap((role) =>
  (Object.keys(roleTable[role].CENTRALIZED) as Holding[]).map((holding) => ({ role, holding })),
);

const anyHeld: fc.Arbitrary<Held> = fc
  .tuple(
    fc.constantFrom(...waysToHold),
    fc.constantFrom('SYNCED' as const, 'PENDING_SYNC' as const),
    fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
  )
  .map(([way, syncState, inThisOrganization]) => ({ ...way, syncState, inThisOrganization }));

const anyPlace: fc.Arbitrary<ProductOnSite> = fc
  .tuple(
    fc.constantFrom('CENTRALIZED' as const, 'ORIGINAL' as const),
    fc.constantFrom('ACTIVE' as const, 'ACTIVE' as const, 'DEACTIVATED' as const),
    fc.constantFrom(true, true, false),
  )
  .map(([experience, status, licensed]) => place({ experience, status }, { licensed }));

const anyHoldings = fc.array(anyHeld, { maxLength: 6 });
const mostlyMember = fc.constantFrom(true, true, true, false);

const person = (held: readonly Held[], isMember = true): Person => ({
  isMember,
  assignments: held.map(({ role, holding, syncState, inThisOrganization }) =>
    assignment(role, holding, {
      syncState,
      organizationId: inThisOrganization ? 'organization' : 'other-organization',
    }),
  ),
});

const runs = { numRuns: bySize(1_000, 5_000) };

test('any set of roles allows exactly what the table says', () => {
  fc.assert(
    fc.property(anyHoldings, mostlyMember, anyPlace, (held, isMember, where) => {
      const obstacles = obstaclesByTable(held, isMember, where);
      expect(eligibility(person(held, isMember), where)).toStrictEqual(
        obstacles.length === 0 ? { allowed: true } : { allowed: false, obstacles },
      );
    }),
    runs,
  );
});

test('a refusal names at least one obstacle, each once and in order', () => {
  fc.assert(
    fc.property(anyHoldings, mostlyMember, anyPlace, (held, isMember, where) => {
      const answer = eligibility(person(held, isMember), where);
      if (answer.allowed) return;
      expect(answer.obstacles).not.toHaveLength(0);
      expect(answer.obstacles).toEqual(obstacleOrder.filter((code) => answer.obstacles.includes(code)));
    }),
    runs,
  );
});

test('an additional role never takes the right away', () => {
  fc.assert(
    fc.property(anyHoldings, anyHeld, fc.nat(6), anyPlace, (held, another, position, where) => {
      fc.pre(eligibility(person(held), where).allowed);
      const more = held.toSpliced(position, 0, another);
      expect(eligibility(person(more), where)).toStrictEqual({ allowed: true });
    }),
    runs,
  );
});

test('several roles allow granting if and only if one of them does alone', () => {
  fc.assert(
    fc.property(anyHoldings, anyPlace, (held, where) => {
      const oneDoes = held.some((one) => eligibility(person([one]), where).allowed);
      expect(eligibility(person(held), where).allowed).toBe(oneDoes);
    }),
    runs,
  );
});

test('the order of the roles makes no difference', () => {
  fc.assert(
    fc.property(anyHoldings, mostlyMember, anyPlace, (held, isMember, where) => {
      expect(eligibility(person(held.toReversed(), isMember), where)).toStrictEqual(
        eligibility(person(held, isMember), where),
      );
    }),
    runs,
  );
});

test('a role in another organization changes nothing', () => {
  fc.assert(
    fc.property(anyHoldings, mostlyMember, anyPlace, (held, isMember, where) => {
      const here = held.filter(({ inThisOrganization }) => inThisOrganization);
      expect(eligibility(person(held, isMember), where)).toStrictEqual(
        eligibility(person(here, isMember), where),
      );
    }),
    runs,
  );
});

test('syncing a role never takes the right away, and clears ROLE_NOT_SYNCED', () => {
  fc.assert(
    fc.property(anyHoldings, anyPlace, (held, where) => {
      const synced = held.map((one) => ({ ...one, syncState: 'SYNCED' as const }));
      const [before, after] = [eligibility(person(held), where), eligibility(person(synced), where)];
      if (before.allowed) expect(after.allowed).toBe(true);
      if (!after.allowed) expect(after.obstacles).not.toContain('ROLE_NOT_SYNCED');
    }),
    runs,
  );
});

test('nobody may grant on a deactivated site, for an unlicensed product, or from outside', () => {
  fc.assert(
    fc.property(anyHoldings, fc.boolean(), anyPlace, (held, isMember, where) => {
      fc.pre(!isMember || where.site.status === 'DEACTIVATED' || !where.product.licensed);
      expect(eligibility(person(held, isMember), where).allowed).toBe(false);
    }),
    runs,
  );
});

test('the function does not modify its arguments', () => {
  fc.assert(
    fc.property(anyHoldings, mostlyMember, anyPlace, (held, isMember, where) => {
      const asking = { person: person(held, isMember), where };
      const untouched = structuredClone(asking);
      eligibility(deepFreeze(asking.person), deepFreeze(asking.where));
      expect(asking).toStrictEqual(untouched);
    }),
  );
});
