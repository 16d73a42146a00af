/** Results of the journal as what handlers see, and what handlers give as bytes to keep. */
import { type InvocationId, InvocationIdParser } from "../define/context.ts";
import { failureToError } from "../define/errors.ts";
import { type Serde, serde as serdes } from "../define/serde.ts";
import type { NotificationResult } from "../protocol/messages.ts";
import { type AwaitNode, Decoded, type Settled } from "../replay/await-node.ts";

const decoder = new TextDecoder();

/** The value of a result; a failure is thrown. A result without a value is `undefined`, whatever the serde. */
export function decoded<T>(
  node: AwaitNode<NotificationResult>,
  serde: Serde<T>,
): AwaitNode<T | undefined> {
  return new Decoded(node, (settled) => {
    const result = resultOf(settled);
    return result.kind === "value" ? serde.deserialize(result.value) : undefined;
  });
}

/** The value of a key of the state; null when it has none. */
export function decodedState<T>(
  node: AwaitNode<NotificationResult>,
  serde: Serde<T>,
): AwaitNode<T | null> {
  return new Decoded(node, (settled) => {
    const result = resultOf(settled);
    return result.kind === "value" ? serde.deserialize(ownBytes(serde, result.value)) : null;
  });
}

export function decodedKeys(node: AwaitNode<NotificationResult>): AwaitNode<string[]> {
  return new Decoded(node, (settled) => {
    const result = resultOf(settled);
    if (result.kind !== "state-keys") throw new TypeError("the server sent no keys");
    return result.keys.map((key) => decoder.decode(key));
  });
}

export function decodedId(node: AwaitNode<NotificationResult>): AwaitNode<InvocationId> {
  return new Decoded(node, (settled) => {
    const result = resultOf(settled);
    if (result.kind !== "invocation-id") throw new TypeError("the server sent no invocation id");
    return InvocationIdParser.fromString(result.invocationId);
  });
}

function resultOf(settled: Settled<NotificationResult>): NotificationResult {
  if (!settled.ok) throw settled.error;
  if (settled.value.kind === "failure") throw failureToError(settled.value.failure);
  return settled.value;
}

/** Bytes that nobody else can change. Those of JSON are new each time; those of another serde may be what it was given. */
export function ownBytes<T>(serde: Serde<T>, bytes: Uint8Array): Uint8Array {
  return serde instanceof serdes.JsonSerde ? bytes : bytes.slice();
}
