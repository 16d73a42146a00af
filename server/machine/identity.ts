/** Which invocations are known by what they are for: calling them again finds the same one (service protocol 9.3). */
import { idempotentInvocationId, workflowInvocationId } from "../base/ids.ts";
import type { HandlerKind, Target } from "./invocation.ts";

/** The id that follows from the identity; null for a call that is one of its kind, whose id is minted. */
export function namedInvocationId(
  kind: HandlerKind,
  { service, handler, key }: Target,
  idempotencyKey: string | null,
): Uint8Array | null {
  if (kind === "run" && key !== null) return workflowInvocationId(service, key);
  if (idempotencyKey === null) return null;
  return idempotentInvocationId({ service, key, handler, idempotencyKey });
}
