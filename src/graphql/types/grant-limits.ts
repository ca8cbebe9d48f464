import {
  type Allowance,
  type AllowanceCode,
  allowancesOf,
  type Limit,
  type LimitCode,
  limitsOf,
} from '../../access/catalogue.ts';
import { builder } from '../builder.ts';
import { enumValues } from '../enum-values.ts';

const scopes = ['PRODUCT_DATA', 'ROVO_CONVERSATIONS'] as const;

/** The sentence of each code, which does not depend on the scope. */
function sentences<Code extends string>(listed: readonly { code: Code; sentence: string }[]) {
  return Object.fromEntries(listed.map(({ code, sentence }) => [code, sentence])) as Record<Code, string>;
}

const AllowanceCodeEnum = builder.enumType('GrantAllowanceCode', {
  description: 'What an active grant allows its engineer.',
  values: enumValues<AllowanceCode>(sentences(scopes.flatMap((scope) => allowancesOf(scope)))),
});

const LimitCodeEnum = builder.enumType('GrantLimitCode', {
  description: 'What a grant never allows.',
  values: enumValues<LimitCode>(sentences(scopes.flatMap((scope) => limitsOf(scope)))),
});

export const GrantAllowance = builder.objectRef<Allowance>('GrantAllowance').implement({
  description: 'Something that a grant allows its engineer as long as it is active.',
  fields: (t) => ({
    code: t.expose('code', {
      type: AllowanceCodeEnum,
      viewerIndependent: true,
      description: 'What, for programs.',
    }),
    sentence: t.exposeString('sentence', { viewerIndependent: true, description: 'What, for people.' }),
    actions: t.stringList({
      viewerIndependent: true,
      description:
        "The support actions of it: the `action.name` by which a product's backend asks about them, and the action on the audit log.",
      resolve: ({ actions }) => [...actions],
    }),
  }),
});

export const GrantLimit = builder.objectRef<Limit>('GrantLimit').implement({
  description: 'Something that a grant never allows.',
  fields: (t) => ({
    code: t.expose('code', {
      type: LimitCodeEnum,
      viewerIndependent: true,
      description: 'What, for programs.',
    }),
    sentence: t.exposeString('sentence', { viewerIndependent: true, description: 'What, for people.' }),
  }),
});
