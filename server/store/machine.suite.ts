/** Random inputs for the machine: attempts that say anything in any order, and operators who do anything to anybody. */
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { awakeableIdToString, invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Command } from "../../sdk/protocol/messages.ts";
import { workflowInvocationId } from "../base/ids.ts";
import type { AttemptRef, Input } from "../machine/input.ts";
import type { Target } from "../machine/invocation.ts";
import {
  call,
  DEPLOYMENT,
  failed,
  id,
  invoke,
  output,
  run,
  sleep,
  suspendOn,
  text,
  value,
} from "../machine/world.suite.ts";
import type { Chance } from "./random-transactions.suite.ts";

export const KEYS = ["a", "b"] as const;
const IDS = 12;

/** What the inputs may speak of. */
export interface Known {
  readonly nowMs: number;
  /** Attempts that were asked for, stale ones too, newest last. */
  readonly attempts: readonly AttemptRef[];
  /** Public ids of what was ever started. */
  readonly ids: readonly Uint8Array[];
}

export function randomInput(chance: Chance, known: Known): Input {
  const dice = chance.below(10);
  if (dice === 0) return randomInvoke(chance, known);
  // The newest are the most likely to be current.
  const newest = known.attempts.slice(-8);
  const attempt = chance.pick(chance.below(4) === 0 ? known.attempts : newest);
  if (dice <= 6 && attempt !== undefined) return randomMessage(chance, attempt, known);
  return randomOperation(chance, known);
}

function randomInvoke(chance: Chance, { nowMs }: Known): Input {
  const target = randomTarget(chance);
  const { key, handler, service } = target;
  const isRun = handler === "run" && key !== null;
  return invoke({
    id: isRun ? workflowInvocationId(service, key) : id(1 + chance.below(IDS)),
    target,
    startAtMs: chance.below(5) === 0 ? nowMs + chance.below(500) : 0,
  });
}

function randomTarget(chance: Chance): Target {
  const key = chance.pick(KEYS) ?? "a";
  const targets: readonly Target[] = [
    { service: "Greeter", handler: "greet", key: null },
    { service: "Greeter", handler: "fragile", key: null },
    { service: "Counter", handler: "add", key },
    { service: "Counter", handler: "get", key },
    { service: "Order", handler: "run", key },
    { service: "Order", handler: "approve", key },
  ];
  return (
    targets[chance.below(targets.length)] ?? { service: "Greeter", handler: "greet", key: null }
  );
}

function randomMessage(chance: Chance, attempt: AttemptRef, known: Known): Input {
  const completionId = 1 + chance.below(6);
  switch (chance.below(10)) {
    case 0: {
      const knownEntries = 1 + chance.below(5);
      return suspendOn(attempt, knownEntries, [completionId, completionId + 1], [1, 17]);
    }
    case 1:
      return { type: "end", attempt };
    case 2:
      return failed(attempt, {
        behavior: chance.pick(["retry", "retry", "retry", "pause", "fail"] as const) ?? "retry",
        retryAfterMs: chance.below(3) === 0 ? 5 : null,
      });
    case 3: {
      const ackRequested = chance.below(2) === 0;
      return { type: "propose-run", attempt, completionId, result: value("r"), ackRequested };
    }
    default: {
      const command = randomCommand(chance, completionId, known);
      const body = encodeBody(command);
      return { type: "append-command", attempt, command, body, ackRequested: false };
    }
  }
}

function randomCommand(chance: Chance, resultCompletionId: number, known: Known): Command {
  const { service, handler, key } = randomTarget(chance);
  const other = chance.pick(known.ids) ?? id(1);
  const idempotencyKey = handler !== "run" && chance.below(3) === 0 ? { idempotencyKey: "k" } : {};
  const called = { ...call(), service, handler, key: key ?? "", ...idempotencyKey };
  const promise = { key: "p", resultCompletionId, name: "" };
  const commands: readonly Command[] = [
    output("done"),
    output("done"),
    run(resultCompletionId),
    sleep(resultCompletionId, known.nowMs + chance.below(300)),
    { ...called, type: MessageType.CallCommand, resultCompletionId } as Command,
    { ...called, type: MessageType.CallCommand, resultCompletionId } as Command,
    {
      ...called,
      type: MessageType.OneWayCallCommand,
      invokeTimeMs: chance.below(2) === 0 ? 0 : known.nowMs + 100,
    } as Command,
    {
      type: MessageType.AttachInvocationCommand,
      target: { kind: "invocation-id", invocationId: invocationIdToString(other) },
      resultCompletionId,
      name: "",
    },
    { type: MessageType.GetPromiseCommand, ...promise },
    { type: MessageType.CompletePromiseCommand, completion: value("p"), ...promise },
    { type: MessageType.SetStateCommand, key: text("s"), value: text("1"), name: "" },
    {
      type: MessageType.CompleteAwakeableCommand,
      awakeableId: awakeableIdToString(other, 17),
      result: value("w"),
      name: "",
    },
  ];
  return commands[chance.below(commands.length)] ?? output("done");
}

function randomOperation(chance: Chance, { ids, attempts }: Known): Input {
  const target = chance.pick(ids) ?? id(1);
  const named = { id: target, replyTo: 7 };
  const key = chance.pick(KEYS) ?? "a";
  const entries = [{ key: text("s"), value: text("m") }];
  const { seq, epoch } = attempts.at(-1) ?? { seq: 1, epoch: 0 };
  const inputs: readonly Input[] = [
    { type: "cancel", ...named },
    { type: "kill", ...named },
    { type: "pause", ...named },
    { type: "pause", ...named },
    { type: "resume", ...named, deployment: "keep" },
    { type: "resume", ...named, deployment: "keep" },
    { type: "purge", ...named, journalOnly: chance.below(2) === 0 },
    {
      type: "restart-as-new",
      ...named,
      newId: id(1000 + chance.below(1_000_000)),
      upToIndex: chance.below(4),
      deployment: "latest",
    },
    {
      type: "mutate-state",
      instance: { service: chance.below(2) === 0 ? "Counter" : "Order", key },
      mutation: { version: null, entries },
      replyTo: 7,
    },
    { type: "attach", ...named, wait: true },
    { type: "yield", seq, epoch },
    { type: "fetch-ready", afterSeq: 0, limit: 100 },
    { type: "register-deployment", deployment: DEPLOYMENT, replyTo: 7 },
    { type: "timers-due" },
  ];
  return inputs[chance.below(inputs.length)] ?? { type: "timers-due" };
}
