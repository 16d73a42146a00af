/**
 * The machine against a naive model: random histories of calls, steps, sleeps, signals, failures and time, in any order, also from
 * attempts that are long gone. The model keeps each invocation as a list of entry names and knows nothing of storage or effects.
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
import { finishStep, newStep } from "./step.ts";

const T0 = 1_800_000_000_000;
const MAX_ATTEMPTS = 3;
const bytes = (text: string) => new TextEncoder().encode(text);

function idOf(number: number): Uint8Array {
  const id = new Uint8Array(24);
  new DataView(id.buffer).setUint32(20, number + 1);
  return id;
}

/** One invocation as the model sees it. */
interface Naive {
  status: "running" | "suspended" | "backing-off" | "paused" | "completed" | "scheduled";
  journal: string[];
  /** Completions and signals in the journal, in order, with their place. */
  heard: { key: string; index: number }[];
  awaits: string[];
  openRuns: number[];
  sleeps: { id: number; dueMs: number }[];
  failures: number;
  /** How often it was asked to run. */
  starts: number;
  /** Journal length when the current attempt was asked for. */
  known: number;
  startAtMs: number;
  nextId: number;
  hasOutput: boolean;
}

class Model {
  readonly all = new Map<number, Naive>();

  invoke(number: number, startAtMs: number, nowMs: number): void {
    if (this.all.has(number)) return;
    const later = startAtMs > nowMs;
    const made: Naive = {
      status: later ? "scheduled" : "running",
      journal: ["InputCommand"],
      heard: [],
      awaits: [],
      openRuns: [],
      sleeps: [],
      failures: 0,
      starts: later ? 0 : 1,
      known: 1,
      startAtMs,
      nextId: 1,
      hasOutput: false,
    };
    this.all.set(number, made);
  }

  run(it: Naive): void {
    it.status = "running";
    it.starts += 1;
    it.known = it.journal.length;
  }

  hear(it: Naive, entry: string, key: string): void {
    if (it.status === "completed") return;
    it.heard.push({ key, index: it.journal.length });
    it.journal.push(entry);
    if (it.status === "suspended" && it.awaits.includes(key)) this.run(it);
  }

  suspend(it: Naive, awaits: string[]): void {
    it.status = "suspended";
    it.awaits = awaits;
    it.failures = 0;
    const news = it.heard.filter((each) => each.index >= it.known);
    if (news.some((each) => awaits.includes(each.key))) this.run(it);
  }

  fail(it: Naive): void {
    it.failures += 1;
    it.status = it.failures < MAX_ATTEMPTS ? "backing-off" : "paused";
  }
}

/** What the test knows of the real side: the attempts it was asked to start, newest last. */
class Real {
  readonly store = new MemoryStore();
  readonly attempts: AttemptRef[] = [];
  readonly seqOf = new Map<number, number>();
  readonly starts = new Map<number, number[]>();
  readonly finished = new Map<number, number>();
  nowMs = T0;

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
      ]),
    });
  }

  apply(...inputs: Input[]): void {
    const effects = this.store.transact((tx) => {
      const step = newStep(tx, this.nowMs);
      for (const input of inputs) apply(step, input);
      return finishStep(step);
    });
    for (const effect of effects) this.see(effect);
  }

  see(effect: Effect): void {
    if (effect.type === "start-attempt") {
      const { seq, epoch } = effect;
      this.attempts.push({ seq, epoch, deploymentId: "dp_1", protocolVersion: 6 });
      const epochs = this.starts.get(seq) ?? [];
      assert(epoch > (epochs.at(-1) ?? -1), "each attempt has a higher epoch than the last");
      this.starts.set(seq, [...epochs, epoch]);
    } else if (effect.type === "finished") {
      this.finished.set(effect.seq, (this.finished.get(effect.seq) ?? 0) + 1);
    }
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
    return [{ type: "propose-run", attempt, completionId: it.openRuns[0] ?? 0, result }];
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
  expect(it: Naive): void {
    it.journal.push("OutputCommand");
    it.status = "completed";
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
      target: { service: "S", handler: "h", key: null },
      headers: [],
      parameter: bytes("in"),
      idempotencyKey: null,
      startAtMs,
      caller: null,
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
    if (this.index === 17 && it.heard.some((each) => each.key === key)) return;
    if (this.index === 1 && it.status === "scheduled") {
      it.journal.push("OutputCommand");
      it.status = "completed";
      return;
    }
    const wasPaused = it.status === "paused";
    model.hear(it, "Signal", key);
    if (this.index === 1 && wasPaused) {
      it.failures = 0;
      model.run(it);
    }
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
      if (it.status === "scheduled") model.run(it);
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
  for (const [number, it] of model.all) {
    const seq = real.seqOf.get(number) ?? -1;
    const found = real.store.read((reader) => reader.invocation(seq));
    assert.equal(found?.state.status, it.status);
    const names = real.store.read((reader) =>
      reader.entries(seq, 0, 10_000).map((entry) => messageTypeName(entry.type)),
    );
    assert.deepEqual(names, it.journal);
    assert.equal(found?.journal.length, it.journal.length);
    assert.equal(real.starts.get(seq)?.length ?? 0, it.starts);
    assert.equal(real.finished.get(seq) ?? 0, it.status === "completed" ? 1 : 0);
    if (it.status === "running") assert.equal(real.current(number)?.epoch, found?.epoch);
  }
}

const number = fc.nat(3);
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
  ];
  fc.assert(
    fc.property(fc.commands(steps, { maxCommands: 80, size: "+1" }), (commands) => {
      fc.modelRun(() => ({ model: new Model(), real: new Real() }), commands);
    }),
    { numRuns: 1000 },
  );
});
