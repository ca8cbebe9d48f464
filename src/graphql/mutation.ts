/** How every mutation looks: one input with an idempotency key, and a union of what it leaves and the typed errors. */
import type { InputFieldMap, InputShapeFromFields, ObjectRef } from '@pothos/core';
import type { MutationName } from '../authorization/operations.ts';
import type { Command } from '../commands/command.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { mutationErrors } from './errors.ts';
import { optionalIdempotencyKey } from './input.ts';
import { carryOut } from './run-command.ts';

type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer Of> ? Of : never;
/** Makes the fields of an input. */
export type InputFields = PothosSchemaTypes.InputFieldBuilder<Types, 'InputObject'>;

type Given<Fields extends InputFieldMap> = InputShapeFromFields<Fields> & { idempotencyKey?: string | null };

type MutationSpec<Fields extends InputFieldMap, Row extends object> = {
  name: MutationName;
  type: ObjectRef<Types, Row>;
  description: string;
  input: {
    description: string;
    fields: (t: InputFields) => Fields;
  };
  /** Throws an InvalidInputError for what the fields alone cannot say. */
  carryOut: (
    input: InputShapeFromFields<Fields>,
    context: Context,
    idempotencyKey: string | null | undefined,
  ) => Promise<Row>;
};

/** Adds a mutation to the schema: its input type, its result union, its row of the authorization table. */
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
        .string({ description: 'A repetition with the same key gets the first answer, and does nothing.' })
        .validate(optionalIdempotencyKey),
    }),
  });
  builder.mutationField(name, (t) =>
    t.field({
      type,
      description,
      authScopes: { operation: name },
      errors: {
        types: mutationErrors,
        union: {
          name: `${capitalized}Result`,
          description: `What \`${name}\` leaves, or why it was not carried out.`,
        },
      },
      args: { input: t.arg({ type: Input, required: true, description: spec.input.description }) },
      // The compiler cannot follow the fields through the generic; the input type above has exactly these.
      resolve: (_, args, context) => {
        const { idempotencyKey, ...input } = (args as unknown as { input: Given<Fields> }).input;
        return spec.carryOut(input as InputShapeFromFields<Fields>, context, idempotencyKey) as never;
      },
    }),
  );
}

/** Adds the mutation that gives one command; `toInput` turns what the client gave into the command's input. */
export function addCommand<Fields extends InputFieldMap, Input, Facts, Row extends object>(
  command: Command<Input, Facts, Row>,
  {
    toInput,
    ...spec
  }: Omit<MutationSpec<Fields, Row>, 'name' | 'carryOut'> & {
    toInput: (input: InputShapeFromFields<Fields>) => Input;
  },
): void {
  addMutation({
    ...spec,
    name: command.operation,
    carryOut: (input, context, key) => carryOut(context, command, toInput(input), key),
  });
}
