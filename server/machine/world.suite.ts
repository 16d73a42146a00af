/** What the tests of the machine share: the machine over a memory store, and inputs by the handful. */
import assert from "node:assert/strict";
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType, messageTypeName } from "../../sdk/protocol/message-type.ts";
import type { Command } from "../../sdk/protocol/messages.ts";
import { present } from "../base/assert.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { apply } from "./apply.ts";
import { deploymentOf } from "./deployment.suite.ts";
import type { Effect, Reply } from "./effect.ts";
import type { AttemptRef, Input, Invoke, ReplyTo } from "./input.ts";
import type { Invocation } from "./invocation.ts";
import { DEFAULT_SETTINGS, type MachineSettings } from "./settings.ts";
import { finishStep, newStep } from "./step.ts";

export const text = (value: string) => new TextEncoder().encode(value);
export const T0 = 1_800_000_000_000;

export const DEPLOYMENT = deploymentOf(T0, [
  {
    name: "Greeter",
    ty: "SERVICE",
    handlers: [
      { name: "greet", retryPolicyMaxAttempts: 3, retryPolicyInitialInterval: 100 },
      { name: "eager", retryPolicyMaxAttempts: 1e6, retryPolicyInitialInterval: 0 },
      { name: "fragile", retryPolicyMaxAttempts: 1, retryPolicyOnMaxAttempts: "KILL" },
    ],
  },
  {
    name: "Counter",
    ty: "VIRTUAL_OBJECT",
    handlers: [
      { name: "add", retryPolicyMaxAttempts: 2, retryPolicyInitialInterval: 100 },
      { name: "get", ty: "SHARED" },
    ],
  },
  {
    name: "Order",
    ty: "WORKFLOW",
    handlers: [{ name: "run", ty: "WORKFLOW" }, { name: "approve" }],
  },
]);

/** The machine over a memory store, with one deployment registered. */
export class World {
  readonly store = new MemoryStore();
  readonly settings: MachineSettings;
  nowMs = T0;

  constructor(settings: Partial<MachineSettings> = {}) {
    this.settings = { ...DEFAULT_SETTINGS, cleanupIntervalMs: 1, ...settings };
    this.apply({ type: "register-deployment", deployment: DEPLOYMENT, replyTo: null });
  }

  apply(...inputs: Input[]): readonly Effect[] {
    return this.store.transact((tx) => {
      const step = newStep(tx, this.nowMs, this.settings);
      for (const input of inputs) apply(step, input);
      return finishStep(step);
    });
  }

  /** Starts an invocation and returns its first attempt. */
  start(over: Partial<Invoke> = {}): AttemptRef {
    return attemptIn(this.apply(invoke(over)));
  }

  send(attempt: AttemptRef, ...commands: Command[]): readonly Effect[] {
    return this.apply(
      ...commands.map((command) => ({
        type: "append-command" as const,
        attempt,
        command,
        body: encodeBody(command),
        ackRequested: false,
      })),
    );
  }

  journal(seq: number): string[] {
    return this.store.read((reader) =>
      reader.entries(seq, 0, 1000).map((entry) => messageTypeName(entry.type)),
    );
  }

  /** Asks, and returns the answer. */
  ask(input: Input & { readonly replyTo: ReplyTo }): Reply {
    return replyIn(this.apply(input));
  }

  invocation(seq: number): Invocation {
    return present(
      this.store.read((reader) => reader.invocation(seq)),
      `invocation ${seq}`,
    );
  }

  events(seq: number): string[] {
    return this.store.read((reader) => reader.events(seq).map(({ kind }) => kind));
  }

  state(service: string, key: string): Record<string, string> {
    const { entries } = this.store.read((reader) => reader.state({ service, key }, 1e9));
    const decode = (part: Uint8Array) => new TextDecoder().decode(part);
    return Object.fromEntries(entries.map(({ key: name, value: v }) => [decode(name), decode(v)]));
  }

  status(seq: number): string | undefined {
    return this.store.read((reader) => reader.invocation(seq)?.state.status);
  }
}

export function id(number: number): Uint8Array {
  const bytes = new Uint8Array(24);
  new DataView(bytes.buffer).setUint32(20, number);
  return bytes;
}

export function invoke(over: Partial<Invoke> = {}): Invoke {
  return {
    type: "invoke",
    id: id(1),
    target: { service: "Greeter", handler: "greet", key: null },
    headers: [],
    parameter: text("input"),
    idempotencyKey: null,
    startAtMs: 0,
    caller: null,
    trace: null,
    replyTo: 7,
    ...over,
  };
}

export function attemptIn(effects: readonly Effect[]): AttemptRef {
  const start = effects.find((effect) => effect.type === "start-attempt");
  assert(start?.type === "start-attempt", `no attempt in ${JSON.stringify(effects)}`);
  const { seq, epoch } = start;
  return { seq, epoch, deploymentId: "dp_1", protocolVersion: 6 };
}

export function replyIn(effects: readonly Effect[]): Reply {
  const found = effects.find((effect) => effect.type === "reply");
  assert(found?.type === "reply", `no reply in ${JSON.stringify(effects)}`);
  return found.reply;
}

/** The attempt that was asked for an invocation with this seq. */
export function attemptOf(effects: readonly Effect[], seq: number): AttemptRef {
  return attemptIn(effects.filter((effect) => "seq" in effect && effect.seq === seq));
}

export const types = (effects: readonly Effect[]) => effects.map((effect) => effect.type);

export const run = (resultCompletionId: number): Command => ({
  type: MessageType.RunCommand,
  resultCompletionId,
  name: "step",
});
export const sleep = (resultCompletionId: number, wakeUpTimeMs: number): Command => ({
  type: MessageType.SleepCommand,
  resultCompletionId,
  wakeUpTimeMs,
  name: "",
});
export const output = (value: string): Command => ({
  type: MessageType.OutputCommand,
  result: { kind: "value", value: text(value) },
  name: "",
});
export const call = (over: { service?: string; idempotencyKey?: string } = {}): Command => ({
  type: MessageType.CallCommand,
  service: "Greeter",
  handler: "greet",
  key: "",
  parameter: text("child"),
  headers: [],
  invocationIdCompletionId: 1,
  resultCompletionId: 2,
  name: "",
  ...over,
});
export const value = (content: string) => ({ kind: "value" as const, value: text(content) });
export const suspendOn = (
  attempt: AttemptRef,
  knownEntries: number,
  ids: number[],
  signals = [1],
): Input => ({
  type: "suspend",
  attempt,
  knownEntries,
  suspension: { type: MessageType.Suspension, completions: ids, signals, namedSignals: [] },
});
export const failed = (
  attempt: AttemptRef,
  over: Partial<Extract<Input, { type: "fail" }>> = {},
): Input => ({
  type: "fail",
  attempt,
  failure: { code: 500, errorCode: "RT0007", message: "boom" },
  retryAfterMs: null,
  behavior: "retry",
  countsForSdk: true,
  ...over,
});
