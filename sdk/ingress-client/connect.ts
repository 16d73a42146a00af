/** `connect()`: the client of a server's ingress, on `fetch`. */
import { type Any, trust } from "../define/any.ts";
import type { Descriptor, HandlerDescriptors } from "../define/descriptor.ts";
import { type Serde, serde as serdes } from "../define/serde.ts";
import {
  type ConnectionOpts,
  type Delivery,
  type EventOptions,
  type Ingress,
  type IngressCall,
  type IngressCallOptions,
  type IngressSendOptions,
  type InvocationTarget,
  type MessageOptions,
  Opts,
  type Output,
  type PublishedEvent,
  type Send,
  SendOpts,
  type WorkflowSubmission,
} from "./api.ts";
import { HttpCallError, IngressHttp } from "./http.ts";
import { getEvent, sendMessage } from "./messages.ts";
import { Payloads } from "./payloads.ts";

/** What the server answers to `output` while the invocation runs. */
const NOT_READY = 470;

interface Target {
  readonly service: string;
  /** Of an object or a workflow. */
  readonly key?: string;
  /** Its run has an identity of its own, so starting it twice starts it once. */
  readonly isWorkflow?: boolean;
  /** With serdes of their own, which calls may replace. */
  readonly handlers?: HandlerDescriptors;
}

/** Connects to nothing yet; each call is one HTTP request. */
export function connect(opts: ConnectionOpts): Ingress {
  return new IngressConnection(opts);
}

class IngressConnection implements Ingress {
  readonly #http: IngressHttp;
  readonly #payloads: Payloads;

  constructor(opts: ConnectionOpts) {
    this.#http = new IngressHttp(opts);
    this.#payloads = new Payloads(opts.serde ?? serdes.json, opts.journalValueCodec);
  }

  serviceClient({ name: service }: { name: string }): Any {
    return this.#client({ service });
  }

  serviceSendClient({ name: service }: { name: string }): Any {
    return this.#sendClient({ service });
  }

  objectClient({ name: service }: { name: string }, key: string): Any {
    return this.#client({ service, key });
  }

  objectSendClient({ name: service }: { name: string }, key: string): Any {
    return this.#sendClient({ service, key });
  }

  client({ name: service, _handlers: handlers }: Descriptor, key?: string): Any {
    return this.#client({ service, handlers, ...(key !== undefined && { key }) });
  }

  sendClient({ name: service, _handlers: handlers }: Descriptor, key?: string): Any {
    return this.#sendClient({ service, handlers, ...(key !== undefined && { key }) });
  }

  workflowClient({ name: service }: { name: string }, key: string): Any {
    const path = `/restate/workflow/${service}/${encodeURIComponent(key)}`;
    const client: Record<string, unknown> = trust(this.#client({ service, key }));
    const submit = trust<Record<string, unknown>>(
      this.#sendClient({ service, key, isWorkflow: true }),
    )["run"];
    const own: Readonly<Record<string, unknown>> = {
      workflowSubmit: async (...args: unknown[]) => ({
        ...(await trust<(...args: unknown[]) => Promise<Send>>(submit)(...args)),
        attachable: true,
      }),
      workflowAttach: (given?: Opts<void, unknown>) => this.#output(`${path}/attach`, given?.opts),
      workflowOutput: async (given?: Opts<void, unknown>) => {
        try {
          return { ready: true, result: await this.#output(`${path}/output`, given?.opts) };
        } catch (error) {
          if (error instanceof HttpCallError && error.status === NOT_READY) return new NotReady();
          throw error;
        }
      },
    };
    return new Proxy(own, {
      get: (_target, name) => (typeof name === "string" ? (own[name] ?? client[name]) : undefined),
    });
  }

  call<I, O>({ opts, ...call }: IngressCall<I> & { opts?: Opts<I, O> }): Promise<O> {
    return this.#call(call, opts?.opts ?? {});
  }

  send<I>(call: IngressCall<I> & { opts?: SendOpts<I> }): Promise<Send>;
  send<T>(
    invocation: InvocationTarget,
    topic: string,
    message: T,
    opts?: MessageOptions<T>,
  ): Promise<Delivery>;
  send<T>(
    first: InvocationTarget | (IngressCall<T> & { opts?: SendOpts<T> }),
    topic?: string,
    message?: T,
    options: MessageOptions<T> = {},
  ): Promise<Send | Delivery> {
    if (typeof first === "object" && "handler" in first) {
      const { opts, ...call } = first;
      return this.#send(call, opts?.opts ?? {});
    }
    if (topic === undefined) throw new TypeError("send needs a call, or an invocation and a topic");
    const to = { http: this.#http, payloads: this.#payloads };
    return sendMessage(to, first, topic, trust(message), options);
  }

  getEvent<T>(
    invocation: InvocationTarget,
    key: string,
    options: EventOptions<T> = {},
  ): Promise<PublishedEvent<T> | undefined> {
    const from = { http: this.#http, payloads: this.#payloads };
    return getEvent(from, invocation, key, options);
  }

  async resolveAwakeable<T>(id: string, payload?: T, payloadSerde?: Serde<T>): Promise<void> {
    await this.#http.post(`/restate/awakeables/${encodeURIComponent(id)}/resolve`, {
      ...this.#payloads.encode<T>(trust(payload), payloadSerde),
      isRepeatable: true,
    });
  }

  async rejectAwakeable(id: string, reason: string): Promise<void> {
    await this.#http.post(`/restate/awakeables/${encodeURIComponent(id)}/reject`, {
      body: new TextEncoder().encode(reason),
      contentType: "text/plain",
      isRepeatable: true,
    });
  }

  async result<T>(
    { invocationId }: Send<T> | WorkflowSubmission<T>,
    resultSerde?: Serde<T>,
  ): Promise<T> {
    const path = `/restate/invocation/${encodeURIComponent(invocationId)}/attach`;
    return this.#output(path, resultSerde === undefined ? {} : { output: resultSerde });
  }

  #client(target: Target): object {
    return proxy((handler, [first, second]) => {
      const [parameter, opts] = first instanceof Opts ? [undefined, first] : [first, second];
      const call = { ...target, handler, parameter };
      const given = opts instanceof Opts ? trust<Opts<Any, Any>>(opts).opts : {};
      return this.#call(call, { ...serdesOf(target, handler), ...given });
    });
  }

  #sendClient(target: Target): object {
    return proxy((handler, [first, second]) => {
      const [parameter, opts] = first instanceof SendOpts ? [undefined, first] : [first, second];
      const call = { ...target, handler, parameter };
      const given = opts instanceof SendOpts ? trust<SendOpts<Any>>(opts).opts : {};
      return this.#send(call, { ...serdesOf(target, handler), ...given });
    });
  }

  async #output<O>(path: string, opts: IngressCallOptions<void, O> = {}): Promise<O> {
    return this.#payloads.decode(await this.#http.get(path, opts), opts.output);
  }

  async #call<I, O>(call: IngressCall<I>, opts: IngressCallOptions<I, O>): Promise<O> {
    const payload = this.#payloads.encode(call.parameter, opts.input);
    const bytes = await this.#http.post(pathOf(call), { ...opts, ...payload });
    return this.#payloads.decode(bytes, opts.output);
  }

  async #send<I>(call: IngressCall<I> & Target, opts: IngressSendOptions<I>): Promise<Send> {
    const payload = this.#payloads.encode(call.parameter, opts.input);
    const delayMs = SendOpts.from(opts).delay();
    const query = delayMs === undefined ? "" : `?delay=${delayMs}ms`;
    const bytes = await this.#http.post(`${pathOf(call)}/send${query}`, {
      ...opts,
      ...payload,
      ...(call.isWorkflow === true && { isRepeatable: true }),
    });
    const accepted: Pick<Send, "invocationId" | "status"> = trust(serdes.json.deserialize(bytes));
    const { invocationId, status } = accepted;
    return { invocationId, status, attachable: opts.idempotencyKey !== undefined };
  }
}

class NotReady implements Output<never> {
  readonly ready = false;

  get result(): never {
    throw new Error("the workflow has not ended, so it has no result; ask for `ready` first");
  }
}

function serdesOf(
  { handlers = {} }: Target,
  handler: string,
): { input?: Serde<Any>; output?: Serde<Any> } {
  const { _inputSerde: input, _outputSerde: output } =
    (Object.hasOwn(handlers, handler) ? handlers[handler] : undefined) ?? {};
  return { ...(input !== undefined && { input }), ...(output !== undefined && { output }) };
}

function pathOf({ service, key, handler }: IngressCall<unknown>): string {
  const keySegment = key === undefined ? "" : `/${encodeURIComponent(key)}`;
  return `/${service}${keySegment}/${handler}`;
}

function proxy(call: (handler: string, args: readonly unknown[]) => unknown): object {
  return new Proxy(
    {},
    {
      get(_target, handler) {
        // A client that is awaited by mistake must not look like a promise.
        if (typeof handler !== "string" || handler === "then") return undefined;
        return (...args: unknown[]) => call(handler, args);
      },
    },
  );
}
