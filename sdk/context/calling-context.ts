/** The part of a context that calls handlers: of no scope, or of one. */
import { type Any, trust } from "../define/any.ts";
import type {
  Context,
  GenericCall,
  GenericSend,
  InvocationHandle,
  InvocationPromise,
  ScopedContext,
} from "../define/context.ts";
import type {
  Service,
  ServiceDefinitionFrom,
  VirtualObject,
  VirtualObjectDefinitionFrom,
  Workflow,
  WorkflowDefinitionFrom,
} from "../define/definition.ts";
import type { Descriptor, HandlerDescriptors } from "../define/descriptor.ts";
import { durationToMs } from "../define/duration.ts";
import { RestateError } from "../define/errors.ts";
import type {
  Client,
  ClientFromDescriptors,
  SendClient,
  SendClientFromDescriptors,
} from "../define/rpc.ts";
import { type Serde, serde as serdes } from "../define/serde.ts";
import type { AwaitNode } from "../replay/await-node.ts";
import * as syscalls from "../replay/syscalls.ts";
import { callClient, type SerdesOf, sendClient } from "./clients.ts";
import type { ContextCore } from "./context-core.ts";
import { decoded, decodedId } from "./decode.ts";
import { CallPromise } from "./journal-promise.ts";

/** The first version in which calls have a scope. */
const SCOPE_VERSION = 7;
/** As the protocol numbers it: the feature needs a newer version. */
const UNSUPPORTED_FEATURE = 573;

const SCOPE_KEY = /^[a-zA-Z0-9_.-]{1,36}$/;

type Calling = ScopedContext & Pick<Context, "scope" | "genericCall" | "genericSend">;

export class CallingContext implements Calling {
  readonly #core: ContextCore;
  readonly #scope: string | undefined;

  constructor(core: ContextCore, scope?: string) {
    this.#core = core;
    this.#scope = scope;
  }

  scope(scopeKey: string): ScopedContext {
    if (SCOPE_KEY.test(scopeKey)) return new CallingContext(this.#core, scopeKey);
    throw new TypeError(
      `"${scopeKey}" cannot be a scope: 1 to 36 letters, digits, "_", "." or "-"`,
    );
  }

  serviceClient<D>({ name }: ServiceDefinitionFrom<D>): Client<Service<D>> {
    return trust(this.#callClient(name));
  }

  serviceSendClient<D>({ name }: ServiceDefinitionFrom<D>): SendClient<Service<D>> {
    return trust(this.#sendClient(name));
  }

  objectClient<D>({ name }: VirtualObjectDefinitionFrom<D>, key: string): Client<VirtualObject<D>> {
    return trust(this.#callClient(name, key));
  }

  objectSendClient<D>(
    { name }: VirtualObjectDefinitionFrom<D>,
    key: string,
  ): SendClient<VirtualObject<D>> {
    return trust(this.#sendClient(name, key));
  }

  workflowClient<D>({ name }: WorkflowDefinitionFrom<D>, key: string): Client<Workflow<D>> {
    return trust(this.#callClient(name, key));
  }

  workflowSendClient<D>({ name }: WorkflowDefinitionFrom<D>, key: string): SendClient<Workflow<D>> {
    return trust(this.#sendClient(name, key));
  }

  client<P extends string, H extends HandlerDescriptors>(
    { name, _handlers: handlers }: Descriptor<P, H>,
    key?: string,
  ): ClientFromDescriptors<H> {
    return trust(this.#callClient(name, key, handlers));
  }

  sendClient<P extends string, H extends HandlerDescriptors>(
    { name, _handlers: handlers }: Descriptor<P, H>,
    key?: string,
  ): SendClientFromDescriptors<H> {
    return trust(this.#sendClient(name, key, handlers));
  }

  genericCall<REQ = Uint8Array, RES = Uint8Array>(
    call: GenericCall<REQ, RES>,
  ): InvocationPromise<RES> {
    const leaves = syscalls.call(this.#core.machine(), this.#fields(call));
    const outputSerde: Serde<RES> = call.outputSerde ?? trust(serdes.binary);
    const result: AwaitNode<RES> = trust(decoded(leaves.result, outputSerde));
    return new CallPromise(result, decodedId(leaves.invocationId), this.#core.driver);
  }

  genericSend<REQ = Uint8Array>(call: GenericSend<REQ>): InvocationHandle {
    const delayMs = durationToMs(call.delay ?? 0);
    const invokeTimeMs = delayMs === 0 ? 0 : this.#core.driver.host.nowMs() + delayMs;
    const leaf = syscalls.send(this.#core.machine(), this.#fields(call), invokeTimeMs);
    return { invocationId: this.#core.promise(decodedId(leaf)) };
  }

  #callClient(service: string, key?: string, handlers?: HandlerDescriptors): object {
    const target = { service, key };
    return callClient(target, this.#serdesOf(handlers), (call) => this.genericCall(call));
  }

  #sendClient(service: string, key?: string, handlers?: HandlerDescriptors): object {
    const target = { service, key };
    return sendClient(target, this.#serdesOf(handlers), (call) => this.genericSend(call));
  }

  #serdesOf(handlers: HandlerDescriptors = {}): SerdesOf {
    const { defaultSerde } = this.#core.served;
    return (handler) => {
      const described = Object.hasOwn(handlers, handler) ? handlers[handler] : undefined;
      const { _inputSerde = defaultSerde, _outputSerde = defaultSerde } = described ?? {};
      return { input: _inputSerde, output: _outputSerde };
    };
  }

  #fields<REQ>(call: GenericCall<REQ, Any> | GenericSend<REQ>): syscalls.CallFields {
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
      ...this.#scopeFields(call.scope ?? this.#scope, call.limitKey),
    };
  }

  /** Left out, they would not apply, and the call would go to another target. */
  #scopeFields(
    scope: string | undefined,
    limitKey: string | undefined,
  ): Pick<syscalls.CallFields, "scope" | "limitKey"> {
    if (scope === undefined) {
      if (limitKey === undefined) return {};
      throw new TypeError("a limit key needs a scope: use a client of ctx.scope");
    }
    const { version } = this.#core.errors;
    if (version < SCOPE_VERSION) {
      const message = `scopes need protocol V${SCOPE_VERSION}, and the server speaks V${version}`;
      throw new RestateError(message, { errorCode: UNSUPPORTED_FEATURE });
    }
    return { scope, ...(limitKey !== undefined && { limitKey }) };
  }
}
