/** Serdes: how values become the bytes that are stored and sent, and back. */
import { type Any, trust } from "./any.ts";
import { type AnySchema, jsonSchemaOf, type SchemaOutput, validated } from "./standard-schema.ts";

export interface Serde<T> {
  /** Media type of the bytes; announced on discovery. */
  contentType?: string;
  /** JSON Schema of the values; announced on discovery, never used to validate. */
  jsonSchema?: object;
  /** The value as JSON that people can read and edit, for bytes that are none. For tools; nothing of the SDK asks for it. */
  preview?: {
    toJsonString(value: T): Promise<string> | string;
    fromJsonString(json: string): Promise<T> | T;
  };
  serialize(value: T): Uint8Array;
  /** May throw: the attempt fails, or, for the input of a handler, the invocation with code 400. */
  deserialize(data: Uint8Array): T;
}

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** JSON; `undefined` is no bytes at all. */
class JsonSerde<T> implements Serde<T> {
  contentType = "application/json";
  readonly jsonSchema?: object;

  constructor(jsonSchema?: object) {
    if (jsonSchema !== undefined) this.jsonSchema = jsonSchema;
  }

  serialize(value: T): Uint8Array {
    if (value === undefined) return EMPTY;
    // Functions and symbols have no JSON either.
    const text: string | undefined = JSON.stringify(value);
    return text === undefined ? EMPTY : encoder.encode(text);
  }

  deserialize(data: Uint8Array): T {
    return trust(data.length === 0 ? undefined : JSON.parse(decoder.decode(data)));
  }

  /** @deprecated use `new serde.JsonSerde(schema)` */
  schema<U>(schema: object): Serde<U> {
    return new JsonSerde<U>(schema);
  }
}

/** JSON that a Standard Schema checks when it is read. */
class SchemaSerde<S extends AnySchema> implements Serde<SchemaOutput<S>> {
  contentType = "application/json";
  readonly jsonSchema?: object;
  readonly #schema: S;
  readonly #validateOptions: Record<string, unknown> | undefined;

  constructor(
    schema: S,
    validateOptions: Record<string, unknown> | undefined,
    jsonSchema: object | undefined,
  ) {
    this.#schema = schema;
    this.#validateOptions = validateOptions;
    if (jsonSchema !== undefined) this.jsonSchema = jsonSchema;
  }

  serialize(value: SchemaOutput<S>): Uint8Array {
    return json.serialize(value);
  }

  deserialize(data: Uint8Array): SchemaOutput<S> {
    return validated(this.#schema, json.deserialize(data), this.#validateOptions);
  }
}

const json: JsonSerde<Any> = new JsonSerde<Any>();

const binary: Serde<Uint8Array> = {
  contentType: "application/octet-stream",
  serialize: (value) => value,
  deserialize: (data) => data,
};

const empty: Serde<void> = {
  serialize: () => EMPTY,
  deserialize: () => undefined,
};

/**
 * A serde of JSON that a Standard Schema (zod, valibot, arktype, …) checks whenever it is read: input of handlers, results of
 * calls, state. Reading throws an error that names the path of each issue. What is written is not checked.
 *
 * @param validateOptions handed to the library with each validation
 * @param jsonSchemaOptions handed to the library when it makes the JSON Schema that is announced
 */
function ofSchema<S extends AnySchema>(
  schema: S,
  validateOptions?: Record<string, unknown>,
  jsonSchemaOptions?: Record<string, unknown>,
): Serde<SchemaOutput<S>> {
  const jsonSchema = jsonSchemaOf(schema, "output", jsonSchemaOptions);
  return new SchemaSerde(schema, validateOptions, jsonSchema);
}

/**
 * The serdes that come with the SDK.
 *
 * - `json`: the default everywhere. `new serde.JsonSerde(schema)` announces a JSON Schema.
 * - `schema(s)`: JSON that a Standard Schema checks.
 * - `binary`: bytes as they are.
 * - `empty`: nothing.
 */
export const serde = { JsonSerde, json, binary, empty, schema: ofSchema };
