/** State of objects and workflows (service protocol 8.8): who may read and write it, and what each command does. */
import { MessageType, messageTypeName } from "../../sdk/protocol/message-type.ts";
import type {
  ClearAllStateCommand,
  ClearStateCommand,
  GetEagerStateCommand,
  GetEagerStateKeysCommand,
  GetLazyStateCommand,
  GetLazyStateKeysCommand,
  NotificationResult,
  SetStateCommand,
} from "../../sdk/protocol/messages.ts";
import { present, unreachable } from "../base/assert.ts";
import { precondition } from "./fail.ts";
import { type AttemptFailure, instanceOf, type Invocation, isExclusive } from "./invocation.ts";
import { notify } from "./notify.ts";
import type { Step } from "./step.ts";

export type StateCommand =
  | GetEagerStateCommand
  | GetEagerStateKeysCommand
  | GetLazyStateCommand
  | GetLazyStateKeysCommand
  | SetStateCommand
  | ClearStateCommand
  | ClearAllStateCommand;

export function stateProblem(
  { kind, target }: Invocation,
  { type }: StateCommand,
): AttemptFailure | null {
  if (kind === "plain") {
    return precondition(
      `${target.service} is a plain service: it has no state, and may not use ${messageTypeName(type)}`,
    );
  }
  const writes =
    type === MessageType.SetStateCommand ||
    type === MessageType.ClearStateCommand ||
    type === MessageType.ClearAllStateCommand;
  if (!writes || isExclusive(kind)) return null;
  return precondition(
    `${target.service}/${target.handler} is a shared handler, which reads state only, and may not use ${messageTypeName(type)}`,
  );
}

/** Writes take effect at once, and are not undone when the attempt fails. */
export function onStateCommand(step: Step, invocation: Invocation, command: StateCommand): void {
  const { tx } = step;
  const instance = present(instanceOf(invocation), "instance");
  switch (command.type) {
    case MessageType.GetEagerStateCommand:
    case MessageType.GetEagerStateKeysCommand:
      return undefined;
    case MessageType.SetStateCommand:
      return tx.setState(instance, command.key, command.value);
    case MessageType.ClearStateCommand:
      return tx.clearState(instance, command.key);
    case MessageType.ClearAllStateCommand:
      return tx.clearAllState(instance);
    case MessageType.GetLazyStateCommand: {
      const value = tx.stateValue(instance, command.key);
      const result: NotificationResult =
        value === undefined ? { kind: "void" } : { kind: "value", value };
      return complete(step, invocation, command, MessageType.GetLazyStateCompletion, result);
    }
    case MessageType.GetLazyStateKeysCommand: {
      const result = { kind: "state-keys", keys: tx.stateNames(instance) } as const;
      return complete(step, invocation, command, MessageType.GetLazyStateKeysCompletion, result);
    }
    default:
      return unreachable(command);
  }
}

function complete(
  step: Step,
  invocation: Invocation,
  { resultCompletionId: completionId }: GetLazyStateCommand | GetLazyStateKeysCommand,
  type: typeof MessageType.GetLazyStateCompletion | typeof MessageType.GetLazyStateKeysCompletion,
  result: NotificationResult,
): void {
  notify(step, invocation, { type, id: { kind: "completion", completionId }, result });
}
