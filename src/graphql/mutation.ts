/**
 * The shape of every mutation: one input with an idempotency key, and a result that is a union of the success and
 * typed errors.
 */
import type { InputFieldMap, InputShapeFromFields, ObjectRef } from '@pothos/core';
import type { MutationName } from '../authorization/operations.ts';
import type { Command } from '../commands/command.ts';
import { type RefusalKind, refusalKinds } from '../commands/refusal.ts';
import type { Viewer } from '../identity/viewer.ts';
import { builder } from './builder.ts';
import { type Context, viewerOf } from './context.ts';
import { errorTypes } from './errors.ts';
import { optionalIdempotencyKey } from './input.ts';
import { runCommand } from './run-command.ts';

export type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer Of> ? Of : never;
/** Builds the fields of an input type. */
export type InputFields = PothosSchemaTypes.InputFieldBuilder<Types, 'InputObject'>;

type Given<Fields extends InputFieldMap> = InputShapeFromFields<Fields> & { idempotencyKey?: string | null };

/**
 * What a mutation returns when it succeeds: one type, or several types with a function that names the type of a row.
 */
export type Success<Row extends object> =
  | ObjectRef<Types, Row>
  | { types: readonly ObjectRef<Types, Row>[]; typeNameOf: (row: Row) => string };

type MutationSpec<Fields extends InputFieldMap, Row extends object> = {
  name: MutationName;
  type: Success<Row>;
  description: string;
  /** The errors that it can return. Its union has exactly these. */
  errors: readonly RefusalKind[];
  /** It runs a command for each of many items. */
  inBulk?: boolean;
  input: {
    description: string;
    fields: (t: InputFields) => Fields;
  };
  /** Throws an InvalidInputError if fields that are valid on their own do not fit together. */
  run: (
    input: InputShapeFromFields<Fields>,
    context: Context,
    idempotencyKey: string | null | undefined,
  ) => Promise<Row>;
};

/** Adds a mutation to the schema: its input type and its result union. */
export function addMutation<Fields extends InputFieldMap, Row extends object>(
  spec: MutationSpec<Fields, Row>,
): void {
  const { name, type, description } = spec;
  const capitalized = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const Input = builder.inputType(`${capitalized}Input`, {
    description: spec.input.description,
    fields: (t) => ({
      ...spec.input.fields(t),
      idempotencyKey: t
        .string({
          description:
            'Identifies what the caller means to do: 1 to 100 visible ASCII characters. A repetition by the same account with the same key and input changes nothing and returns the first result, for at least 24 hours.',
        })
        .validate(optionalIdempotencyKey),
    }),
  });
  const Result = resultUnion(
    `${capitalized}Result`,
    `The result of \`${name}\`: what it changed, as it is afterwards, or the reason why it changed nothing.`,
    type,
    spec.errors,
  );
  builder.mutationField(name, (t) =>
    t.field({
      type: Result,
      description,
      extensions: { inBulk: spec.inBulk === true },
      authScopes: { operation: name },
      args: { input: t.arg({ type: Input, required: true, description: spec.input.description }) },
      // TypeScript cannot derive the argument's type from the generic fields. The input type above has exactly these.
      resolve: (_, args, context) => {
        const { idempotencyKey, ...input } = (args as unknown as { input: Given<Fields> }).input;
        return spec.run(input as InputShapeFromFields<Fields>, context, idempotencyKey) as never;
      },
    }),
  );
}

/** Adds a union of the success types and these typed errors. A field of this type may return or throw the errors. */
export function resultUnion<Row extends object>(
  name: string,
  description: string,
  success: Success<Row>,
  errors: readonly RefusalKind[],
) {
  const { types, typeNameOf } =
    'types' in success ? success : { types: [success], typeNameOf: () => success.name };
  return builder.errorUnion(name, {
    description,
    types: [...types, ...errors.map((kind) => errorTypes[kind])],
    resolveType: (row) => typeNameOf(row as Row),
  });
}

/**
 * Adds the mutation that runs one command. `toInput` converts the input of the API to the input of the command. The
 * mutation's errors are the refusals that the command declares.
 */
export function addCommand<Fields extends InputFieldMap, Input, Facts, Row extends object>(
  command: Command<Input, Facts, Row>,
  {
    toInput,
    ...spec
  }: Omit<MutationSpec<Fields, Row>, 'name' | 'errors' | 'run'> & {
    toInput: (input: InputShapeFromFields<Fields>, viewer: Viewer) => Input;
  },
): void {
  addMutation({
    ...spec,
    name: command.operation,
    errors: [...refusalKinds(command.refusals)],
    run: (input, context, key) => runCommand(context, command, toInput(input, viewerOf(context)), key),
  });
}
