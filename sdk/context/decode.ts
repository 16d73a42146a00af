/** Results of the journal as what handlers see. */
import { type InvocationId, InvocationIdParser } from "../define/context.ts";
import { failureToError } from "../define/errors.ts";
import type { Serde } from "../define/serde.ts";
import type { NotificationResult } from "../protocol/messages.ts";
import { type Leaf, Mapped, type Settled } from "../replay/await-node.ts";

/** The value of a result; a failure is thrown. A result without a value is `undefined`, whatever the serde. */
export function decoded<T>(leaf: Leaf, serde: Serde<T>): Mapped<NotificationResult, T | undefined> {
  return new Mapped(leaf, (settled) => {
    const result = resultOf(settled);
    return result.kind === "value" ? serde.deserialize(result.value) : undefined;
  });
}

export function decodedId(leaf: Leaf): Mapped<NotificationResult, InvocationId> {
  return new Mapped(leaf, (settled) => {
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
