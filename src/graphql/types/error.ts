import type { FieldProblem } from '../../commands/refusal.ts';
import { stateMessages } from '../../commands/refusal.ts';
import { builder } from '../builder.ts';
import { enumValues } from '../enum-values.ts';
import {
  ConflictError,
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
  INVALID_INPUT: 'The input is malformed, or names what cannot be named here.',
  NOT_FOUND: 'There is no such thing, or the viewer may not know of it.',
  FORBIDDEN: 'The viewer may see it, but not do this to it.',
  NOT_ELIGIBLE: 'The viewer may not decide on data access here; the eligibility says why and who may.',
  VERSION_CONFLICT: 'It has changed since it was read.',
  IDEMPOTENCY_KEY_REUSED: 'The idempotency key was used with another input.',
  SERVICE_UNAVAILABLE: 'The gateway could not carry this one of many out for now.',
  ...stateMessages,
};

export const ErrorCode = builder.enumType('ErrorCode', {
  description: 'Why a mutation changed nothing, for programs. The message says it for people.',
  values: enumValues(errorTexts),
});

type Code = keyof typeof errorTexts;

/** The code of a refusal on the audit log; null for one that only a newer version of the gateway knows. */
export function knownErrorCode(code: string | null): Code | null {
  return code !== null && Object.hasOwn(errorTexts, code) ? (code as Code) : null;
}

const ErrorInterface = builder.interfaceRef<MutationError>('Error').implement({
  description:
    'Why a mutation was not carried out. Nothing was changed; decisions refused are on the audit log.',
  fields: (t) => ({
    code: t.field({ type: ErrorCode, description: 'For programs.', resolve: ({ code }) => code }),
    message: t.exposeString('message', { description: 'For people: what is wrong and what to do.' }),
  }),
});

const FieldProblemType = builder.objectRef<FieldProblem>('FieldProblem').implement({
  description: 'What is wrong with one field of the input.',
  fields: (t) => ({
    path: t.exposeString('path', { description: 'The path from the arguments: `input.summary`.' }),
    message: t.exposeString('message', { description: 'What it must be.' }),
  }),
});

builder.objectType(InvalidInputError, {
  name: 'InvalidInputError',
  description: 'The input is malformed or names what cannot be named here.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    fields: t.field({
      type: [FieldProblemType],
      description: 'Every problem found.',
      resolve: ({ fields }) => [...fields],
    }),
  }),
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'There is no such thing, or the viewer may not know of it.',
  interfaces: [ErrorInterface],
});

builder.objectType(ForbiddenError, {
  name: 'ForbiddenError',
  description: 'The viewer may see it, but not do this to it.',
  interfaces: [ErrorInterface],
});

builder.objectType(NotEligibleError, {
  name: 'NotEligibleError',
  description: 'The viewer may not decide on data access here. The eligibility says why, and who may.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    eligibility: t.field({
      type: AccessEligibility,
      description: "The same answer as the ticket's `accessEligibility`.",
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
  description: 'What it is about is not in a state in which this can be done.',
  interfaces: [ErrorInterface],
});

builder.objectType(ConflictError, {
  name: 'ConflictError',
  description: 'Somebody else was first, or an idempotency key was used for something else.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    currentVersion: t.exposeInt('currentVersion', {
      nullable: true,
      description: 'The version it is at now, where versions are in conflict.',
    }),
  }),
});

builder.objectType(UnavailableError, {
  name: 'UnavailableError',
  description: 'The gateway could not carry this one of many out for now. Try it again.',
  interfaces: [ErrorInterface],
});
