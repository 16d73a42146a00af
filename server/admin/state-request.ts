/** The body of `POST /services/{service}/state`: the whole new state of a key (HTTP API 2.6); pure. */
import type { StateMutation } from "../machine/tx.ts";
import { AdminError } from "./admin-error.ts";
import { type Fields, invalid, objectOf, requireKnown, stringField } from "./json-body.ts";

/** A state of 8 MiB, its bytes as a list of numbers. */
export const STATE_BODY_BYTES_MAX = 32 * 1024 * 1024;

const FIELDS: ReadonlySet<string> = new Set(["object_key", "version", "scope", "new_state"]);

export interface StateRequest {
  readonly key: string;
  readonly mutation: StateMutation;
}

export function parseStateRequest(fields: Fields): StateRequest {
  if ((fields["scope"] ?? null) !== null) {
    throw new AdminError(400, "this server has no scopes; leave out scope");
  }
  requireKnown(fields, FIELDS);
  const version = (fields["version"] ?? null) === null ? null : stringField(fields, "version");
  const state = Object.entries(objectOf(fields["new_state"], "new_state"));
  const entries = state
    .map(([name, value]) => ({ key: utf8(name), value: bytesOf(value, `new_state.${name}`) }))
    .toSorted((a, b) => Buffer.compare(a.key, b.key));
  return { key: stringField(fields, "object_key"), mutation: { version, entries } };
}

function bytesOf(value: unknown, name: string): Uint8Array {
  if (typeof value === "string") return utf8(value);
  if (!Array.isArray(value) || !value.every(isByte)) {
    throw invalid(`${name} must be a string, or a list of whole numbers from 0 to 255`);
  }
  return Uint8Array.from(value);
}

function isByte(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 255;
}

function utf8(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "utf8"));
}
