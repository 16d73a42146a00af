/** `TestEnvironment`: services in the process of the test, against the server's own core, in a time of their own. */
import type { ServiceDefinition, ServiceDefinitionFrom, Service } from "../define/definition.ts";
import { type Duration, durationToMs } from "../define/duration.ts";
import type { TypedState } from "../define/keyed-context.ts";
import type { ServiceModel } from "../define/model.ts";
import { type Serde, serde } from "../define/serde.ts";
import { ServedServices } from "../endpoint/served-services.ts";
import type {
  Ingress,
  IngressClient,
  IngressSendClient,
  IngressWorkflowClient,
} from "../ingress-client/api.ts";
import { connect } from "../ingress-client/connect.ts";
import { parseInvocationId } from "../protocol/ids.ts";
import type { JournalFixture } from "../protocol/journal-fixture.ts";
import { wholeJournal } from "../../server/admin/journal-file.ts";
import type { Reply } from "../../server/machine/effect.ts";
import type { Input } from "../../server/machine/input.ts";
import type { Invocation } from "../../server/machine/invocation.ts";
import type { Reader } from "../../server/machine/tx.ts";
import type { TestEnvironmentOptions } from "./environment-options.ts";
import { type FailOptions, Faults, type FaultScope } from "./faults.ts";
import { InProcessFetch } from "./in-process-fetch.ts";
import type { InvocationInfo, JournalEntry } from "./inspection.ts";
import { InstanceState } from "./instance-state.ts";
import { explanation, invocationInfo } from "./invocation-view.ts";
import { journalEntry } from "./journal-view.ts";
import { Pump } from "./pump.ts";
import { ServerCore } from "./server-core.ts";
import type { StateOf } from "./state-of.ts";
import { StuckError } from "./stuck-error.ts";
import { findWithFaults } from "./served-with-faults.ts";
import { VirtualClock } from "./virtual-clock.ts";

const START_MS = Date.UTC(2026, 0, 1);
const STUCK_AFTER_MS = 2000;
/** Nothing further away is waited for by itself: what is forgotten after years is no reason to move on. */
const HORIZON_MS = 366 * 24 * 60 * 60 * 1000;
/** What one error tells of. */
const REASONS_MAX = 10;

/** Part of an object that names an invocation: its id, or what a send client resolves to. */
export type InvocationRef = string | { readonly invocationId: string };

/** The time of an environment. */
export interface TestClock {
  /** Milliseconds since the Unix epoch, as `ctx.date.now()` tells. */
  nowMs(): number;
  /** Moves on. Resolves when everything due by then has happened, in order. A number is milliseconds. */
  advance(duration: Duration | number): Promise<void>;
}

/**
 * Runs services in this process against the core of the Holdfast server: no socket, no container, no waiting. Sleeps, delays, retries
 * and time limits of the server take no real time and come in order.
 *
 * @example
 * await using env = await TestEnvironment.start({ services: [checkout] });
 * env.failOnce("charge");
 * const receipt = await env.client(checkout).place({ id: "o-1" });
 */
export class TestEnvironment implements AsyncDisposable {
  readonly #clock: VirtualClock;
  readonly #pump: Pump;
  readonly #core: ServerCore;
  readonly #faults = new Faults();
  readonly #fetch: InProcessFetch;
  readonly #models: ReadonlyMap<string, ServiceModel>;
  readonly #isTimeManual: boolean;
  #isClosed = false;

  /** The client of `@holdfast/sdk/client`, on this environment: all it can do, such as awakeables, messages, and results. */
  readonly ingress: Ingress;
  readonly clock: TestClock;

  /** Resolves in a few milliseconds. Throws `TypeError` for what cannot be served, as an endpoint does. */
  static async start(options: TestEnvironmentOptions): Promise<TestEnvironment> {
    const environment = new TestEnvironment(options);
    await environment.#core.register();
    return environment;
  }

  private constructor(options: TestEnvironmentOptions) {
    const { alwaysReplay = false, startAt, stuckAfterMs = STUCK_AFTER_MS, time = "auto" } = options;
    const services = new ServedServices({
      ...options,
      defaultServiceOptions: { onJournalMismatchErrors: "fail", ...options.defaultServiceOptions },
    });
    this.#models = new Map(services.models.map((model) => [model.name, model]));
    this.#isTimeManual = time === "manual";
    this.#clock = new VirtualClock(startAt?.getTime() ?? START_MS, () => this.#pump.wake());
    this.#pump = new Pump(this.#clock, {
      isAtRest: () => this.#core.isAtRest,
      skipsTime: time === "auto",
      horizonMs: HORIZON_MS,
      stuckAfterMs,
      onStuck: () => this.#fetch.fail(this.#stuck()),
      onDefect: (error) => this.#fail(error),
    });
    this.#core = new ServerCore({
      clock: this.#clock,
      faults: this.#faults,
      models: services.models,
      find: findWithFaults(services, this.#faults),
      alwaysReplay,
      onDefect: (error) => this.#fail(error),
    });
    this.#fetch = new InProcessFetch({
      handle: (request, response) => this.#core.handle(request, response),
      wait: () => this.#pump.wait(),
      soon: (happen) => void this.#clock.after(0, happen),
    });
    this.ingress = connect({
      url: "http://testing.invalid",
      fetch: this.#fetch.fetch,
      retry: false,
    });
    this.clock = {
      nowMs: () => this.#clock.nowMs(),
      advance: (duration) => this.#pump.advance(durationToMs(duration)),
    };
  }

  /**
   * Calls handlers and waits for their results; of an object or a workflow, by its key.
   *
   * @example
   * await env.client(basket, "ada").add("book");
   */
  client<D>(service: ServiceDefinitionFrom<D>, key?: string): IngressClient<Service<D>> {
    this.#requireKey(service.name, key);
    return key === undefined
      ? this.ingress.serviceClient<D>(service)
      : this.ingress.objectClient<D>(service, key);
  }

  /** Starts handlers and does not wait for them; resolves to their invocation ids. */
  sendClient<D>(service: ServiceDefinitionFrom<D>, key?: string): IngressSendClient<Service<D>> {
    this.#requireKey(service.name, key);
    return key === undefined
      ? this.ingress.serviceSendClient<D>(service)
      : this.ingress.objectSendClient<D>(service, key);
  }

  /** Starts one workflow, waits for it, and calls its shared handlers. */
  workflowClient<D>(
    workflow: ServiceDefinitionFrom<D>,
    key: string,
  ): IngressWorkflowClient<Service<D>> {
    this.#requireKey(workflow.name, key);
    return this.ingress.workflowClient<D>(workflow, key);
  }

  /**
   * The state of one key of an object or a workflow. Its values are written with the serde of the service, unless another is given.
   *
   * @example
   * await env.stateOf<{ items: string[] }>(basket, "ada").set("items", ["book"]);
   */
  stateOf<TState extends TypedState = TypedState>(
    { name: service }: ServiceDefinition<string, unknown>,
    key: string,
    valueSerde?: Serde<unknown>,
  ): StateOf<TState> {
    this.#requireKey(service, key);
    const own = valueSerde ?? this.#models.get(service)?.options.serde ?? serde.json;
    return new InstanceState(this.#core, { service, key }, own);
  }

  /** Resolves when nothing more happens while time stands still: handlers are done, or wait. */
  settled(): Promise<void> {
    return this.#pump.settled();
  }

  /** The next execution of a step with this name fails, once; its action is not called. */
  failOnce(step: string, options: FailOptions = {}): void {
    this.#faults.failTimes(step, 1, options);
  }

  /** The next `times` executions of steps with this name fail; their actions are not called. */
  failTimes(step: string, times: number, options: FailOptions = {}): void {
    this.#faults.failTimes(step, times, options);
  }

  /**
   * Once: the attempt is cut right after the result of a step was recorded, and the handler replays. The step by its name, or by its
   * number among the steps of an invocation, from 1.
   */
  crashAfter(step: string | number, scope: FaultScope = {}): void {
    this.#faults.crashAfter(step, scope);
  }

  /** Once: the attempt is cut when a step was executed and before its result is recorded, so that it is executed again. */
  crashDuring(step: string | number, scope: FaultScope = {}): void {
    this.#faults.crashDuring(step, scope);
  }

  /** All that has been recorded of an invocation, in order. */
  journal(invocation: InvocationRef): readonly JournalEntry[] {
    return this.#readInvocation(invocation, (reader, { seq, journal }) =>
      reader.entries(seq, 0, journal.length).map((entry) => journalEntry(entry)),
    );
  }

  /** What an invocation is doing, how many attempts it took, what it ended with. */
  invocation(invocation: InvocationRef): InvocationInfo {
    return this.#readInvocation(invocation, (reader, found) => this.#info(reader, found));
  }

  /** Those that were started so far, also by handlers, the first one first. */
  invocations(): readonly InvocationInfo[] {
    return this.#core.read((reader) =>
      this.#all(reader).map((invocation) => this.#info(reader, invocation)),
    );
  }

  /** Why an invocation does not go on, in a sentence. */
  why(invocation: InvocationRef): string {
    return this.#readInvocation(invocation, (reader, found) =>
      explanation(reader, this.#core.live, found),
    );
  }

  /** The journal as `holdfast journal export` writes it, for `replay`. */
  exportJournal(invocation: InvocationRef): JournalFixture {
    return this.#readInvocation(invocation, (reader, found) => wholeJournal(reader, found));
  }

  /** Asks a handler to end: it learns of it at its next await, as a `CancelledError`. */
  cancel(invocation: InvocationRef): Promise<void> {
    return this.#operate(invocation, (id, replyTo) => ({ type: "cancel", id, replyTo }));
  }

  /** Ends an invocation, and what it called, without its handler. */
  kill(invocation: InvocationRef): Promise<void> {
    return this.#operate(invocation, (id, replyTo) => ({ type: "kill", id, replyTo }));
  }

  /** Lets a paused invocation go on, or one that waits for its next attempt at once. */
  resume(invocation: InvocationRef): Promise<void> {
    return this.#operate(invocation, (id, replyTo) => ({
      type: "resume",
      id,
      deployment: "keep",
      replyTo,
    }));
  }

  /**
   * Ends everything that is under way. Rejects when a fault that was asked for by the name of a step never happened, which is most
   * often a misspelt name.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#fetch.fail(new Error("the environment is closed"));
    this.#core.stop();
    this.#clock.stop();
    this.#pump.stop();
    const { unused } = this.#faults;
    if (unused.length > 0) {
      throw new Error(
        `${unused.join(", ")} never happened: no step of that name was executed; is it misspelt?`,
      );
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #requireKey(service: string, key: string | undefined): void {
    const model = this.#models.get(service);
    if (model === undefined) throw new TypeError(`the environment does not serve "${service}"`);
    const isKeyed = model.kind !== "service";
    if (isKeyed === (key !== undefined)) return;
    const rule = isKeyed ? "needs a key" : "takes no key";
    throw new TypeError(`"${service}" is ${isKeyed ? "an" : "a plain"} ${model.kind}: it ${rule}`);
  }

  #readInvocation<T>(ref: InvocationRef, read: (reader: Reader, found: Invocation) => T): T {
    const [text, id] = idOf(ref);
    return this.#core.read((reader) => {
      const found = reader.findInvocation(id);
      if (found === undefined) throw new Error(`the invocation ${text} is not known here`);
      return read(reader, found);
    });
  }

  #info(reader: Reader, invocation: Invocation): InvocationInfo {
    return invocationInfo(reader, invocation, this.#core.attemptsOf(invocation.seq));
  }

  #all(reader: Reader): Invocation[] {
    const found: Invocation[] = [];
    const { lastSeq } = this.#core;
    for (let seq = 1; ; seq += 1) {
      const invocation = reader.invocation(seq);
      if (invocation !== undefined) found.push(invocation);
      else if (seq > lastSeq) return found;
    }
  }

  async #operate(
    ref: InvocationRef,
    input: (id: Uint8Array, replyTo: number) => Input,
  ): Promise<void> {
    const [text, id] = idOf(ref);
    const reply: Reply = await this.#core.ask((replyTo) => input(id, replyTo));
    if (reply.kind === "done" || reply.kind === "pending") return;
    const why = reply.kind === "conflict" ? `it is ${reply.status}` : reply.kind;
    throw new Error(`that cannot be done to the invocation ${text}: ${why}`);
  }

  #stuck(): StuckError {
    const reasons = this.#core.read((reader) =>
      this.#all(reader)
        .filter(({ state }) => state.status !== "completed")
        .slice(0, REASONS_MAX)
        .map((invocation) => explanation(reader, this.#core.live, invocation)),
    );
    return new StuckError(reasons, this.#isTimeManual);
  }

  /** A defect of the environment itself: whoever waits is told, and nothing goes on. */
  #fail(error: unknown): void {
    const cause = error instanceof Error ? error : new Error(String(error));
    this.#fetch.fail(new Error(`the test environment failed: ${cause.message}`, { cause }));
    this.#pump.stop();
  }
}

function idOf(ref: InvocationRef): [text: string, id: Uint8Array] {
  const text = typeof ref === "string" ? ref : ref.invocationId;
  const id = parseInvocationId(text);
  if (id === undefined) throw new TypeError(`"${text}" is no invocation id`);
  return [text, id];
}
