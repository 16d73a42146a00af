/**
 * The ingress: callers invoke services, wait for results and complete awakeables. Stands on `node:http` itself, since this is
 * the path of every call.
 */
import type { Clock } from "../base/clock.ts";
import { pooledRandom, type Random } from "../base/ids.ts";
import { afterTimeout } from "../base/timer.ts";
import { ByteBudget } from "../http/body.ts";
import type { HttpRequest, HttpResponse } from "../http/exchange.ts";
import { type Observer, SILENT } from "../processor/observer.ts";
import type { Door } from "../processor/ports.ts";
import { invoke } from "./call.ts";
import { admit, allowMethod, type IngressContext, registryOf } from "./context.ts";
import { allowOrigin, answerPreflight } from "./cors.ts";
import { messageOrEvent } from "./messages.ts";
import { BAD_TARGET, badPath, parsePath, type Route, splitTarget } from "./path.ts";
import { type Exchange, refuse, sendDocument } from "./respond.ts";
import { resultByBody, resultByRoute } from "./results.ts";
import { Seen } from "./seen.ts";
import { completeAwakeable, sendSignal } from "./signals.ts";
import { servicesOf } from "./target.ts";
import type { ResultWaiters } from "./waiters.ts";

const MIB = 1024 * 1024;

/** The largest body of one request. */
export const REQUEST_BYTES_MAX = 32 * MIB;
/** The bodies of all requests that are read or on their way into the journal, together. */
export const HELD_BYTES_MAX = 256 * MIB;
/** Requests that wait for the journal or for a result, together. */
export const REQUESTS_MAX = 50_000;

export interface IngressOptions {
  readonly door: Door;
  /** Connected to the processor as its `waiters`. */
  readonly waiters: ResultWaiters;
  readonly clock: Clock;
  /** Default: the operating system's. */
  readonly random?: Random;
  /** Is told of every request. Default: nobody is. */
  readonly observer?: Observer;
  readonly requestBytesMax?: number;
  readonly heldBytesMax?: number;
  readonly requestsMax?: number;
  /** Default: timers of the event loop. */
  readonly after?: IngressContext["after"];
  /** An answer could not be sent: a defect, to be logged. Default: it is thrown. */
  readonly onError?: (error: unknown) => void;
}

export class Ingress {
  readonly #context: IngressContext;

  constructor(options: IngressOptions) {
    const { requestBytesMax = REQUEST_BYTES_MAX, heldBytesMax = HELD_BYTES_MAX } = options;
    this.#context = {
      door: options.door,
      waiters: options.waiters,
      clock: options.clock,
      random: options.random ?? pooledRandom(),
      observer: options.observer ?? SILENT,
      // One body of the largest size always fits.
      body: {
        bytesMax: requestBytesMax,
        budget: new ByteBudget(Math.max(requestBytesMax, heldBytesMax)),
      },
      asked: { count: 0 },
      requestsMax: options.requestsMax ?? REQUESTS_MAX,
      after: options.after ?? afterTimeout,
      onError: options.onError ?? rethrow,
    };
  }

  /** For a listener: answers one request, now or later. */
  readonly handle = (request: HttpRequest, response: HttpResponse): void => {
    const { observer, clock } = this.#context;
    const seen = observer === SILENT ? null : new Seen(observer, clock);
    allowOrigin(request, response);
    const { url = "" } = request;
    if (request.method === "OPTIONS") {
      return answerPreflight({ request, response, url, query: "", seen });
    }
    const target = splitTarget(url);
    const exchange = { request, response, url, query: target?.query ?? "", seen };
    if (target === undefined) return refuse(exchange, badPath(BAD_TARGET).problem);
    return this.#route(exchange, parsePath(target.path));
  };

  #route(exchange: Exchange, route: Route): void {
    const context = this.#context;
    if (route.kind === "health") return health(context, exchange);
    if (route.kind === "problem") return refuse(exchange, route.problem);
    if (!admit(context, exchange)) return undefined;
    switch (route.kind) {
      case "awakeable":
        return completeAwakeable(context, exchange, route);
      case "signal":
        return sendSignal(context, exchange, route);
      case "message":
      case "event":
      case "events":
        return messageOrEvent(context, exchange, route);
      case "target":
        return resultByBody(context, exchange, route.mode);
      case "classic":
      case "explicit":
        return invoke(context, exchange, route);
      default:
        return resultByRoute(context, exchange, route);
    }
  }
}

function rethrow(error: unknown): never {
  throw error;
}

/** Private services are named too: health is for operators. */
function health(context: IngressContext, exchange: Exchange): void {
  if (!allowMethod(exchange, "GET", "HEAD")) return;
  sendDocument(exchange, { services: servicesOf(registryOf(context)) });
}
