/**
 * The one `any` of the SDK. A handler's input that is not annotated, and a serde that fits every type, can be typed in no
 * other way: `unknown` would make every such handler a type error, `never` would poison what is inferred from it.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
export type Any = any;

/**
 * Says that a value has a type that only its maker knows: what a serde decoded, what a proxy stands for. The compiler
 * cannot check it, so each use has its reason at hand.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- it is how the type is said
export function trust<T>(value: Any): T {
  return value;
}
