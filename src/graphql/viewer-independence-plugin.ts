/**
 * Adds two options to every field of the schema. It copies them to the field's extensions, where subscriptions read
 * them (subscriptions/viewer-independent-fields.ts):
 *
 * - `viewerIndependent`: whether the field reads the same for every viewer who receives the event it is selected in.
 *   The result of such a selection is computed once and shared. `false` if the value depends on the viewer, or on
 *   arguments that select a part of it.
 * - `ofTheEventItself`: the field returns an object that is part of the event, so none of its fields needs the
 *   database.
 *
 * A field without the option is never shared. A test fails until it is classified.
 */
import SchemaBuilder, {
  BasePlugin,
  type FieldNullability,
  type InputFieldMap,
  type PothosOutputFieldConfig,
  type SchemaTypes,
  type TypeParam,
} from '@pothos/core';

const pluginName = 'viewerIndependence';
export default pluginName;

class ViewerIndependencePlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onOutputFieldConfig(field: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { viewerIndependent, ofTheEventItself } = field.pothosOptions;
    return { ...field, extensions: { ...field.extensions, viewerIndependent, ofTheEventItself } };
  }
}

declare global {
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      viewerIndependence: ViewerIndependencePlugin<Types>;
    }
    // TypeScript merges this with the interface of Pothos only if all type parameters have the same names.
    interface FieldOptions<
      Types extends SchemaTypes = SchemaTypes,
      ParentShape = unknown,
      Type extends TypeParam<Types> = TypeParam<Types>,
      Nullable extends FieldNullability<Type> = FieldNullability<Type>,
      Args extends InputFieldMap = InputFieldMap,
      ResolveShape = unknown,
      ResolveReturnShape = unknown,
    > {
      viewerIndependent?: boolean;
      ofTheEventItself?: boolean;
    }
  }
}

SchemaBuilder.registerPlugin(pluginName, ViewerIndependencePlugin);
