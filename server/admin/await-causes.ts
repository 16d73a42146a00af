/** What a handler awaits, in the words of its own journal. */
import {
  awakeableIdToString,
  invocationIdToString,
  parseInvocationId,
} from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import {
  CANCEL_SIGNAL,
  FIRST_USER_SIGNAL,
  type Future,
  type NotificationId,
} from "../../sdk/protocol/messages.ts";
import { numberedMessageOf } from "../../sdk/protocol/signal-names.ts";
import { idempotentInvocationId, workflowInvocationId } from "../base/ids.ts";
import { signalKey } from "../journal/summary.ts";
import { instanceOf, type Invocation, targetText } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import { type AwaitedCommand, awaitedCommands, type Budget } from "./awaited-commands.ts";
import { type Cause, cause } from "./cause.ts";
import { attachedText } from "./entry-view.ts";
import { rfc3339Nanos } from "../base/rfc3339.ts";

/** So much is told of a long list. */
const LEAVES_MAX = 100;
/** Deeper parts of an await tree are left out. */
const DEPTH_MAX = 100;

export interface Waiting {
  readonly reader: Reader;
  readonly invocation: Invocation;
  readonly budget: Budget;
}

/** What of a tree has not arrived; a cancellation only where nothing else is awaited. */
export function awaitCauses(waiting: Waiting, future: Future): Cause[] {
  const { reader, invocation, budget } = waiting;
  const all = leavesOf(future, { isNeeded: true, isJoint: true }, 1);
  const leaves = all.slice(0, LEAVES_MAX);
  const ids = leaves.flatMap(({ id }) => (id.kind === "completion" ? [id.completionId] : []));
  const { commands, arrived } = awaitedCommands(reader, invocation, new Set(ids), budget);
  const causes = leaves.flatMap(({ id, isNeeded, isJoint }) => {
    if (id.kind !== "completion") {
      if (invocation.journal.signals.has(signalKey(id))) return [];
      return [{ ...signalCause(invocation.id, id), isNeeded, isJoint }];
    }
    if (arrived.has(id.completionId)) return [];
    const found = commands.get(id.completionId);
    return [{ ...completionCause(waiting, id.completionId, found), isNeeded, isJoint }];
  });
  if (leaves.length > 0) return causes;
  return [cause("cancellation", "nothing but a cancellation", { isNeeded: true })];
}

/** The commands without a result: what a handler may be awaiting that did not say what it awaits. */
export function openCauses(waiting: Waiting): Cause[] {
  const { reader, invocation, budget } = waiting;
  const { commands } = awaitedCommands(reader, invocation, null, budget);
  return [...commands].map(([id, found]) => completionCause(waiting, id, found));
}

type Bond = Pick<Cause, "isNeeded" | "isJoint">;

interface Leaf extends Bond {
  readonly id: NotificationId;
}

const ALL_COMPLETED = 2;
const ALL_SUCCEEDED = 4;

function leavesOf(future: Future, { isNeeded, isJoint }: Bond, depth: number): Leaf[] {
  const signals = future.signals.filter((index) => index !== CANCEL_SIGNAL);
  const branches =
    future.completions.length + signals.length + future.namedSignals.length + future.nested.length;
  const areAll = branches === 1 || future.combinator === ALL_COMPLETED;
  const bond: Bond = {
    isNeeded: isNeeded && areAll,
    isJoint: isJoint && (areAll || future.combinator === ALL_SUCCEEDED),
  };
  const leaf = (id: NotificationId): Leaf => ({ id, ...bond });
  const nested = depth < DEPTH_MAX ? future.nested : [];
  return [
    ...future.completions.map((completionId) => leaf({ kind: "completion", completionId })),
    ...signals.map((index) => leaf({ kind: "signal-index", index })),
    ...future.namedSignals.map((name) => leaf({ kind: "signal-name", name })),
    ...nested.flatMap((each) => leavesOf(each, bond, depth + 1)),
  ];
}

/** Awakeables are signals of the handler's own; the lower ones are the protocol's. */
function signalCause(
  id: Uint8Array,
  signal: Exclude<NotificationId, { kind: "completion" }>,
): Cause {
  if (signal.kind === "signal-name") {
    const message = numberedMessageOf(signal.name);
    if (message !== undefined) {
      const { topic, number } = message;
      return cause("message", `message ${number} on the topic '${topic}'`, {
        fields: { topic, number },
      });
    }
    const fields = { name: signal.name };
    return cause("signal", `the signal '${signal.name}'`, { fields });
  }
  const { index } = signal;
  if (index < FIRST_USER_SIGNAL) {
    return cause("signal", `the signal ${index}`, { fields: { index } });
  }
  const awakeableId = awakeableIdToString(id, index);
  const fields = { awakeable_id: awakeableId, signal_index: index };
  return cause("awakeable", `the awakeable ${awakeableId} to be resolved`, { fields });
}

function completionCause(
  waiting: Waiting,
  completionId: number,
  found: AwaitedCommand | undefined,
): Cause {
  if (found === undefined) {
    const fields = { completion_id: completionId };
    return cause("completion", `the result with completion id ${completionId}`, { fields });
  }
  const { command, commandIndex, atMs } = found;
  const known = commandCause(waiting, found);
  const name = command.name === "" ? undefined : command.name;
  const common = { completion_id: completionId, command_index: commandIndex, name };
  return { ...known, sinceMs: atMs, fields: { ...common, ...known.fields } };
}

function commandCause(waiting: Waiting, { command, invocationId }: AwaitedCommand): Cause {
  switch (command.type) {
    case MessageType.SleepCommand: {
      const wakeUpAt = rfc3339Nanos(command.wakeUpTimeMs);
      return cause("timer", `a timer due at ${wakeUpAt}`, { fields: { wake_up_at: wakeUpAt } });
    }
    case MessageType.CallCommand: {
      const { service, handler, key } = command;
      const id = invocationId === null ? undefined : parseInvocationId(invocationId);
      const target = targetText({ service, handler, key: key === "" ? null : key });
      return invocationCause(waiting.reader, "call", target, id);
    }
    case MessageType.AttachInvocationCommand: {
      const { target } = command;
      return invocationCause(waiting.reader, "attach", attachedText(target), attachedId(target));
    }
    case MessageType.GetPromiseCommand:
      return promiseCause(waiting, command.key);
    case MessageType.RunCommand: {
      const step = command.name === "" ? "a step" : `the step '${command.name}'`;
      return cause("step", `${step} to be executed and recorded`);
    }
    case MessageType.GetLazyStateCommand:
    case MessageType.GetLazyStateKeysCommand:
      return cause("state", "state of its own object");
    default:
      return cause("completion", "the result of a command");
  }
}

function invocationCause(
  reader: Reader,
  by: "call" | "attach",
  target: string,
  id: Uint8Array | undefined,
): Cause {
  const invocation = id === undefined ? undefined : reader.findInvocation(id);
  const text = id === undefined ? undefined : invocationIdToString(id);
  const shown = invocation === undefined ? target : targetText(invocation.target);
  const named = text === undefined || text === shown ? shown : `${shown} (${text})`;
  const status = invocation?.state.status ?? "unknown";
  const fields = { by, invocation_id: text, target: shown, status };
  return cause("invocation", `the result of ${named}`, { fields, behind: { by, invocation } });
}

function attachedId(target: Parameters<typeof attachedText>[0]): Uint8Array | undefined {
  switch (target.kind) {
    case "invocation-id":
      return parseInvocationId(target.invocationId);
    case "workflow":
      return workflowInvocationId(target.service, target.key);
    default:
      return idempotentInvocationId({ ...target, key: target.key ?? null });
  }
}

function promiseCause({ reader, invocation }: Waiting, name: string): Cause {
  const instance = instanceOf(invocation);
  const isCompleted = instance !== null && reader.promise(instance, name) !== undefined;
  const fields = { promise: name, completed: isCompleted };
  return cause("promise", `the promise '${name}' to be completed`, { fields });
}
