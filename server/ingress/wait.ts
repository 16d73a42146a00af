/** A caller waits for a result. When it leaves, only its waiting ends, never the invocation. */
import type { ManifestOutput } from "../../sdk/protocol/manifest.ts";
import type { Outcome } from "../../sdk/protocol/messages.ts";
import { guarded, type IngressContext } from "./context.ts";
import { type Exchange, sendOutcome } from "./respond.ts";

export function awaitResult(
  context: IngressContext,
  exchange: Exchange,
  invocation: { readonly seq: number; readonly id: Uint8Array },
  output: ManifestOutput | undefined,
): void {
  const { response, seen } = exchange;
  const { seq, id } = invocation;
  if (seen !== null) seen.awaitedId = id;
  if (response.destroyed) return seen?.disconnected();
  const waiter = (outcome: Outcome): void =>
    guarded(context, exchange, () =>
      sendOutcome(exchange, outcome, { id, output, expiresAtMs: null }),
    );
  context.waiters.add(seq, waiter);
  response.once("close", () => {
    context.waiters.remove(seq, waiter);
    seen?.disconnected();
  });
  return undefined;
}
