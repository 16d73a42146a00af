/**
 * An exporter that counts what became of its spans, and says in the log once in a while what went wrong. A collector that is away
 * costs its spans and nothing else: they are not sent again.
 */
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";

/** One line for all failures within this time. */
const LOG_INTERVAL_MS = 60_000;
const MESSAGE_LENGTH_MAX = 300;

export interface ReportedExporter {
  /** Without user and query: for the log. */
  readonly address: string;
  readonly inner: SpanExporter;
  readonly log: Log;
  readonly clock: Clock;
}

export class CountingExporter implements SpanExporter {
  readonly #options: ReportedExporter;
  #handedOver = 0;
  #exported = 0;
  #lost = 0;
  #lostSinceLogged = 0;
  #nextLogAtMs = 0;

  constructor(options: ReportedExporter) {
    this.#options = options;
  }

  /** Spans that left the queue. */
  get handedOver(): number {
    return this.#handedOver;
  }

  get exported(): number {
    return this.#exported;
  }

  get lost(): number {
    return this.#lost;
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter["export"]>[1]): void {
    this.#handedOver += spans.length;
    this.#options.inner.export(spans, (result) => {
      const code: number = result.code;
      if (code === SUCCESS) this.#exported += spans.length;
      else this.#lose(spans.length, result.error);
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#options.inner.shutdown();
  }

  #lose(count: number, error: Error | undefined): void {
    const { log, clock, address } = this.#options;
    this.#lost += count;
    this.#lostSinceLogged += count;
    const nowMs = clock.nowMs();
    if (nowMs < this.#nextLogAtMs) return;
    this.#nextLogAtMs = nowMs + LOG_INTERVAL_MS;
    const spans = this.#lostSinceLogged;
    this.#lostSinceLogged = 0;
    log.warn("spans-not-exported", { endpoint: address, spans, error: messageOf(error) });
  }
}

/** `ExportResultCode.SUCCESS` of @opentelemetry/core, which is no dependency of ours. */
const SUCCESS = 0;

/** Of a refused connection Node's error has no message, only those of each address that it tried. */
function messageOf(error: Error | undefined): string {
  if (error === undefined) return "unknown";
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  const message = error.message === "" && first instanceof Error ? first.message : error.message;
  return (message === "" ? error.name : message).slice(0, MESSAGE_LENGTH_MAX);
}
