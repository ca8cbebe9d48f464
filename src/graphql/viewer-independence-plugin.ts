/**
 * Two options for every field of the schema. They end up in the field's extensions, where the subscriptions read
 * them (subscriptions/viewer-independent-fields.ts):
 *
 * - `viewerIndependent`: whether the field reads the same for every viewer who receives the event it is selected in.
 *   The result of such a selection is computed once and shared. `false` for whatever depends on the viewer, or on
 *   arguments that name a part of it.
 * - `ofTheEventItself`: the field has fields of its own, and none of them needs the database: they are in the event.
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
    // The parameters must be named as Pothos names them, also those without a use here.
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
