/** `connect()`: the client of a server's ingress, on `fetch`. */
import { type Any, trust } from "../define/any.ts";
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
import { getEvent, type MessageTo, sendMessage } from "./messages.ts";

/** What the server answers to `output` while the invocation runs. */
const NOT_READY = 470;

interface Target {
  readonly service: string;
  /** Of an object or a workflow. */
  readonly key?: string;
  /** Its run has an identity of its own, so starting it twice starts it once. */
  readonly isWorkflow?: boolean;
}

/** Connects to nothing yet; each call is one HTTP request. */
export function connect(opts: ConnectionOpts): Ingress {
  return new IngressConnection(opts);
}

class IngressConnection implements Ingress {
  readonly #http: IngressHttp;
  readonly #serde: Serde<Any>;

  constructor(opts: ConnectionOpts) {
    this.#http = new IngressHttp(opts);
    this.#serde = opts.serde ?? serdes.json;
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
    const to: MessageTo<T> = { http: this.#http, serde: options.serde ?? trust(this.#serde) };
    return sendMessage(to, first, topic, trust(message), options);
  }

  getEvent<T>(
    invocation: InvocationTarget,
    key: string,
    options: EventOptions<T> = {},
  ): Promise<PublishedEvent<T> | undefined> {
    const from: MessageTo<T> = { http: this.#http, serde: options.serde ?? trust(this.#serde) };
    return getEvent(from, invocation, key, options);
  }

  async resolveAwakeable<T>(id: string, payload?: T, payloadSerde?: Serde<T>): Promise<void> {
    const serde = payloadSerde ?? this.#serde;
    await this.#http.post(`/restate/awakeables/${encodeURIComponent(id)}/resolve`, {
      body: serde.serialize(trust(payload)),
      contentType: serde.contentType,
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
      return this.#call(call, opts instanceof Opts ? trust<Opts<Any, Any>>(opts).opts : {});
    });
  }

  #sendClient(target: Target): object {
    return proxy((handler, [first, second]) => {
      const [parameter, opts] = first instanceof SendOpts ? [undefined, first] : [first, second];
      const call = { ...target, handler, parameter };
      return this.#send(call, opts instanceof SendOpts ? trust<SendOpts<Any>>(opts).opts : {});
    });
  }

  async #output<O>(path: string, opts: IngressCallOptions<void, O> = {}): Promise<O> {
    const output: Serde<O> = opts.output ?? trust(this.#serde);
    return output.deserialize(await this.#http.get(path, opts));
  }

  async #call<I, O>(call: IngressCall<I>, opts: IngressCallOptions<I, O>): Promise<O> {
    const { body, contentType } = this.#payload(call, opts);
    const bytes = await this.#http.post(pathOf(call), { ...opts, body, contentType });
    const output: Serde<O> = opts.output ?? trust(this.#serde);
    return output.deserialize(bytes);
  }

  async #send<I>(call: IngressCall<I> & Target, opts: IngressSendOptions<I>): Promise<Send> {
    const { body, contentType } = this.#payload(call, opts);
    const delayMs = SendOpts.from(opts).delay();
    const query = delayMs === undefined ? "" : `?delay=${delayMs}ms`;
    const bytes = await this.#http.post(`${pathOf(call)}/send${query}`, {
      ...opts,
      body,
      contentType,
      ...(call.isWorkflow === true && { isRepeatable: true }),
    });
    const accepted: Pick<Send, "invocationId" | "status"> = trust(serdes.json.deserialize(bytes));
    const { invocationId, status } = accepted;
    return { invocationId, status, attachable: opts.idempotencyKey !== undefined };
  }

  #payload<I>({ parameter }: IngressCall<I>, { input }: { input?: Serde<I> }) {
    const serde: Serde<I> = input ?? trust(this.#serde);
    return { body: serde.serialize(parameter), contentType: serde.contentType };
  }
}

class NotReady implements Output<never> {
  readonly ready = false;

  get result(): never {
    throw new Error("the workflow has not ended, so it has no result; ask for `ready` first");
  }
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
