/**
 * Standard Schema and Standard JSON Schema (standardschema.dev): what zod, valibot, arktype and others have in common. Only
 * the shapes are needed, so no library is.
 */

/** A schema: it takes an `Input` and makes an `Output` of it, or tells the issues. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
      options?: { readonly libraryOptions?: Record<string, unknown> | undefined },
    ) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** Never there at run time. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** What is wrong with a value, and where. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Any schema, in a form that schemas of every type can be assigned to. */
export type AnySchema = {
  readonly "~standard": Omit<StandardSchema["~standard"], "types"> & {
    readonly types?: { readonly input: unknown; readonly output: unknown } | undefined;
  };
};

type Types<S extends AnySchema> = NonNullable<S["~standard"]["types"]>;
/** What a schema takes. */
export type SchemaInput<S extends AnySchema> = Types<S>["input"];
/** What a schema makes of it. */
export type SchemaOutput<S extends AnySchema> = Types<S>["output"];

/** A value that its schema does not accept. The message names the path of each issue. */
export class SchemaError extends Error {
  override name = "SchemaError";
  readonly issues: readonly SchemaIssue[];

  /** @param what the value, in words */
  constructor(issues: readonly SchemaIssue[], what = "the value") {
    super(`${what} does not match its schema: ${issues.map(describe).join("; ")}`);
    this.issues = issues;
  }
}

export function isSchema(value: unknown): value is AnySchema {
  // Schemas of arktype are functions.
  const mayBe = (typeof value === "object" || typeof value === "function") && value !== null;
  return mayBe && "~standard" in value;
}

/** What the schema makes of the value. Throws `SchemaError`, and `TypeError` for a schema that answers with a promise. */
export function validated<S extends AnySchema>(
  schema: S,
  value: unknown,
  libraryOptions: Record<string, unknown> | undefined,
): SchemaOutput<S> {
  const { "~standard": standard } = schema;
  const result = standard.validate(
    value,
    ...(libraryOptions === undefined ? [] : [{ libraryOptions }]),
  );
  if (result instanceof Promise) {
    // The outcome is nobody's concern: it is refused whatever it is.
    result.catch(() => {});
    throw new TypeError(
      `the ${standard.vendor} schema validates asynchronously; what it waits for belongs into a step of the handler`,
    );
  }
  if (result.issues !== undefined) throw new SchemaError(result.issues);
  return result.value;
}

/** JSON Schema draft 2020-12 of what the schema takes or makes; undefined where its library offers none. */
export function jsonSchemaOf(
  schema: AnySchema,
  direction: "input" | "output",
  libraryOptions: Record<string, unknown> | undefined,
): object | undefined {
  const standard: object = schema["~standard"];
  if (!("jsonSchema" in standard)) return undefined;
  const { jsonSchema } = standard;
  if (typeof jsonSchema !== "object" || jsonSchema === null) return undefined;
  const converter: { readonly [key in typeof direction]?: unknown } = jsonSchema;
  const convert = converter[direction];
  if (typeof convert !== "function") return undefined;
  const options = {
    target: "draft-2020-12",
    ...(libraryOptions !== undefined && { libraryOptions }),
  };
  try {
    const converted: unknown = convert(options);
    return typeof converted === "object" && converted !== null ? converted : undefined;
  } catch {
    // Some types, such as dates and transformations, have no JSON Schema; the values are validated all the same.
    return undefined;
  }
}

function describe({ message, path = [] }: SchemaIssue): string {
  const where = pathText(path);
  return where === "" ? message : `${where}: ${message}`;
}

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/** `items[0].name`; empty for the value as a whole. */
function pathText(path: NonNullable<SchemaIssue["path"]>): string {
  let text = "";
  for (const segment of path) {
    const key = typeof segment === "object" ? segment.key : segment;
    if (typeof key === "number") text += `[${key}]`;
    else if (!IDENTIFIER.test(String(key))) text += `[${JSON.stringify(String(key))}]`;
    else text += text === "" ? String(key) : `.${String(key)}`;
  }
  return text;
}
