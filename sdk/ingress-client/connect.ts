/** `connect()`: the client of a server's ingress, on `fetch`. */
import { type Any, trust } from "../define/any.ts";
import { type Serde, serde as serdes } from "../define/serde.ts";
import {
  type ConnectionOpts,
  type Ingress,
  type IngressCall,
  type IngressCallOptions,
  type IngressSendOptions,
  Opts,
  type Send,
  SendOpts,
} from "./api.ts";
import { IngressHttp } from "./http.ts";

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
    return proxy((handler, [first, second]) => {
      const [parameter, opts] = first instanceof Opts ? [undefined, first] : [first, second];
      const call = { service, handler, parameter };
      return this.#call(call, opts instanceof Opts ? trust<Opts<Any, Any>>(opts).opts : {});
    });
  }

  serviceSendClient({ name: service }: { name: string }): Any {
    return proxy((handler, [first, second]) => {
      const [parameter, opts] = first instanceof SendOpts ? [undefined, first] : [first, second];
      const call = { service, handler, parameter };
      return this.#send(call, opts instanceof SendOpts ? trust<SendOpts<Any>>(opts).opts : {});
    });
  }

  call<I, O>({ opts, ...call }: IngressCall<I> & { opts?: Opts<I, O> }): Promise<O> {
    return this.#call(call, opts?.opts ?? {});
  }

  send<I>({ opts, ...call }: IngressCall<I> & { opts?: SendOpts<I> }): Promise<Send> {
    return this.#send(call, opts?.opts ?? {});
  }

  async resolveAwakeable<T>(id: string, payload?: T, payloadSerde?: Serde<T>): Promise<void> {
    const serde = payloadSerde ?? this.#serde;
    await this.#http.post(`/restate/awakeables/${encodeURIComponent(id)}/resolve`, {
      body: serde.serialize(trust(payload)),
      contentType: serde.contentType,
    });
  }

  async rejectAwakeable(id: string, reason: string): Promise<void> {
    await this.#http.post(`/restate/awakeables/${encodeURIComponent(id)}/reject`, {
      body: new TextEncoder().encode(reason),
      contentType: "text/plain",
    });
  }

  async result<T>({ invocationId }: Send<T>, resultSerde?: Serde<T>): Promise<T> {
    const path = `/restate/invocation/${encodeURIComponent(invocationId)}/attach`;
    const serde: Serde<T> = resultSerde ?? trust(this.#serde);
    return serde.deserialize(await this.#http.get(path));
  }

  async #call<I, O>(call: IngressCall<I>, opts: IngressCallOptions<I, O>): Promise<O> {
    const { body, contentType } = this.#payload(call, opts);
    const bytes = await this.#http.post(pathOf(call), { ...opts, body, contentType });
    const output: Serde<O> = opts.output ?? trust(this.#serde);
    return output.deserialize(bytes);
  }

  async #send<I>(call: IngressCall<I>, opts: IngressSendOptions<I>): Promise<Send> {
    const { body, contentType } = this.#payload(call, opts);
    const delayMs = SendOpts.from(opts).delay();
    const query = delayMs === undefined ? "" : `?delay=${delayMs}ms`;
    const bytes = await this.#http.post(`${pathOf(call)}/send${query}`, {
      ...opts,
      body,
      contentType,
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
