/** What handler options say of input and output, a serde or a Standard Schema, as the serde that is used. */
import { type Any, trust } from "./any.ts";
import { TerminalError, toError } from "./errors.ts";
import { type Serde, serde } from "./serde.ts";
import {
  type AnySchema,
  isSchema,
  jsonSchemaOf,
  SchemaError,
  validated,
} from "./standard-schema.ts";

const BAD_REQUEST = 400;
const INTERNAL_ERROR = 500;

/** What a handler reads. */
export function inputSerde(given: Serde<Any> | AnySchema): Serde<Any> {
  return isSchema(given) ? new CheckedInput(given) : given;
}

/** What a handler gives. */
export function outputSerde(given: Serde<Any> | AnySchema): Serde<Any> {
  return isSchema(given) ? new CheckedOutput(given) : given;
}

/** The error of an invocation whose input cannot be read: code 400, never tried again. */
export function inputError(thrown: unknown): TerminalError {
  const message =
    thrown instanceof SchemaError
      ? new SchemaError(thrown.issues, "the input").message
      : `the input could not be read: ${toError(thrown).message}`;
  return new TerminalError(message, { errorCode: BAD_REQUEST, cause: thrown });
}

class CheckedInput extends serde.JsonSerde<Any> {
  readonly #schema: AnySchema;

  constructor(schema: AnySchema) {
    super(jsonSchemaOf(schema, "input", undefined));
    this.#schema = schema;
  }

  override deserialize(data: Uint8Array): Any {
    return validated(this.#schema, super.deserialize(data), undefined);
  }
}

/** The schema takes what the handler returns; the caller gets what it makes of it. */
class CheckedOutput extends serde.JsonSerde<Any> {
  readonly #schema: AnySchema;

  constructor(schema: AnySchema) {
    super(jsonSchemaOf(schema, "output", undefined));
    this.#schema = schema;
  }

  override serialize(value: Any): Uint8Array {
    return super.serialize(trust(this.#checked(value)));
  }

  #checked(value: unknown): unknown {
    try {
      return validated(this.#schema, value, undefined);
    } catch (thrown) {
      if (!(thrown instanceof SchemaError)) throw thrown;
      // Another attempt would return the same: its results are all recorded.
      const { message } = new SchemaError(thrown.issues, "the output");
      throw new TerminalError(message, { errorCode: INTERNAL_ERROR, cause: thrown });
    }
  }
}
