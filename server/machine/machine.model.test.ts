/**
 * The machine against a naive model: random histories of calls, steps, sleeps, signals, failures, operations and time, in any order,
 * also from attempts that are long gone. The model keeps each invocation as a list of entry names, each key as a list of who wants
 * it, and knows nothing of storage or effects.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType, messageTypeName } from "../../sdk/protocol/message-type.ts";
import type { Command } from "../../sdk/protocol/messages.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { apply } from "./apply.ts";
import { deploymentOf } from "./deployment.suite.ts";
import type { Effect } from "./effect.ts";
import type { AttemptRef, Input } from "./input.ts";
import {
  keyOf,
  MAX_ATTEMPTS,
  Model,
  type Naive,
  NUMBERS,
  targetOf,
} from "./machine.model.suite.ts";
import { DEFAULT_SETTINGS } from "./settings.ts";
import { finishStep, newStep } from "./step.ts";

const T0 = 1_800_000_000_000;
const bytes = (text: string) => new TextEncoder().encode(text);

function idOf(number: number): Uint8Array {
  const id = new Uint8Array(24);
  new DataView(id.buffer).setUint32(20, number + 1);
  return id;
}

/** What the test knows of the real side: the attempts it was asked to start, newest last. */
class Real {
  readonly store = new MemoryStore();
  readonly attempts: AttemptRef[] = [];
  readonly seqOf = new Map<number, number>();
  readonly starts = new Map<number, number[]>();
  readonly finished = new Map<number, number>();
  nowMs = T0;
  /** Attempts are asked for once more: the invoker said that it has none. */
  isRepeating = false;

  constructor() {
    this.apply({
      type: "register-deployment",
      replyTo: null,
      deployment: deploymentOf(T0, [
        {
          name: "S",
          ty: "SERVICE",
          handlers: [{ name: "h", retryPolicyMaxAttempts: MAX_ATTEMPTS }],
        },
        {
          name: "O",
          ty: "VIRTUAL_OBJECT",
          handlers: [{ name: "x", retryPolicyMaxAttempts: MAX_ATTEMPTS }],
        },
      ]),
    });
  }

  apply(...inputs: Input[]): void {
    const effects = this.store.transact((tx) => {
      const step = newStep(tx, this.nowMs, DEFAULT_SETTINGS);
      for (const input of inputs) apply(step, input);
      return finishStep(step);
    });
    for (const effect of effects) this.see(effect);
  }

  see(effect: Effect): void {
    if (effect.type === "start-attempt") {
      const { seq, epoch } = effect;
      if (this.isRepeating) return assert.equal(epoch, this.starts.get(seq)?.at(-1));
      this.attempts.push({ seq, epoch, deploymentId: "dp_1", protocolVersion: 6 });
      const epochs = this.starts.get(seq) ?? [];
      assert(epoch > (epochs.at(-1) ?? -1), "each attempt has a higher epoch than the last");
      this.starts.set(seq, [...epochs, epoch]);
    } else if (effect.type === "finished") {
      this.finished.set(effect.seq, (this.finished.get(effect.seq) ?? 0) + 1);
    }
    return undefined;
  }

  current(number: number): AttemptRef | undefined {
    const seq = this.seqOf.get(number);
    return this.attempts.findLast((attempt) => attempt.seq === seq);
  }
}

type Step = fc.Command<Model, Real>;

/** A step that an attempt takes; what a stale one says must change nothing. */
abstract class AttemptStep implements Step {
  readonly number: number;
  readonly stale: boolean;

  constructor(number: number, stale: boolean) {
    this.number = number;
    this.stale = stale;
  }

  check(model: Readonly<Model>): boolean {
    const it = model.all.get(this.number);
    return it !== undefined && it.starts > 0 && (this.stale || it.status === "running");
  }

  run(model: Model, real: Real): void {
    const it = model.all.get(this.number);
    const attempt = this.stale ? this.#past(model, real) : real.current(this.number);
    if (it === undefined || attempt === undefined) return;
    if (this.stale) {
      real.apply(...this.inputs(structuredClone(it), attempt, real));
    } else {
      real.apply(...this.inputs(it, attempt, real));
      this.expect(it, model, real);
    }
    compare(model, real);
  }

  #past(model: Model, real: Real): AttemptRef | undefined {
    const seq = real.seqOf.get(this.number);
    const running = model.all.get(this.number)?.status === "running";
    const mine = real.attempts.filter((attempt) => attempt.seq === seq);
    return running ? mine.at(-2) : mine.at(-1);
  }

  abstract inputs(it: Naive, attempt: AttemptRef, real: Real): Input[];
  abstract expect(it: Naive, model: Model, real: Real): void;
}

function append(attempt: AttemptRef, command: Command): Input {
  return {
    type: "append-command",
    attempt,
    command,
    body: encodeBody(command),
    ackRequested: false,
  };
}

class RunStep extends AttemptStep {
  inputs(it: Naive, attempt: AttemptRef): Input[] {
    const resultCompletionId = it.nextId;
    return [append(attempt, { type: MessageType.RunCommand, resultCompletionId, name: "r" })];
  }
  expect(it: Naive): void {
    it.openRuns.push(it.nextId++);
    it.journal.push("RunCommand");
  }
}

class Propose extends AttemptStep {
  override check(model: Readonly<Model>): boolean {
    return super.check(model) && (model.all.get(this.number)?.openRuns.length ?? 0) > 0;
  }
  inputs(it: Naive, attempt: AttemptRef): Input[] {
    const result = { kind: "value", value: bytes("r") } as const;
    const completionId = it.openRuns[0] ?? 0;
    return [{ type: "propose-run", attempt, completionId, result, ackRequested: false }];
  }
  expect(it: Naive, model: Model): void {
    model.hear(it, "RunCompletion", `c${it.openRuns.shift()}`);
  }
}

class Sleep extends AttemptStep {
  inputs(it: Naive, attempt: AttemptRef, real: Real): Input[] {
    const wakeUpTimeMs = real.nowMs + 50;
    const resultCompletionId = it.nextId;
    return [
      append(attempt, {
        type: MessageType.SleepCommand,
        resultCompletionId,
        wakeUpTimeMs,
        name: "",
      }),
    ];
  }
  expect(it: Naive, _model: Model, real: Real): void {
    it.sleeps.push({ id: it.nextId++, dueMs: real.nowMs + 50 });
    it.journal.push("SleepCommand");
  }
}

class Suspend extends AttemptStep {
  inputs(it: Naive, attempt: AttemptRef): Input[] {
    const completions = Array.from({ length: it.nextId - 1 }, (_, index) => index + 1);
    const signals = [1, 17];
    return [
      {
        type: "suspend",
        attempt,
        knownEntries: it.known,
        suspension: { type: MessageType.Suspension, completions, signals, namedSignals: [] },
      },
    ];
  }
  expect(it: Naive, model: Model): void {
    const completions = Array.from({ length: it.nextId - 1 }, (_, index) => `c${index + 1}`);
    model.suspend(it, [...completions, "#1", "#17"]);
  }
}

class End extends AttemptStep {
  inputs(_it: Naive, attempt: AttemptRef): Input[] {
    const result = { kind: "value", value: bytes("out") } as const;
    return [
      append(attempt, { type: MessageType.OutputCommand, result, name: "" }),
      { type: "end", attempt },
    ];
  }
  expect(it: Naive, model: Model): void {
    it.journal.push("OutputCommand");
    model.complete(it);
  }
}

class Fail extends AttemptStep {
  inputs(_it: Naive, attempt: AttemptRef): Input[] {
    const failure = { code: 500, errorCode: "RT0007", message: "no" };
    return [
      { type: "fail", attempt, failure, retryAfterMs: null, behavior: "retry", countsForSdk: true },
    ];
  }
  expect(it: Naive, model: Model): void {
    model.fail(it);
  }
}

class Invoke implements Step {
  readonly number: number;
  readonly delayMs: number;
  constructor(number: number, delayMs: number) {
    this.number = number;
    this.delayMs = delayMs;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, real: Real): void {
    const startAtMs = this.delayMs === 0 ? 0 : real.nowMs + this.delayMs;
    real.apply({
      type: "invoke",
      id: idOf(this.number),
      target: targetOf(this.number),
      headers: [],
      parameter: bytes("in"),
      idempotencyKey: null,
      startAtMs,
      caller: null,
      trace: null,
      replyTo: null,
    });
    const found = real.store.read((reader) => reader.findInvocation(idOf(this.number)));
    assert(found !== undefined);
    real.seqOf.set(this.number, found.seq);
    model.invoke(this.number, startAtMs, real.nowMs);
    compare(model, real);
  }
  toString(): string {
    return `Invoke(${this.number}, +${this.delayMs})`;
  }
}

class Signal implements Step {
  readonly number: number;
  readonly index: number;
  constructor(number: number, index: number) {
    this.number = number;
    this.index = index;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, real: Real): void {
    const { number, index } = this;
    const result = { kind: "void" } as const;
    const signal = { kind: "signal-index", index } as const;
    real.apply({ type: "signal", id: idOf(number), signal, result, replyTo: null });
    const it = model.all.get(number);
    if (it !== undefined) this.#expect(it, model);
    compare(model, real);
  }
  #expect(it: Naive, model: Model): void {
    const key = `#${this.index}`;
    if (this.index === 1) return model.cancel(it);
    if (it.heard.some((each) => each.key === key)) return undefined;
    return model.hear(it, "Signal", key);
  }
}

const OPERATIONS = ["cancel", "kill", "pause", "resume", "purge"] as const;

/** What an operator asks for; in a state where it cannot be done nothing changes. */
class Operate implements Step {
  readonly number: number;
  readonly what: (typeof OPERATIONS)[number];
  constructor(number: number, what: (typeof OPERATIONS)[number]) {
    this.number = number;
    this.what = what;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, real: Real): void {
    real.apply(this.#input());
    const it = model.all.get(this.number);
    if (it !== undefined) this.#expect(it, model);
    compare(model, real);
  }
  #input(): Input {
    const id = idOf(this.number);
    switch (this.what) {
      case "resume":
        return { type: this.what, id, deployment: "keep", replyTo: null };
      case "purge":
        return { type: this.what, id, journalOnly: false, replyTo: null };
      default:
        return { type: this.what, id, replyTo: null };
    }
  }
  #expect(it: Naive, model: Model): void {
    switch (this.what) {
      case "cancel":
        return model.cancel(it);
      case "kill":
        if (it.status === "completed") return undefined;
        it.journal.push("OutputCommand");
        return model.complete(it);
      case "pause":
        if (it.status === "running") it.isPausing = true;
        if (it.status === "suspended" || it.status === "backing-off") it.status = "paused";
        return undefined;
      case "resume":
        if (it.status === "running") it.isPausing = false;
        if (["suspended", "backing-off", "paused"].includes(it.status)) {
          it.failures = 0;
          model.run(it);
        }
        return undefined;
      case "purge":
        if (it.status === "completed") model.all.delete(it.number);
        return undefined;
      default:
        return undefined;
    }
  }
  toString(): string {
    return `${this.what}(${this.number})`;
  }
}

/** The attempt of an invocation is gone that was to pause, and may have been told to go on since. */
class Yield implements Step {
  readonly number: number;
  constructor(number: number) {
    this.number = number;
  }
  check(model: Readonly<Model>): boolean {
    return model.all.get(this.number)?.status === "running";
  }
  run(model: Model, real: Real): void {
    const it = model.all.get(this.number);
    const attempt = real.current(this.number);
    if (it === undefined || attempt === undefined) return;
    real.isRepeating = !it.isPausing;
    real.apply({ type: "yield", seq: attempt.seq, epoch: attempt.epoch });
    real.isRepeating = false;
    if (it.isPausing) it.status = "paused";
    compare(model, real);
  }
}

const STATE_NAME = bytes("n");

class SetState extends AttemptStep {
  override check(model: Readonly<Model>): boolean {
    return super.check(model) && keyOf(this.number) !== null;
  }
  inputs(it: Naive, attempt: AttemptRef): Input[] {
    const value = bytes(`${it.journal.length}`);
    const type = MessageType.SetStateCommand;
    return [append(attempt, { type, key: STATE_NAME, value, name: "" })];
  }
  expect(it: Naive, model: Model): void {
    model.states.set(keyOf(this.number) ?? "", `${it.journal.length}`);
    it.journal.push("SetStateCommand");
  }
}

class Mutate implements Step {
  readonly key: string;
  readonly state: string;
  constructor(key: string, state: string) {
    this.key = key;
    this.state = state;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, real: Real): void {
    real.apply({
      type: "mutate-state",
      instance: { service: "O", key: this.key },
      mutation: { version: null, entries: [{ key: STATE_NAME, value: bytes(this.state) }] },
      replyTo: null,
    });
    model.mutate(this.key, this.state);
    compare(model, real);
  }
}

/** Time passes, past every retry; what is due happens in the order of its due time. */
class Wait implements Step {
  check(): boolean {
    return true;
  }
  run(model: Model, real: Real): void {
    real.nowMs += 100_000;
    real.apply({ type: "timers-due" });
    for (const it of model.all.values()) {
      if (it.status === "scheduled") model.begin(it);
      const due = it.sleeps.filter((sleep) => sleep.dueMs <= real.nowMs);
      it.sleeps = it.sleeps.filter((sleep) => sleep.dueMs > real.nowMs);
      for (const sleep of due) {
        // A sleep of this model is always due before the retry of a later failure.
        model.hear(it, "SleepCompletion", `c${sleep.id}`);
      }
      if (it.status === "backing-off") model.run(it);
    }
    compare(model, real);
  }
  toString(): string {
    return "Wait";
  }
}

function compare(model: Model, real: Real): void {
  for (const [number, seq] of real.seqOf) {
    if (!model.all.has(number)) assert.equal(find(real, seq), undefined, "it was forgotten");
  }
  for (const it of model.all.values()) compareOne(real, it);
  for (const [key, wanted] of model.wanted) compareKey(real, key, wanted, model.states.get(key));
}

function compareOne(real: Real, it: Naive): void {
  const seq = real.seqOf.get(it.number) ?? -1;
  const found = find(real, seq);
  assert.equal(found?.state.status, it.status);
  if (found?.state.status === "running") assert.equal(found.state.isPausing, it.isPausing);
  const names = real.store.read((reader) =>
    reader.entries(seq, 0, 10_000).map((entry) => messageTypeName(entry.type)),
  );
  assert.deepEqual(names, it.journal);
  assert.equal(found?.journal.length, it.journal.length);
  assert.equal(real.starts.get(seq)?.length ?? 0, it.starts);
  assert.equal(real.finished.get(seq) ?? 0, it.status === "completed" ? 1 : 0);
  if (it.status === "running") assert.equal(real.current(it.number)?.epoch, found?.epoch);
}

function compareKey(
  real: Real,
  key: string,
  [holder, ...queue]: readonly (Naive | string)[],
  state: string | undefined,
): void {
  const seqOf = (it: Naive | string | undefined) =>
    typeof it === "object" ? real.seqOf.get(it.number) : undefined;
  const instance = { service: "O", key };
  real.store.read((reader) => {
    assert.equal(reader.lockHolder(instance), seqOf(holder));
    const waiting = queue.filter((each) => typeof each !== "string").map(seqOf);
    assert.deepEqual(reader.queue(instance, 100), waiting);
    const value = reader.stateValue(instance, STATE_NAME);
    assert.equal(value === undefined ? undefined : new TextDecoder().decode(value), state);
  });
}

const find = (real: Real, seq: number) => real.store.read((reader) => reader.invocation(seq));

const number = fc.nat(NUMBERS - 1);
const attemptStep = (make: new (n: number, stale: boolean) => Step) =>
  fc.tuple(number, fc.integer({ min: 0, max: 9 })).map(([n, dice]) => new make(n, dice === 0));

test("agrees with a naive model over random histories", () => {
  const steps = [
    fc.tuple(number, fc.constantFrom(0, 0, 0, 70)).map(([n, delay]) => new Invoke(n, delay)),
    fc.tuple(number, fc.constantFrom(1, 17, 17)).map(([n, index]) => new Signal(n, index)),
    fc.constant(new Wait()),
    attemptStep(RunStep),
    attemptStep(Propose),
    attemptStep(Sleep),
    attemptStep(Suspend),
    attemptStep(End),
    attemptStep(Fail),
    attemptStep(SetState),
    number.map((n) => new Yield(n)),
    fc.tuple(number, fc.constantFrom(...OPERATIONS)).map(([n, what]) => new Operate(n, what)),
    fc
      .tuple(fc.constantFrom("a", "b"), fc.string({ maxLength: 3 }))
      .map(([key, state]) => new Mutate(key, state)),
  ];
  fc.assert(
    fc.property(fc.commands(steps, { maxCommands: 80, size: "+1" }), (commands) => {
      fc.modelRun(() => ({ model: new Model(), real: new Real() }), commands);
    }),
    { numRuns: 1000 },
  );
});
