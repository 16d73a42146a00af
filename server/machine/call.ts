/** Calls and one-way calls from one handler to another (service protocol 8.9). */
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { CallCommand, OneWayCallCommand } from "../../sdk/protocol/messages.ts";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { present } from "../base/assert.ts";
import { childInvocationId } from "../base/ids.ts";
import { attemptSpanId } from "../base/trace.ts";
import { namedInvocationId } from "./identity.ts";
import type { Invoke } from "./input.ts";
import type { AttemptFailure, Invocation } from "./invocation.ts";
import { notify } from "./notify.ts";
import { handlerKind } from "./policy.ts";
import { resolveHandler } from "./registry.ts";
import { precondition } from "./fail.ts";
import type { Step } from "./step.ts";

type AnyCall = CallCommand | OneWayCallCommand;

export function callProblem(step: Step, command: AnyCall): AttemptFailure | null {
  const { service, handler, key, idempotencyKey, scope, limitKey } = command;
  const callee = resolveHandler(step.tx.registry(), service, handler);
  if (callee === undefined) {
    const message = `no deployment offers ${service}/${handler}: register it, or mend the call`;
    return { code: 404, errorCode: "RT0018", message };
  }
  if (scope !== undefined || limitKey !== undefined) {
    const message = "this server has no scopes and no limit keys: leave them out of the call";
    return { code: 500, errorCode: "RT0024", message };
  }
  if (callee.service.ty === "SERVICE" && key !== "") {
    return precondition(`${service} is a plain service and takes no key`);
  }
  if (idempotencyKey === "") return precondition("an idempotency key may not be empty");
  if (idempotencyKey !== undefined && handlerKind(callee) === "run") {
    return precondition(`${service}/${handler} runs once per key and takes no idempotency key`);
  }
  return null;
}

export function invokeCallee(
  step: Step,
  invocation: Invocation,
  command: AnyCall,
  commandIndex: number,
): void {
  const { headers, parameter, idempotencyKey = null } = command;
  const { service, handler } = command;
  const callee = present(resolveHandler(step.tx.registry(), service, handler), "callee");
  // On the wire a plain service has the empty key, as an object may.
  const target = { service, handler, key: callee.service.ty === "SERVICE" ? null : command.key };
  const id =
    namedInvocationId(handlerKind(callee), target, idempotencyKey) ??
    childInvocationId(invocation.id, commandIndex, step.nowMs, target.key);
  notify(step, invocation, {
    type: MessageType.CallInvocationIdCompletion,
    id: { kind: "completion", completionId: command.invocationIdCompletionId },
    result: { kind: "invocation-id", invocationId: invocationIdToString(id) },
  });
  const isCall = command.type === MessageType.CallCommand;
  step.followUps.push({
    type: "invoke",
    id,
    target,
    headers,
    parameter,
    idempotencyKey,
    startAtMs: isCall ? 0 : command.invokeTimeMs,
    caller: { seq: invocation.seq, completionId: isCall ? command.resultCompletionId : null },
    trace: childTrace(invocation),
    replyTo: null,
  });
}

/** What a handler calls hangs under the attempt that called it. */
function childTrace({ id, epoch, trace }: Invocation): Invoke["trace"] {
  return trace === null ? null : { ...trace, spanId: attemptSpanId(id, epoch) };
}
