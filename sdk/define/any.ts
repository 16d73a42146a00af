/**
 * The one `any` of the SDK. A handler's input that is not annotated, and a serde that fits every type, can be typed in no
 * other way: `unknown` would make every such handler a type error, `never` would poison what is inferred from it.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
export type Any = any;
