/** An invocation as a test reads it: what it does, what became of it, why it does not go on. */
import { decodeMessage } from "../protocol/codec.ts";
import { invocationIdToString } from "../protocol/ids.ts";
import { MessageType } from "../protocol/message-type.ts";
import { whyView } from "../../server/admin/why.ts";
import { type Invocation, targetText } from "../../server/machine/invocation.ts";
import type { Reader } from "../../server/machine/tx.ts";
import type { LiveAttempts } from "../../server/processor/ports.ts";
import type { InvocationInfo } from "./inspection.ts";
import { payload } from "./journal-view.ts";

export function invocationInfo(
  reader: Reader,
  invocation: Invocation,
  attempts: number,
): InvocationInfo {
  const { id, target, state, lastFailure } = invocation;
  return {
    id: invocationIdToString(id),
    target: targetText(target),
    status: state.status,
    attempts,
    ...(lastFailure !== null && {
      lastFailure: { code: lastFailure.code, message: lastFailure.message },
    }),
    ...outcomeView(reader, invocation),
  };
}

function outcomeView(
  reader: Reader,
  { seq, state }: Invocation,
): Pick<InvocationInfo, "value" | "failure"> {
  if (state.status !== "completed") return {};
  const [entry] = reader.entries(seq, state.outputIndex, state.outputIndex + 1);
  const output = entry && decodeMessage(entry.type, entry.body);
  if (output?.type !== MessageType.OutputCommand) return {};
  if (output.result.kind === "value") return { value: payload(output.result.value) };
  const { code, message } = output.result.failure;
  return { failure: { code, message } };
}

/** In one sentence. */
export function explanation(reader: Reader, live: LiveAttempts, invocation: Invocation): string {
  const { explanation: why } = whyView({ reader, live }, invocation);
  return `${targetText(invocation.target)} ${String(why).replace(/^it /, "")}`;
}
