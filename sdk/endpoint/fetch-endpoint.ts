/** Endpoints as functions from `Request` to `Response`, for every runtime that has these; nothing here is of Node. */
import type { Sink } from "../context/host.ts";
import type { AttemptOrigin } from "../context/request.ts";
import { invocationContentType } from "../protocol/version.ts";
import { EndpointBuilder, type RestateEndpointBase } from "./endpoint-builder.ts";
import { signedRequest } from "./identity-token.ts";
import { Invocation } from "./invoke.ts";
import { type Answer, type ManifestForm, route, type Routed, SERVER_NAME } from "./router.ts";
import { type EndpointOptions, ServedServices } from "./served-services.ts";
import { webHost } from "./web-host.ts";
import { WebIdentityVerifier } from "./web-identity.ts";

export interface FetchEndpointOptions extends EndpointOptions {
  /**
   * Whether the server keeps talking to a running handler (true) or ends its request at once and starts another attempt for
   * each result the handler waits for (false). True needs a runtime that answers while the request is still coming in: Deno
   * and Bun do, Cloudflare Workers and most gateways do not. Default false.
   */
  bidirectional?: boolean;
}

/**
 * Answers a request of the server. What the runtime passes besides, such as the environment of a Worker, is what handlers
 * find in `ctx.request().extraArgs`.
 */
export type FetchHandler = (request: Request, ...extraArgs: unknown[]) => Promise<Response>;

export interface FetchEndpoint extends RestateEndpointBase<FetchEndpoint> {
  /** For `export default` of a module that Cloudflare Workers, Deno or Bun serve. */
  handler(): { fetch: FetchHandler };
  /** As the option of this name; without an argument, true. */
  bidirectional(set?: boolean): FetchEndpoint;
}

/**
 * A handler of requests that serves these services. Throws `TypeError` for what is no service and for a bad identity key.
 *
 * @example
 * // Cloudflare Workers, Bun, Deno
 * export default { fetch: createEndpointHandler({ services: [greeter] }) };
 * // Hono
 * app.mount("/restate", createEndpointHandler({ services: [greeter] }));
 * // Next.js, app/restate/[[...path]]/route.ts
 * const handler = createEndpointHandler({ services: [greeter] });
 * export { handler as GET, handler as POST };
 */
export function createEndpointHandler(options: FetchEndpointOptions): FetchHandler {
  const { bidirectional = false, identityKeys = [] } = options;
  const services = new ServedServices(options);
  const identity = identityKeys.length > 0 ? new WebIdentityVerifier(identityKeys) : undefined;
  const form: ManifestForm = {
    protocolMode: bidirectional ? "BIDI_STREAM" : "REQUEST_RESPONSE",
  };
  return async (request, ...extraArgs) => {
    const headers = Object.fromEntries(request.headers);
    const url = new URL(request.url).pathname;
    const isAuthorized =
      identity === undefined || (await identity.accepts(signedRequest(url, headers), Date.now()));
    const routed = route(services, { url, headers, isAuthorized }, form);
    if (routed.kind === "answer") return answer(routed);
    const exchange = new FetchExchange(request, routed, { attemptHeaders: headers, extraArgs });
    if (bidirectional) void exchange.receive();
    else await exchange.receive();
    return exchange.response;
  };
}

/** The step by step form of `createEndpointHandler`. */
export function endpoint(): FetchEndpoint {
  return new FetchEndpointBuilder();
}

class FetchEndpointBuilder extends EndpointBuilder implements FetchEndpoint {
  #bidirectional = false;

  bidirectional(set = true): this {
    this.#bidirectional = set;
    return this;
  }

  handler(): { fetch: FetchHandler } {
    return {
      fetch: createEndpointHandler({ ...this.options, bidirectional: this.#bidirectional }),
    };
  }
}

function answer({ status, contentType, body }: Answer): Response {
  return new Response(body, {
    status,
    headers: { "content-type": contentType, "x-restate-server": SERVER_NAME },
  });
}

/** What is written and not yet read before the handler has to wait. */
const PENDING_BYTES_MAX = 64 * 1024;

/** One invocation between the streams of a request and its response. */
class FetchExchange implements Sink {
  readonly response: Response;
  readonly #invocation: Invocation;
  readonly #request: Request;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #isFull = false;

  constructor(
    request: Request,
    { handler, version }: Routed & { kind: "invoke" },
    origin: AttemptOrigin,
  ) {
    this.#invocation = new Invocation({ handler, version, sink: this, host: webHost, ...origin });
    // Kept: on Node the signal of a request that is collected is never aborted.
    this.#request = request;
    request.signal.addEventListener("abort", () => this.#invocation.onAborted(), { once: true });
    const room = new ByteLengthQueuingStrategy({ highWaterMark: PENDING_BYTES_MAX });
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#onPull(),
        cancel: () => {
          this.#controller = undefined;
          this.#invocation.onAborted();
        },
      },
      room,
    );
    this.response = new Response(body, {
      headers: {
        "content-type": invocationContentType(version),
        "x-restate-server": SERVER_NAME,
      },
    });
  }

  /** Resolves when the request has ended, in whatever way. */
  async receive(): Promise<void> {
    const { body } = this.#request;
    try {
      if (body !== null) for await (const chunk of body) this.#invocation.onData(chunk);
      this.#invocation.onInputClosed();
    } catch {
      // A connection that breaks is no error of the endpoint.
      this.#invocation.onAborted();
    }
  }

  write(bytes: Uint8Array): boolean {
    if (this.#controller === undefined) return true;
    this.#controller.enqueue(bytes);
    this.#isFull = (this.#controller.desiredSize ?? 0) <= 0;
    return !this.#isFull;
  }

  end(bytes: Uint8Array | undefined): void {
    if (bytes !== undefined) this.#controller?.enqueue(bytes);
    this.#controller?.close();
    this.#controller = undefined;
  }

  #onPull(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#invocation.onDrained();
  }
}
