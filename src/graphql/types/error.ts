import type { FieldProblem } from '../../commands/refusal.ts';
import { stateMessages } from '../../commands/refusal.ts';
import { builder } from '../builder.ts';
import { enumValues } from '../enum-values.ts';
import {
  ConflictError,
  errorTypes,
  ForbiddenError,
  InvalidInputError,
  InvalidStateError,
  type MutationError,
  NotEligibleError,
  NotFoundError,
  UnavailableError,
} from '../errors.ts';
import { AccessEligibility, accessEligibilityOf } from './access-eligibility.ts';

const errorTexts = {
  INVALID_INPUT: 'The input is malformed, or names an object that does not fit here.',
  NOT_FOUND: 'What the input names does not exist, or the viewer may not see it.',
  FORBIDDEN: 'The viewer may see what the input names, and may not do this to it.',
  NOT_ELIGIBLE:
    'The viewer may not decide on data access for this product on this site. The `eligibility` says why, and who may.',
  SESSION_ALREADY_OPEN: 'The viewer has an open support session under the grant.',
  VERSION_CONFLICT:
    'What the input names has another version than `expectedVersion`: it has changed since the caller read it.',
  IDEMPOTENCY_KEY_REUSED: 'The caller has used the idempotency key with another input or another mutation.',
  SERVICE_UNAVAILABLE:
    'The database could not be reached for this item of a bulk mutation. Send it again with the same idempotency key.',
  NOT_BEGUN:
    'The time of the bulk mutation was over before this item was begun. Send the same mutation again with the same idempotency key: it goes on with the rest.',
  ...stateMessages,
};

export const ErrorCode = builder.enumType('ErrorCode', {
  description: 'Why a mutation changed nothing, for programs. The message is for people.',
  values: enumValues(errorTexts),
});

type Code = keyof typeof errorTexts;

/** The code of a refusal on the audit log; null for one that only a newer version of the gateway knows. */
export function knownErrorCode(code: string | null): Code | null {
  return code !== null && Object.hasOwn(errorTexts, code) ? (code as Code) : null;
}

export const ErrorInterface = builder.interfaceRef<MutationError>('Error').implement({
  description:
    'Why a mutation changed nothing. The refusal is on the audit log where what it is about exists.',
  // So that a field of this type may return one: graphql takes an `Error` that a resolver returns as thrown.
  extensions: { pothosErrorTypes: Object.values(errorTypes) },
  resolveType: (error) => error.constructor.name,
  fields: (t) => ({
    code: t.field({ type: ErrorCode, description: 'Why, for programs.', resolve: ({ code }) => code }),
    message: t.exposeString('message', { description: 'What is wrong and what to do, for people.' }),
  }),
});

const FieldProblemType = builder.objectRef<FieldProblem>('FieldProblem').implement({
  description: 'One problem of the input.',
  fields: (t) => ({
    path: t.exposeString('path', {
      description: 'The path of the field from the arguments, with dots: `input.summary`.',
    }),
    message: t.exposeString('message', { description: 'What the field must be.' }),
  }),
});

builder.objectType(InvalidInputError, {
  name: 'InvalidInputError',
  description: 'The input is malformed, or names an object that does not fit here.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    fields: t.field({
      type: [FieldProblemType],
      description: 'Every problem that was found, at least one.',
      resolve: ({ fields }) => [...fields],
    }),
  }),
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'What the input names does not exist, or the viewer may not see it.',
  interfaces: [ErrorInterface],
});

builder.objectType(ForbiddenError, {
  name: 'ForbiddenError',
  description: 'The viewer may see what the input names, and may not do this to it.',
  interfaces: [ErrorInterface],
});

builder.objectType(NotEligibleError, {
  name: 'NotEligibleError',
  description: 'The viewer may not decide on data access for this product on this site.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    eligibility: t.field({
      type: AccessEligibility,
      description:
        "Why the viewer may not, which roles may, and who holds them: what the ticket's `accessEligibility` says.",
      resolve: async ({ ticketId, obstacles }, _, { loaders }) => {
        const ticket = await loaders.tickets.load(ticketId);
        if (ticket === null) throw new Error(`Ticket ${ticketId} has gone`);
        return accessEligibilityOf(ticket, obstacles);
      },
    }),
  }),
});

builder.objectType(InvalidStateError, {
  name: 'InvalidStateError',
  description:
    'The mutation does not fit the present state of what the input names. The code says which state.',
  interfaces: [ErrorInterface],
});

builder.objectType(ConflictError, {
  name: 'ConflictError',
  description: 'The input was made for another version, or its idempotency key was used for something else.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    currentVersion: t.exposeInt('currentVersion', {
      nullable: true,
      description:
        'The present version. Null where the code is `IDEMPOTENCY_KEY_REUSED`, or where there is no version to compare with.',
    }),
  }),
});

builder.objectType(UnavailableError, {
  name: 'UnavailableError',
  description:
    'This item of a bulk mutation was not run: the database could not be reached, or the time was over. Send the same mutation again with the same idempotency key.',
  interfaces: [ErrorInterface],
});
