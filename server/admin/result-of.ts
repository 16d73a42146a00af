/** How a completed invocation ended. */
import type { NotificationResult } from "../../sdk/protocol/messages.ts";
import type { Invocation } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import { decoded } from "./entry-view.ts";

/** Null while there is no result, and for one that this version cannot read. */
export function resultOf(reader: Reader, { seq, state }: Invocation): NotificationResult | null {
  if (state.status !== "completed") return null;
  const { outputIndex } = state;
  const entry = reader.entries(seq, outputIndex, outputIndex + 1)[0];
  const message = entry === undefined ? null : decoded(entry);
  return message !== null && "result" in message ? message.result : null;
}
