/**
 * The single writer. Inputs collect while a barrier is under way and for as long as each turn of the event loop brings more; then
 * they are applied in one transaction, and their effects leave once the barrier that covers the commit has passed, in commit order.
 *
 * P1 Nothing but this class applies inputs, and no `await` stands inside a transaction.
 * P2 No effect is dispatched before everything committed up to its batch is durable.
 * P3 A batch in which an input throws is rolled back and its inputs are applied one by one: a defect costs one input, never
 *    its neighbours. A failure of the medium stops the processor: what is on disk is unknown from there on.
 * P4 A batch with large values may be rolled back while these go to the disk, and is then run again before anything else.
 */
import { StorageError } from "../base/storage-error.ts";
import type { Clock } from "../base/clock.ts";
import { present } from "../base/assert.ts";
import { Deferred } from "../base/deferred.ts";
import { apply } from "../machine/apply.ts";
import type { Effect, Reply, ReplyEffect } from "../machine/effect.ts";
import type { AttemptRef, Input, ReplyTo, TimersDue } from "../machine/input.ts";
import { TIMERS_PER_BATCH_MAX } from "../machine/timer.ts";
import { finishStep, newStep } from "../machine/step.ts";
import type { Reader } from "../machine/tx.ts";
import { DEFAULT_SETTINGS, type MachineSettings } from "../machine/settings.ts";
import { dispatch } from "./dispatch.ts";
import { type Observer, SILENT } from "./observer.ts";
import type { Door, Ports, Store } from "./ports.ts";

/** So many inputs go into one transaction; the rest into the next, so that answers are not held up by a flood. */
const BATCH_INPUTS_MAX = 1024;

/** A batch is never held longer than this for more inputs, in turns of the event loop. */
const COLLECT_TURNS_MAX = 4;

/** From then on streams are paused: an endpoint that sends without end fills its own windows, not our memory. */
const CONGESTED_INPUTS = 4 * BATCH_INPUTS_MAX;
const CONGESTED_BYTES = 64 * 1024 * 1024;
const CONGESTED_BARRIERS = 16;

export interface ProcessorOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Default: `DEFAULT_SETTINGS`. */
  readonly settings?: MachineSettings;
  /** Default: nobody. */
  readonly observer?: Observer;
  /** Runs a function at the end of this turn of the event loop. Default `setImmediate`. */
  readonly schedule?: (fn: () => void) => void;
  /** The medium failed; the process must stop. Called once. */
  readonly onFatal: (error: Error) => void;
  /** An input could not be applied: a defect of ours, to be logged. */
  readonly onDefect: (error: unknown, input: Input) => void;
}

export class Processor implements Door {
  readonly #options: ProcessorOptions;
  readonly #schedule: (fn: () => void) => void;
  readonly #answers = new Map<number, (reply: Reply) => void>();
  readonly #settings: MachineSettings;
  readonly #observer: Observer;
  #ports: Ports | null = null;
  #queue: Input[] = [];
  #queueBytes = 0;
  /** A batch that waits for its large values to be on the disk; nothing overtakes it. */
  #deferred: readonly Input[] | null = null;
  readonly #congested: (() => void)[] = [];
  #scheduled = false;
  #stopped = false;
  #nextReplyTo = 1;
  #barriersUnderWay = 0;
  /** Those of them whose disk has not synced yet. */
  #syncsUnderWay = 0;
  /** Turns for which the next batch has been growing, and its length in the last of them. */
  #turns = 0;
  #lengthBefore = 0;

  constructor(options: ProcessorOptions) {
    this.#options = options;
    this.#settings = options.settings ?? DEFAULT_SETTINGS;
    this.#observer = options.observer ?? SILENT;
    this.#schedule = options.schedule ?? ((fn) => void setImmediate(fn));
  }

  /** The shells, which need the door themselves: connected once, before the first input. */
  connect(ports: Ports): void {
    this.#ports = ports;
  }

  submit(input: Input): void {
    this.#queue.push(input);
    this.#queueBytes += bytesOf(input);
    this.#wake();
  }

  get isCongested(): boolean {
    return (
      this.#queue.length > CONGESTED_INPUTS ||
      this.#queueBytes > CONGESTED_BYTES ||
      this.#barriersUnderWay > CONGESTED_BARRIERS
    );
  }

  whenRelieved(fn: () => void): void {
    this.#congested.push(fn);
  }

  ask(input: (replyTo: number) => Input, answer: (reply: Reply) => void): void {
    const replyTo = this.#nextReplyTo++;
    this.#answers.set(replyTo, answer);
    this.submit(input(replyTo));
  }

  get isDurable(): boolean {
    return this.#options.store.isDurable;
  }

  read<T>(fn: (reader: Reader) => T): T {
    return this.#options.store.read(fn);
  }

  async readDurable<T>(fn: (reader: Reader) => T): Promise<T> {
    const value = this.read(fn);
    await this.#barrier();
    return value;
  }

  /** Resolves when everything submitted so far is applied and durable. */
  async settled(): Promise<void> {
    while ((this.#queue.length > 0 || this.#deferred !== null) && !this.#stopped) {
      await new Promise<void>((resolve) => this.#schedule(resolve));
    }
    await this.#barrier();
  }

  /** Applies nothing more; what is queued is dropped, as by a crash. */
  stop(): void {
    this.#stopped = true;
    this.#queue = [];
    this.#deferred = null;
  }

  #barrier(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#options.store.barrier((error) => (error === null ? resolve() : reject(error)));
    });
  }

  #wake(): void {
    if (this.#scheduled || this.#stopped) return;
    if (this.#isSyncUnderWay && this.#queue.length < BATCH_INPUTS_MAX) return;
    this.#scheduled = true;
    this.#schedule(this.#flush);
  }

  readonly #flush = (): void => {
    if (this.#stopped) return;
    if (this.#isGrowing()) return this.#schedule(this.#flush);
    const { commitGate } = this.#options.store;
    if (commitGate !== null) return void commitGate.then(this.#flush);
    this.#scheduled = false;
    const mayDefer = this.#deferred === null;
    const batch = this.#deferred ?? this.#take();
    this.#deferred = null;
    try {
      const beganMs = performance.now();
      const effects = this.#commit(batch, mayDefer);
      const commitMs = performance.now() - beganMs;
      this.#observer.batch({ inputs: batch.length, effects: effects.length, commitMs });
      if (effects.length > 0) this.#dispatchDurable(effects);
    } catch (error) {
      if (error instanceof Deferred) return this.#defer(batch, error.until);
      this.#fail(error);
    }
    if (this.#queue.length > 0) this.#wake();
    return this.#relieve();
  };

  #take(): readonly Input[] {
    const batch = this.#queue.splice(0, BATCH_INPUTS_MAX);
    for (const input of batch) this.#queueBytes -= bytesOf(input);
    return batch;
  }

  #defer(batch: readonly Input[], until: Promise<void>): void {
    this.#deferred = batch;
    this.#scheduled = true;
    until.then(this.#flush, (error: unknown) => this.#fail(error));
  }

  #relieve(): void {
    if (this.#congested.length === 0 || this.isCongested) return;
    for (const relieved of this.#congested.splice(0)) relieved();
  }

  /**
   * While more comes in with each turn it pays to wait for one more: a turn costs microseconds, a transaction and its barrier
   * a hundred times that. A lone input waits for one.
   */
  #isGrowing(): boolean {
    const { length } = this.#queue;
    const isGrowing = length > this.#lengthBefore && length < BATCH_INPUTS_MAX;
    if (isGrowing && this.#turns < COLLECT_TURNS_MAX) {
      this.#turns += 1;
      this.#lengthBefore = length;
      return true;
    }
    this.#turns = 0;
    this.#lengthBefore = 0;
    return false;
  }

  #commit(batch: readonly Input[], mayDefer: boolean): readonly Effect[] {
    try {
      return this.#transact(batch, mayDefer);
    } catch (error) {
      if (error instanceof StorageError || error instanceof Deferred) throw error;
      return batch.flatMap((input) => this.#commitAlone(input));
    }
  }

  #transact(batch: readonly Input[], mayDefer = false): readonly Effect[] {
    const nowMs = this.#options.clock.nowMs();
    return this.#options.store.transact(
      (tx) => {
        const step = newStep(tx, nowMs, this.#settings);
        for (const input of batch) apply(step, input);
        return finishStep(step);
      },
      { mayDefer },
    );
  }

  #commitAlone(input: Input): readonly Effect[] {
    try {
      return this.#transact([input]);
    } catch (error) {
      if (error instanceof StorageError) throw error;
      this.#options.onDefect(error, input);
      return this.#refuse(input, error);
    }
  }

  /** What stands in for an input that could not be applied, so that nobody waits for what will not come. */
  #refuse(input: Input, error: unknown): readonly Effect[] {
    const message = error instanceof Error ? error.message : String(error);
    const replyTo: ReplyTo = "replyTo" in input ? input.replyTo : null;
    if (replyTo !== null) {
      return [{ type: "reply", to: replyTo, reply: { kind: "failed", message } }];
    }
    if (input.type === "timers-due") return this.#refuseTimers(input);
    if (input.type === "fetch-ready") return [{ type: "ready-page", lastSeq: null }];
    return "attempt" in input ? this.#refuseAttempt(input, message) : [];
  }

  /** The attempt fails in place of a silence; where even that cannot be applied, the invocation pauses. */
  #refuseAttempt(
    input: Input & { readonly attempt: AttemptRef },
    message: string,
  ): readonly Effect[] {
    const { attempt } = input;
    const { seq, epoch } = attempt;
    const failure = { code: 500, errorCode: "RT0006", message: `internal error: ${message}` };
    const behavior = input.type === "fail" ? "pause" : "retry";
    if (input.type === "fail" && input.behavior === "pause") return [];
    const fail = { type: "fail", attempt, failure, behavior, retryAfterMs: null } as const;
    const effects = this.#commitAlone({ ...fail, countsForSdk: true });
    return [{ type: "close-attempt", seq, epoch }, ...effects];
  }

  /** One of a page of timers cannot be applied: each is tried alone, and that one is dropped. */
  #refuseTimers({ limit, drop }: TimersDue): readonly Effect[] {
    if (drop === true) return [];
    if (limit === 1) return this.#commitAlone({ type: "timers-due", limit, drop: true });
    const effects: Effect[] = [];
    for (let count = 0; count < TIMERS_PER_BATCH_MAX; count += 1) {
      effects.push(...this.#commitAlone({ type: "timers-due", limit: 1 }));
    }
    return effects;
  }

  #dispatchDurable(effects: readonly Effect[]): void {
    this.#barriersUnderWay += 1;
    this.#syncsUnderWay += 1;
    const beganMs = performance.now();
    let isSynced = false;
    const synced = (): void => {
      if (isSynced) return;
      isSynced = true;
      this.#syncsUnderWay -= 1;
      if (this.#queue.length > 0) this.#wake();
    };
    this.#options.store.barrier((error) => {
      this.#barriersUnderWay -= 1;
      synced();
      this.#observer.barrier(performance.now() - beganMs);
      if (error !== null) return this.#fail(error);
      if (this.#stopped) return undefined;
      const ports = present(this.#ports, "the ports of the processor");
      for (const effect of effects) dispatch(effect, ports, this.#answer);
      if (this.#queue.length > 0) this.#wake();
      return this.#relieve();
    }, synced);
  }

  /**
   * What is committed now would have to wait for the next sync, which begins when this one ends: so it collects until then,
   * and costs one transaction instead of several.
   */
  get #isSyncUnderWay(): boolean {
    return this.#syncsUnderWay > 0;
  }

  readonly #answer = (effect: ReplyEffect): void => {
    const answer = this.#answers.get(effect.to);
    this.#answers.delete(effect.to);
    answer?.(effect.reply);
  };

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
  }
}

/** What an input of an attempt holds; requests from outside have a budget of their own. */
function bytesOf(input: Input): number {
  if (input.type === "append-command") return input.body.length;
  return input.type === "propose-run" && input.result.kind === "value"
    ? input.result.value.length
    : 0;
}
