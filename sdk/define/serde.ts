/** Serdes: how values become the bytes that are stored and sent, and back. */
import { type Any, trust } from "./any.ts";

export interface Serde<T> {
  /** Media type of the bytes; announced on discovery. */
  contentType?: string;
  /** JSON Schema of the values; announced on discovery, never used to validate. */
  jsonSchema?: object;
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
 * The serdes that come with the SDK.
 *
 * - `json`: the default everywhere. `new serde.JsonSerde(schema)` announces a JSON Schema.
 * - `binary`: bytes as they are.
 * - `empty`: nothing.
 */
export const serde = { JsonSerde, json, binary, empty };
