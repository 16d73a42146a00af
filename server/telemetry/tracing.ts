/** Spans out of the server, over OTLP/HTTP with protobuf. Imported only when an endpoint is configured. */
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BatchSpanProcessor, type ReadableSpan } from "@opentelemetry/sdk-trace-base";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { AttemptSeen, RequestSeen, StepSeen } from "../processor/observer.ts";
import { CountingExporter } from "./span-exporter.ts";
import { attemptSpan, isSampled, requestSpan, type SpanGround, stepSpan } from "./spans.ts";

export interface TracingOptions {
  /** The collector, an URL of HTTP such as `http://127.0.0.1:4318`; `/v1/traces` is added where it is missing. */
  readonly endpoint: string;
  /** Sent with each export; beside those of `OTEL_EXPORTER_OTLP_HEADERS`, which they win over. */
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
}

export interface TracingSurroundings {
  readonly version: string;
  readonly log: Log;
  readonly clock: Clock;
  /** How long the last export may take when the server stops. */
  readonly shutdownTimeoutMs: number;
}

/** Finished spans that wait for their export: about 1 kB each. */
const QUEUE_MAX = 8192;
const BATCH_MAX = 512;
const BATCH_DELAY_MS = 1000;

const TRACES_PATH = "/v1/traces";

export class Tracing {
  readonly #processor: BatchSpanProcessor;
  readonly #exporter: CountingExporter;
  readonly #ground: SpanGround;
  readonly #shutdownTimeoutMs: number;
  /** Spans given to the processor, those it has handed over included. */
  #queued = 0;
  #dropped = 0;

  constructor(options: TracingOptions, surroundings: TracingSurroundings) {
    const { version, log, clock, shutdownTimeoutMs } = surroundings;
    const url = tracesUrl(options.endpoint);
    const inner = new OTLPTraceExporter({ url: url.href, headers: { ...options.headers } });
    const address = `${url.origin}${url.pathname}`;
    this.#exporter = new CountingExporter({ address, inner, log, clock });
    this.#processor = new BatchSpanProcessor(this.#exporter, {
      maxQueueSize: QUEUE_MAX,
      maxExportBatchSize: BATCH_MAX,
      scheduledDelayMillis: BATCH_DELAY_MS,
    });
    this.#ground = { resource: resourceOf(options.serviceName, version), version };
    this.#shutdownTimeoutMs = shutdownTimeoutMs;
  }

  get exported(): number {
    return this.#exporter.exported;
  }

  /** Not exported, for want of room in the queue or because the collector did not take them. */
  get lost(): number {
    return this.#dropped + this.#exporter.lost;
  }

  request(seen: RequestSeen): void {
    if (isSampled(seen.trace)) this.#end(requestSpan(seen, seen.trace, this.#ground));
  }

  attempt(seen: AttemptSeen): void {
    if (isSampled(seen.trace)) this.#end(attemptSpan(seen, seen.trace, this.#ground));
  }

  step(seen: StepSeen): void {
    if (isSampled(seen.trace)) this.#end(stepSpan(seen, seen.trace, this.#ground));
  }

  /** Exports what waits, as far as it can be done in time. */
  async shutdown(): Promise<void> {
    const { promise: expired, cancel } = timeout(this.#shutdownTimeoutMs);
    // A failed export was counted and said by the exporter.
    await Promise.race([this.#processor.shutdown().catch(() => {}), expired]);
    cancel();
  }

  #end(span: ReadableSpan | null): void {
    if (span === null) return;
    // The processor drops silently what does not fit.
    if (this.#queued - this.#exporter.handedOver >= QUEUE_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#queued += 1;
    this.#processor.onEnd(span);
  }
}

/** Where spans are posted. */
function tracesUrl(endpoint: string): URL {
  const url = new URL(endpoint);
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = path.endsWith(TRACES_PATH) ? path : `${path}${TRACES_PATH}`;
  return url;
}

/** What was configured wins over `OTEL_RESOURCE_ATTRIBUTES`. */
function resourceOf(serviceName: string, version: string): Resource {
  const own = resourceFromAttributes({ "service.name": serviceName, "service.version": version });
  return detectResources({ detectors: [envDetector] }).merge(own);
}

function timeout(ms: number): { readonly promise: Promise<void>; readonly cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return { promise, cancel: () => clearTimeout(timer) };
}
