import type { PreparedTab } from '../http/graphiql.ts';

export const personas: readonly { email: string; title: string }[] = [];
export const preparedTabs: readonly PreparedTab[] = [];
