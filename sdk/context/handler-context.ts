/** The one implementation of `Context`. */
import { type Any, trust } from "../define/any.ts";
import type {
  Context,
  ContextDate,
  GenericCall,
  GenericSend,
  InvocationHandle,
  InvocationId,
  InvocationPromise,
  InvocationReference,
  Rand,
  Request,
  RestatePromise,
  RunAction,
  RunOptions,
} from "../define/context.ts";
import type { Service, ServiceDefinitionFrom } from "../define/definition.ts";
import { type Duration, durationField, durationToMs } from "../define/duration.ts";
import { TerminalError } from "../define/errors.ts";
import { LoggerContext } from "../define/logger.ts";
import type { Client, SendClient } from "../define/rpc.ts";
import { type Serde, serde as serdes } from "../define/serde.ts";
import { awakeableIdToString } from "../protocol/ids.ts";
import { FIRST_USER_SIGNAL } from "../protocol/messages.ts";
import type { Outcome } from "../protocol/messages.ts";
import { randomSeed } from "../protocol/random-seed.ts";
import type { AwaitNode } from "../replay/await-node.ts";
import type { Opening } from "../replay/machine.ts";
import type { RunRetryPolicy } from "../replay/run-retry.ts";
import * as syscalls from "../replay/syscalls.ts";
import type { AttemptErrors } from "./attempt-errors.ts";
import { callClient, sendClient } from "./clients.ts";
import { decoded, decodedId } from "./decode.ts";
import type { Driver } from "./driver.ts";
import { CallPromise, DurablePromise } from "./durable-promise.ts";
import { handlerConsole } from "./handler-console.ts";
import { SeededRandom } from "./random.ts";
import type { ServedHandler } from "./served-handler.ts";

/** The first version in which the server provides the seed. */
const SEED_VERSION = 6;

export class HandlerContext implements Context {
  readonly #driver: Driver;
  readonly #opening: Opening;
  readonly #served: ServedHandler;
  readonly #errors: AttemptErrors;
  readonly #request: () => Request;
  #rand: Rand | undefined;
  #console: Console | undefined;
  #awakeables = 0;

  constructor(
    driver: Driver,
    opening: Opening,
    served: ServedHandler,
    errors: AttemptErrors,
    request: () => Request,
  ) {
    this.#driver = driver;
    this.#opening = opening;
    this.#served = served;
    this.#errors = errors;
    this.#request = request;
  }

  get rand(): Rand {
    return (this.#rand ??= new SeededRandom(this.#seed()));
  }

  get console(): Console {
    const { service, handler, logger } = this.#served;
    const isReplaying = () => this.#driver.machine.phase === "replaying";
    const about = () =>
      new LoggerContext(this.#opening.start.debugId, service, handler, this.request());
    return (this.#console ??= handlerConsole(logger, about, isReplaying));
  }

  readonly date: ContextDate = {
    now: () => this.run(() => this.#driver.host.nowMs()),
    toJSON: () => this.run(() => new Date(this.#driver.host.nowMs()).toJSON()),
  };

  request(): Request {
    return this.#request();
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
    const serde = options.serde ?? this.#serde<T>();
    const step = { action, serde, retryPolicy: runRetryPolicy(options) };
    const leaf = this.#machine().run(name, step);
    return this.#promise(decoded(leaf, serde));
  }

  sleep(duration: Duration | number, name = ""): RestatePromise<void> {
    return this.#promise(decoded(this.#driver.sleep(duration, name), serdes.empty));
  }

  // ---- awakeables and signals ----

  awakeable<T>(serde: Serde<T> = this.#serde()): {
    id: string;
    promise: RestatePromise<T>;
  } {
    const index = FIRST_USER_SIGNAL + this.#awakeables;
    this.#awakeables += 1;
    const leaf = this.#machine().signal(index);
    const id = awakeableIdToString(this.#opening.start.id, index);
    return { id, promise: this.#promise(decoded(leaf, serde)) };
  }

  resolveAwakeable<T>(id: string, payload?: T, serde?: Serde<T>): void {
    syscalls.completeAwakeable(this.#machine(), id, this.#success(payload, serde));
  }

  rejectAwakeable(id: string, reason: string | TerminalError): void {
    syscalls.completeAwakeable(this.#machine(), id, this.#failure(reason));
  }

  signal<T>(name: string, serde: Serde<T> = this.#serde()): RestatePromise<T> {
    return this.#promise(decoded(this.#machine().namedSignal(name), serde));
  }

  // ---- calls ----

  serviceClient<D>({ name }: ServiceDefinitionFrom<D>): Client<Service<D>> {
    return trust(callClient(name, this.#served.defaultSerde, (call) => this.genericCall(call)));
  }

  serviceSendClient<D>({ name }: ServiceDefinitionFrom<D>): SendClient<Service<D>> {
    return trust(sendClient(name, this.#served.defaultSerde, (call) => this.genericSend(call)));
  }

  genericCall<REQ = Uint8Array, RES = Uint8Array>(
    call: GenericCall<REQ, RES>,
  ): InvocationPromise<RES> {
    const leaves = syscalls.call(this.#machine(), callFields(call));
    const outputSerde: Serde<RES> = call.outputSerde ?? trust(serdes.binary);
    const result: AwaitNode<RES> = trust(decoded(leaves.result, outputSerde));
    return new CallPromise(result, decodedId(leaves.invocationId), this.#driver);
  }

  genericSend<REQ = Uint8Array>(call: GenericSend<REQ>): InvocationHandle {
    const delayMs = durationToMs(call.delay ?? 0);
    const invokeTimeMs = delayMs === 0 ? 0 : this.#driver.host.nowMs() + delayMs;
    const leaf = syscalls.send(this.#machine(), callFields(call), invokeTimeMs);
    return { invocationId: this.#promise(decodedId(leaf)) };
  }

  // ---- other invocations ----

  invocation(invocationId: InvocationId): InvocationReference {
    return {
      signal: <T>(name: string, serde?: Serde<T>) => {
        const send = (result: Outcome) => {
          const signal = { kind: "signal-name", name } as const;
          syscalls.sendSignal(this.#machine(), invocationId, signal, result);
        };
        return {
          resolve: (payload?: T) => send(this.#success(payload, serde)),
          reject: (reason) => send(this.#failure(reason)),
        };
      },
      cancel: () => this.cancel(invocationId),
      attach: <T>(serde?: Serde<T>) => this.attach(invocationId, serde),
    };
  }

  cancel(invocationId: InvocationId): void {
    syscalls.cancelInvocation(this.#machine(), invocationId);
  }

  attach<T>(invocationId: InvocationId, serde: Serde<T> = this.#serde()): RestatePromise<T> {
    const target = { kind: "invocation-id", invocationId } as const;
    return this.#promise(decoded(syscalls.attachInvocation(this.#machine(), target), serde));
  }

  // ---- what they have in common ----

  #machine(): Driver["machine"] {
    this.#driver.requireOutsideStep();
    return this.#driver.machine;
  }

  /** Of the service; it takes every type. */
  #serde<T>(): Serde<T> {
    return trust(this.#served.defaultSerde);
  }

  /** Results without a value, which are `undefined`, occur only where the handler expects it. */
  #promise<T>(node: AwaitNode<T | undefined>): RestatePromise<T> {
    return new DurablePromise<T>(trust(node), this.#driver);
  }

  #success<T>(payload: T | undefined, serde: Serde<T> | undefined): Outcome {
    // JSON has no `undefined`; a payload that is left out is `null`.
    const value =
      serde === undefined
        ? this.#served.defaultSerde.serialize(payload ?? null)
        : serde.serialize(trust(payload));
    return { kind: "value", value };
  }

  #failure(reason: string | TerminalError): Outcome {
    const error = typeof reason === "string" ? new TerminalError(reason) : reason;
    return { kind: "failure", failure: this.#errors.failure(error) };
  }

  #seed(): bigint {
    const { id, randomSeed: seed } = this.#opening.start;
    return this.#errors.version < SEED_VERSION || seed === 0n ? randomSeed(id) : seed;
  }
}

function callFields<REQ>(call: GenericCall<REQ, Any> | GenericSend<REQ>): syscalls.CallFields {
  const { service, method, parameter, key = "", headers = {}, idempotencyKey, name = "" } = call;
  const serde: Serde<REQ> = call.inputSerde ?? trust(serdes.binary);
  return {
    service,
    handler: method,
    key,
    parameter: serde.serialize(parameter),
    headers: Object.entries<unknown>(headers).map(([header, value]) => ({
      key: header,
      value: String(value),
    })),
    name,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  };
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
