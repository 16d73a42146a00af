/** The version of an instance's state, by which a change of it is refused when somebody else was faster (HTTP API 2.6). */
import { createHash } from "node:crypto";
import type { StateEntry } from "../../sdk/protocol/messages.ts";

const KEY_FOLLOWS = Uint8Array.of(1);
const VALUE_FOLLOWS = Uint8Array.of(2);
const ENTRY_ENDS = Uint8Array.of(3);

/** Base64url of the SHA-256 over the entries in the order of their keys; equal states have equal versions. */
export function stateVersion(entries: readonly StateEntry[]): string {
  const digest = createHash("sha256");
  const sorted = entries.toSorted((a, b) => Buffer.compare(a.key, b.key));
  for (const [index, { key, value }] of sorted.entries()) {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(BigInt(index));
    for (const part of [number, KEY_FOLLOWS, key, VALUE_FOLLOWS, value, ENTRY_ENDS]) {
      digest.update(part);
    }
  }
  return digest.digest("base64url");
}
