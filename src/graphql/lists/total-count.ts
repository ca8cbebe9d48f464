import { builder } from '../builder.ts';
import { type Counted, mostCounted, type Total } from './counted.ts';

/** How many items a list has. */
const TotalCount = builder.objectRef<Total>('TotalCount').implement({
  description: 'How many items a list has, counted up to a limit.',
  fields: (t) => ({
    count: t.exposeInt('count', {
      viewerIndependent: false,
      description: `How many there are, or, where \`isExact\` is false, at least. At most ${mostCounted}.`,
    }),
    isExact: t.exposeBoolean('isExact', {
      viewerIndependent: false,
      description: 'Whether there are exactly so many. False: there are so many, and there may be more.',
    }),
  }),
});

/** The field of a connection with the total of its list. */
export const totalCount = {
  type: TotalCount,
  nullable: true,
  viewerIndependent: false,
  description:
    'How many items the list has, on all its pages, under its filter. Null where the list takes no filter. It costs a statement of its own.',
  resolve: ({ count }: Counted) => count?.() ?? null,
} as const;
