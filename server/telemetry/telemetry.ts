/** What the server tells about itself: an observer that makes metrics and, when a collector is configured, spans. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Observer } from "../processor/observer.ts";
import type { AttemptSources } from "./attempt-metrics.ts";
import { Metrics, type Scrape } from "./metrics.ts";
import type { ReplicaSources } from "./replica-metrics.ts";
import type { Tracing, TracingOptions } from "./tracing.ts";

export interface TelemetryOptions {
  /** Of the server. */
  readonly version: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Asked at each scrape. */
  readonly attempts: AttemptSources;
  /** Null: no spans. */
  readonly tracing: TracingOptions | null;
  /** How long the export of the last spans may hold up the shutdown. Default 2 s. */
  readonly shutdownTimeoutMs?: number;
}

export interface Telemetry {
  readonly observer: Observer;
  /** From then on the replica is among the metrics. Returns what is told of each segment that is stored. */
  watchReplica(read: () => ReplicaSources): (durationMs: number, bytes: number) => void;
  /** What Prometheus reads. */
  metrics(): Promise<Scrape>;
  /** Exports the last spans; never rejects. */
  shutdown(): Promise<void>;
}

export async function createTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const metrics = new Metrics(options.version, options.attempts);
  const tracing = await startTracing(options);
  if (tracing !== null) showSpans(metrics, tracing);
  return {
    observer: observerOf(metrics, tracing),
    watchReplica: (read) => {
      const replica = metrics.addReplica(read);
      return (durationMs, bytes) => replica.put(durationMs, bytes);
    },
    metrics: () => metrics.scrape(),
    shutdown: async () => tracing?.shutdown(),
  };
}

/** The packages for spans are loaded here and only when somebody wants spans. */
async function startTracing(options: TelemetryOptions): Promise<Tracing | null> {
  if (options.tracing === null) return null;
  const { Tracing } = await import("./tracing.ts");
  const { version, log, clock, shutdownTimeoutMs = 2000 } = options;
  return new Tracing(options.tracing, { version, log, clock, shutdownTimeoutMs });
}

function observerOf(metrics: Metrics, tracing: Tracing | null): Observer {
  const counted = {
    batch: (seen) => metrics.batch(seen),
    barrier: (waitedMs) => metrics.barrier(waitedMs),
  } satisfies Partial<Observer>;
  if (tracing === null) {
    return {
      ...counted,
      isTracing: false,
      request: (seen) => metrics.request(seen),
      attempt: (seen) => metrics.attempt(seen),
      step: (seen) => metrics.step(seen),
    };
  }
  return {
    ...counted,
    isTracing: true,
    request: (seen) => {
      metrics.request(seen);
      tracing.request(seen);
    },
    attempt: (seen) => {
      metrics.attempt(seen);
      tracing.attempt(seen);
    },
    step: (seen) => {
      metrics.step(seen);
      tracing.step(seen);
    },
  };
}

function showSpans(metrics: Metrics, tracing: Tracing): void {
  const facts = {
    name: "holdfast_spans_total",
    help: "Spans by what became of them.",
    labelNames: ["status"],
  };
  metrics.addSums(facts, () => [
    { labels: { status: "exported" }, value: tracing.exported },
    { labels: { status: "lost" }, value: tracing.lost },
  ]);
}
