/** What the observer is told of one request, collected on the way to its answer. There is none where nobody observes. */
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import type { Clock } from "../base/clock.ts";
import type { TraceContext } from "../base/trace.ts";
import type { Observer, RequestSeen, RequestStatus } from "../processor/observer.ts";

/** For a caller that left before the answer: no status of HTTP, but what proxies log in its place. */
const DISCONNECTED_STATUS = 499;

export class Seen {
  service: string | null = null;
  handler: string | null = null;
  kind: RequestSeen["kind"] = "other";
  invocationId: string | null = null;
  trace: TraceContext | null = null;
  parentSpanId: string | null = null;
  /** The invocation whose result the caller waits for, 24 bytes; its text is made when somebody has to be told. */
  awaitedId: Uint8Array | null = null;
  readonly #observer: Observer;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  #ended = false;

  constructor(observer: Observer, clock: Clock) {
    this.#observer = observer;
    this.#clock = clock;
    this.#startedAtMs = clock.nowMs();
  }

  /** Tells it; once. */
  end(status: RequestStatus, httpStatus: number): void {
    if (this.#ended) return;
    this.#ended = true;
    const { service, handler, kind, invocationId, trace, parentSpanId } = this;
    this.#observer.request({
      service,
      handler,
      kind,
      status,
      httpStatus,
      startedAtMs: this.#startedAtMs,
      endedAtMs: this.#clock.nowMs(),
      invocationId,
      trace,
      parentSpanId,
    });
  }

  disconnected(): void {
    if (this.#ended) return;
    if (this.awaitedId !== null) this.invocationId ??= invocationIdToString(this.awaitedId);
    this.end("disconnected", DISCONNECTED_STATUS);
  }
}

/** How a refusal counts. */
export function refusalStatus(httpStatus: number): RequestStatus {
  if (httpStatus === 429) return "rate-limited";
  return httpStatus >= 500 ? "ingress-error" : "request-error";
}
