/** The one implementation of `Context`. */
import type {
  ContextDate,
  InvocationId,
  InvocationReference,
  Rand,
  ReceiveOptions,
  Request,
  RestatePromise,
  RunAction,
  RunOptions,
} from "../define/context.ts";
import { type Duration, durationField, durationToMs } from "../define/duration.ts";
import type { TerminalError } from "../define/errors.ts";
import type { FetchOptions } from "../define/fetch.ts";
import type { ContextInternal } from "../define/internal.ts";
import { LoggerContext } from "../define/logger.ts";
import type { Saga } from "../define/saga.ts";
import { type Serde, serde as serdes } from "../define/serde.ts";
import { awakeableIdToString } from "../protocol/ids.ts";
import { FIRST_USER_SIGNAL } from "../protocol/messages.ts";
import type { Outcome } from "../protocol/messages.ts";
import { eventSignal, messageSignal } from "../protocol/signal-names.ts";
import { randomSeed } from "../protocol/random-seed.ts";
import { Decoded, type Leaf } from "../replay/await-node.ts";
import { All } from "../replay/combinators.ts";
import type { RunRetryPolicy } from "../replay/run-retry.ts";
import * as syscalls from "../replay/syscalls.ts";
import { CallingContext } from "./calling-context.ts";
import type { ContextCore } from "./context-core.ts";
import { decoded, decodedId } from "./decode.ts";
import { durableFetch } from "./durable-fetch.ts";
import { handlerConsole } from "./handler-console.ts";
import { SeededRandom } from "./random.ts";
import { runSaga } from "./saga.ts";
import { Topics } from "./topic.ts";

/** The first version in which the server provides the seed. */
const SEED_VERSION = 6;

export class HandlerContext extends CallingContext implements ContextInternal {
  readonly #core: ContextCore;
  #rand: Rand | undefined;
  #console: Console | undefined;
  #awakeables = 0;
  #topics: Topics | undefined;
  #cancellation: { readonly leaf: Leaf; readonly promise: RestatePromise<void> } | undefined;

  constructor(core: ContextCore) {
    super(core);
    this.#core = core;
  }

  get rand(): Rand {
    return (this.#rand ??= new SeededRandom(this.#seed()));
  }

  get console(): Console {
    const { service, handler, logger } = this.#core.served;
    const isReplaying = () => this.#core.driver.machine.phase === "replaying";
    const { debugId } = this.#core.opening.start;
    const about = () => {
      const request = this.request();
      return new LoggerContext(debugId, service, handler, request.target.key, request);
    };
    return (this.#console ??= handlerConsole(logger, about, isReplaying));
  }

  readonly date: ContextDate = {
    now: () => this.run(() => this.#core.driver.host.nowMs()),
    toJSON: () => this.run(() => new Date(this.#core.driver.host.nowMs()).toJSON()),
  };

  request(): Request {
    return this.#core.request();
  }

  // ---- steps and timers ----

  run<T>(action: RunAction<T>): RestatePromise<T>;
  run<T>(name: string, action: RunAction<T>, options?: RunOptions<T>): RestatePromise<T>;
  run<T>(
    nameOrAction: string | RunAction<T>,
    second?: RunAction<T>,
    options: RunOptions<T> = {},
  ): RestatePromise<T> {
    const name = typeof nameOrAction === "string" ? nameOrAction : "";
    const action = typeof nameOrAction === "string" ? second : nameOrAction;
    if (typeof action !== "function") throw new TypeError("ctx.run needs a function to execute");
    const serde = options.serde ?? this.#core.serde<T>();
    const { timeout } = options;
    const timeoutMs = timeout === undefined ? undefined : durationToMs(timeout);
    const step = { action, serde, timeoutMs, retryPolicy: runRetryPolicy(options) };
    const leaf = this.#core.machine().run(name, step);
    return this.#core.promise(decoded(leaf, serde));
  }

  fetch(
    input: string | URL | globalThis.Request,
    init?: RequestInit,
    options: FetchOptions = {},
  ): RestatePromise<Response> {
    return durableFetch(this, input, init, options);
  }

  saga<T>(body: (saga: Saga) => PromiseLike<T>): Promise<T> {
    return runSaga(this, body);
  }

  sleep(duration: Duration | number, name = ""): RestatePromise<void> {
    return this.#core.promise(decoded(this.#core.driver.sleep(duration, name), serdes.empty));
  }

  // ---- awakeables and signals ----

  awakeable<T>(serde: Serde<T> = this.#core.serde()): {
    id: string;
    promise: RestatePromise<T>;
  } {
    const index = FIRST_USER_SIGNAL + this.#awakeables;
    this.#awakeables += 1;
    const leaf = this.#core.machine().signal(index);
    const id = awakeableIdToString(this.#core.opening.start.id, index);
    return { id, promise: this.#core.promise(decoded(leaf, serde)) };
  }

  resolveAwakeable<T>(id: string, payload?: T, serde?: Serde<T>): void {
    syscalls.completeAwakeable(this.#core.machine(), id, this.#core.success(payload, serde));
  }

  rejectAwakeable(id: string, reason: string | TerminalError): void {
    syscalls.completeAwakeable(this.#core.machine(), id, this.#core.failure(reason));
  }

  signal<T>(name: string, serde: Serde<T> = this.#core.serde()): RestatePromise<T> {
    return this.#core.promise(decoded(this.#core.machine().namedSignal(name), serde));
  }

  // ---- messages and events ----

  recv<T>(topic: string, options: ReceiveOptions<T> = {}): RestatePromise<T> {
    this.#core.driver.requireOutsideStep();
    this.#topics ??= new Topics((name) => this.#core.driver.machine.namedSignal(name));
    const serde = options.serde ?? this.#core.serde<T>();
    const received = this.#core.promise<T>(decoded(this.#topics.receive(topic), serde));
    return options.timeout === undefined ? received : received.orTimeout(options.timeout);
  }

  send<T>(invocationId: InvocationId, topic: string, message: T, serde?: Serde<T>): void {
    this.#signal(invocationId, messageSignal(topic), this.#core.success(message, serde));
  }

  setEvent<T>(key: string, value: T, serde?: Serde<T>): void {
    const own = this.#core.opening.start.debugId;
    this.#signal(own, eventSignal(key), this.#core.success(value, serde));
  }

  // ---- other invocations ----

  invocation(invocationId: InvocationId): InvocationReference {
    return {
      signal: <T>(name: string, serde?: Serde<T>) => {
        const send = (result: Outcome) => this.#signal(invocationId, name, result);
        return {
          resolve: (payload?: T) => send(this.#core.success(payload, serde)),
          reject: (reason) => send(this.#core.failure(reason)),
        };
      },
      cancel: () => this.cancel(invocationId),
      attach: <T>(serde?: Serde<T>) => this.attach(invocationId, serde),
    };
  }

  cancellation(): RestatePromise<void> {
    const leaf = this.#core.machine().cancellation.next();
    if (this.#cancellation?.leaf !== leaf) {
      const promise = this.#core.promise<void>(decoded(leaf, serdes.empty));
      this.#cancellation = { leaf, promise };
    }
    return this.#cancellation.promise;
  }

  cancelPreviousCalls(): RestatePromise<InvocationId[]> {
    const machine = this.#core.machine();
    const ids = new All(machine.cancellation.takeChildren().map(decodedId));
    // Decided at one place of the journal in every attempt, so that the commands stand there too.
    const cancelled = new Decoded(ids, (settled) => {
      if (!settled.ok) throw settled.error;
      for (const id of settled.value) syscalls.cancelInvocation(machine, id);
      return settled.value;
    });
    return this.#core.promise(cancelled);
  }

  isProcessing(): boolean {
    return this.#core.driver.machine.phase !== "replaying";
  }

  cancel(invocationId: InvocationId): void {
    syscalls.cancelInvocation(this.#core.machine(), invocationId);
  }

  attach<T>(invocationId: InvocationId, serde: Serde<T> = this.#core.serde()): RestatePromise<T> {
    const target = { kind: "invocation-id", invocationId } as const;
    return this.#core.promise(
      decoded(syscalls.attachInvocation(this.#core.machine(), target), serde),
    );
  }

  #signal(invocationId: string, name: string, result: Outcome): void {
    const signal = { kind: "signal-name", name } as const;
    syscalls.sendSignal(this.#core.machine(), invocationId, signal, result);
  }

  #seed(): bigint {
    const { id, randomSeed: seed } = this.#core.opening.start;
    return this.#core.errors.version < SEED_VERSION || seed === 0n ? randomSeed(id) : seed;
  }
}

function runRetryPolicy<T>(options: RunOptions<T>): RunRetryPolicy | undefined {
  const { maxRetryAttempts, retryIntervalFactor } = options;
  for (const number of [maxRetryAttempts, retryIntervalFactor]) {
    // Written so that NaN is refused as well.
    if (number !== undefined && !(number >= 0)) {
      throw new TypeError(`maxRetryAttempts and retryIntervalFactor are at least 0, not ${number}`);
    }
  }
  const policy: RunRetryPolicy = {
    ...(maxRetryAttempts !== undefined && { maxAttempts: maxRetryAttempts }),
    ...(retryIntervalFactor !== undefined && { factor: retryIntervalFactor }),
    ...durationField("maxDurationMs", options.maxRetryDuration),
    ...durationField("initialIntervalMs", options.initialRetryInterval),
    ...durationField("maxIntervalMs", options.maxRetryInterval),
  };
  return Object.keys(policy).length === 0 ? undefined : policy;
}
