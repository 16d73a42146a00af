/** Durable promises of workflows (service protocol 8.10): completed once, by any handler of the workflow. */
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type {
  CompletePromiseCommand,
  GetPromiseCommand,
  Outcome,
  PeekPromiseCommand,
} from "../../sdk/protocol/messages.ts";
import { present, unreachable } from "../base/assert.ts";
import { answer } from "./answer.ts";
import { precondition } from "./fail.ts";
import { type AttemptFailure, type Instance, instanceOf, type Invocation } from "./invocation.ts";
import { notify } from "./notify.ts";
import type { Step } from "./step.ts";

export function promiseProblem({ kind, target }: Invocation): AttemptFailure | null {
  if (kind === "run" || kind === "workflow-shared") return null;
  return precondition(`${target.service} is no workflow: only workflows have durable promises`);
}

export function onPromiseCommand(
  step: Step,
  invocation: Invocation,
  command: GetPromiseCommand | PeekPromiseCommand | CompletePromiseCommand,
): void {
  const { tx } = step;
  const instance = present(instanceOf(invocation), "instance");
  const { key: name, resultCompletionId: completionId } = command;
  const id = { kind: "completion", completionId } as const;
  const known = tx.promise(instance, name);
  switch (command.type) {
    case MessageType.GetPromiseCommand: {
      const { seq } = invocation;
      if (known === undefined) return tx.addPromiseListener(instance, name, { seq, completionId });
      const type = MessageType.GetPromiseCompletion;
      return notify(step, invocation, { type, id, result: known });
    }
    case MessageType.PeekPromiseCommand: {
      const type = MessageType.PeekPromiseCompletion;
      return notify(step, invocation, { type, id, result: known ?? { kind: "void" } });
    }
    case MessageType.CompletePromiseCommand: {
      const type = MessageType.CompletePromiseCompletion;
      if (known !== undefined) return notify(step, invocation, { type, id, result: TWICE });
      complete(step, instance, name, command.completion);
      return notify(step, invocation, { type, id, result: { kind: "void" } });
    }
    default:
      return unreachable(command);
  }
}

const TWICE: Outcome = {
  kind: "failure",
  failure: { code: 409, message: "promise was already completed" },
};

function complete(step: Step, instance: Instance, name: string, outcome: Outcome): void {
  step.tx.completePromise(instance, name, outcome);
  for (const { seq, completionId } of step.tx.takePromiseListeners(instance, name)) {
    answer(step, seq, completionId, MessageType.GetPromiseCompletion, outcome);
  }
}
