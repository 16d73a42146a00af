/** Completing awakeables from outside (HTTP API 1.10). */
import { parseAwakeableId } from "../../sdk/protocol/ids.ts";
import { FIRST_USER_SIGNAL, type Outcome } from "../../sdk/protocol/messages.ts";
import { sendBytes } from "../http/answer.ts";
import type { Problem } from "../http/problem.ts";
import { allowMethod, ask, type Exchange, type IngressContext, withBody } from "./context.ts";
import type { Route } from "./path.ts";
import { refuse } from "./respond.ts";

/** What a rejection without its own code counts as. */
const REJECTED_CODE = 500;

export function completeAwakeable(
  context: IngressContext,
  exchange: Exchange,
  route: Extract<Route, { kind: "awakeable" }>,
): void {
  const { response } = exchange;
  if (!allowMethod(exchange, "POST")) return undefined;
  const awakeable = parseAwakeableId(route.id);
  // Signals below are the protocol's own, such as cancellation: no id hands them out.
  if (awakeable === undefined || awakeable.signalIndex < FIRST_USER_SIGNAL) {
    return refuse(response, INVALID_ID);
  }
  const { invocationId: id, signalIndex: index } = awakeable;
  return withBody(context, exchange, (body) => {
    const result = route.resolve ? ({ kind: "value", value: body } as const) : rejection(body);
    const signal = { kind: "signal-index", index } as const;
    ask(
      context,
      response,
      body.length,
      (replyTo) => ({ type: "signal", id, signal, result, replyTo }),
      // The first completion wins and an unknown id does no harm, so the answer is always the same.
      () => sendBytes(response, 202, "", {}),
    );
  });
}

function rejection(reason: Uint8Array): Outcome {
  const message = new TextDecoder().decode(reason);
  return { kind: "failure", failure: { code: REJECTED_CODE, message } };
}

const INVALID_ID: Problem = {
  status: 400,
  reason: "invalid-awakeable-id",
  message: "this is no awakeable id: they look like sign_1 and 38 letters, digits, '-' and '_'",
};
