/** A caller waits for a result. When it leaves, only its waiting ends, never the invocation. */
import type { ServerResponse } from "node:http";
import type { ManifestOutput } from "../../sdk/protocol/manifest.ts";
import type { Outcome } from "../../sdk/protocol/messages.ts";
import { guarded, type IngressContext } from "./context.ts";
import { sendOutcome } from "./respond.ts";

export function awaitResult(
  context: IngressContext,
  response: ServerResponse,
  invocation: { readonly seq: number; readonly id: Uint8Array },
  output: ManifestOutput | undefined,
): void {
  if (response.closed) return;
  const { seq, id } = invocation;
  const waiter = (outcome: Outcome): void =>
    guarded(context, response, () =>
      sendOutcome(response, outcome, { id, output, expiresAtMs: null }),
    );
  context.waiters.add(seq, waiter);
  response.once("close", () => context.waiters.remove(seq, waiter));
}
