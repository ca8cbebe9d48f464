/** What one account does to the others: each attack sends its next operation as soon as one is answered. */

export type Attacker = 'engineer' | 'stranger' | 'nobody';

export type Attack = {
  title: string;
  by: Attacker;
  over: 'WEBSOCKET' | 'HTTP';
  /** Sockets, or connections. */
  lines: number;
  /** Operations that each of them keeps in flight. */
  inFlight: number;
  /** @param target the grant that is revoked next; `others`: some that are not */
  operation(target: string, others: readonly string[], number: number): Operation;
};

export type Operation = { query: string; variables?: Record<string, unknown> };

const many = (count: number, of: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => of(index)).join(' ');

const approve = (aliases: number) => (target: string) => ({
  query: `mutation ($input: ApproveDataAccessInput!) { ${many(aliases, (at) => `a${at}: approveDataAccess(input: $input) { __typename }`)} }`,
  variables: { input: { grantId: target } },
});

export const attacks: Record<string, Attack> = {
  withdrawals: {
    title: 'refused withdrawals on the very grant',
    ...{ by: 'engineer', over: 'WEBSOCKET', lines: 12, inFlight: 90 },
    operation: (grantId) => ({
      query:
        'mutation ($input: WithdrawDataAccessRequestInput!) { withdrawDataAccessRequest(input: $input) { __typename } }',
      variables: { input: { grantId } },
    }),
  },
  revocations: {
    title: 'refused revocations of the very grant',
    ...{ by: 'stranger', over: 'WEBSOCKET', lines: 12, inFlight: 90 },
    operation: (grantId) => ({
      query: 'mutation ($input: RevokeDataAccessInput!) { revokeDataAccess(input: $input) { __typename } }',
      variables: { input: { grantId } },
    }),
  },
  aliases: {
    title: '20 documents of 50 mutations, which is too many',
    ...{ by: 'stranger', over: 'HTTP', lines: 20, inFlight: 1 },
    operation: approve(50),
  },
  mutations: {
    title: '20 documents of 10 mutations',
    ...{ by: 'stranger', over: 'HTTP', lines: 20, inFlight: 1 },
    operation: approve(10),
  },
  sockets: {
    title: '48 sockets with 95 operations each',
    ...{ by: 'stranger', over: 'WEBSOCKET', lines: 48, inFlight: 95 },
    operation: () => ({ query: '{ viewer { kind } sites(first: 5) { edges { node { id name } } } }' }),
  },
  subscriptions: {
    title: '1,900 subscriptions',
    ...{ by: 'stranger', over: 'WEBSOCKET', lines: 20, inFlight: 95 },
    operation: () => ({ query: 'subscription { grantEvents { id type } }' }),
  },
  queries: {
    title: 'the costliest queries that are allowed',
    ...{ by: 'engineer', over: 'HTTP', lines: 16, inFlight: 1 },
    operation: () => ({
      query:
        '{ tickets(first: 100) { edges { node { id key summary site { name } grants(first: 90) { edges { node { id state } } } } } } }',
    }),
  },
  bulks: {
    title: 'three bulks of 200',
    ...{ by: 'stranger', over: 'HTTP', lines: 3, inFlight: 1 },
    operation: (target, others) => ({
      query:
        'mutation ($input: ApproveDataAccessInBulkInput!) { approveDataAccessInBulk(input: $input) { __typename } }',
      variables: { input: { grantIds: [target, ...others.slice(0, 199)] } },
    }),
  },
  anonymous: {
    title: 'documents of 7 KB without a token',
    ...{ by: 'nobody', over: 'HTTP', lines: 64, inFlight: 1 },
    operation: (_target, _others, number) => ({
      query: `{ ${many(300, (at) => `f${number}x${at}: __typename`)} }`,
    }),
  },
};
