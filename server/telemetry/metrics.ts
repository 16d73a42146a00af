/**
 * What the server does, as Prometheus metrics. Names that dashboards of the native server use stand beside our own `holdfast_*`.
 * The set of series is bounded: only registered services and our own codes are labels.
 */
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { AttemptSeen, BatchSeen, RequestSeen, StepSeen } from "../processor/observer.ts";
import { AttemptMetrics, type AttemptSources } from "./attempt-metrics.ts";
import { IngressMetrics } from "./ingress-metrics.ts";
import { StepMetrics } from "./step-metrics.ts";
import { ReplicaMetrics, type ReplicaSources } from "./replica-metrics.ts";
import { DISK_BUCKETS_SECONDS, secondsOf } from "./seconds.ts";
import { type CounterFacts, registerSum, registerSums, type Sum } from "./sums.ts";

export interface Scrape {
  readonly contentType: string;
  readonly body: string;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #ingress: IngressMetrics;
  readonly #attempts: AttemptMetrics;
  /** Null until the first step is told: without spans nobody watches steps, and zeros would say that there are none. */
  #steps: StepMetrics | null = null;
  readonly #batches: Sum;
  readonly #inputs: Sum;
  readonly #effects: Sum;
  readonly #commits: Histogram;
  readonly #barriers: Histogram;

  constructor(version: string, sources: AttemptSources) {
    const registry = this.#registry;
    collectDefaultMetrics({ register: registry });
    registerBuild(registry, version);
    this.#ingress = new IngressMetrics(registry);
    this.#attempts = new AttemptMetrics(registry, sources);
    const sum = (name: string, help: string): Sum => registerSum(registry, { name, help });
    this.#batches = sum("holdfast_batches_total", "Batches that were committed.");
    this.#inputs = sum("holdfast_inputs_total", "Inputs that were applied.");
    this.#effects = sum("holdfast_effects_total", "Effects of the batches that were committed.");
    const disk = (name: string, help: string): Histogram =>
      new Histogram({ name, help, buckets: DISK_BUCKETS_SECONDS, registers: [registry] });
    this.#commits = disk("holdfast_commit_duration_seconds", "From the first input to the commit.");
    this.#barriers = disk("holdfast_barrier_wait_seconds", "From a commit until it was durable.");
  }

  request(seen: RequestSeen): void {
    this.#ingress.request(seen);
  }

  attempt(seen: AttemptSeen): void {
    this.#attempts.attempt(seen);
  }

  step(seen: StepSeen): void {
    this.#steps ??= new StepMetrics(this.#registry);
    this.#steps.step(seen);
  }

  batch({ inputs, effects, commitMs }: BatchSeen): void {
    this.#batches.value += 1;
    this.#inputs.value += inputs;
    this.#effects.value += effects;
    this.#commits.observe(secondsOf(commitMs));
  }

  barrier(waitedMs: number): void {
    this.#barriers.observe(secondsOf(waitedMs));
  }

  /** Adds what is known of the replica. */
  addReplica(read: () => ReplicaSources): ReplicaMetrics {
    return new ReplicaMetrics(this.#registry, read);
  }

  /** Adds a counter whose sums somebody else keeps. */
  addSums(facts: CounterFacts, sums: () => Iterable<Sum>): void {
    registerSums(this.#registry, facts, sums);
  }

  /** The text that Prometheus reads. */
  async scrape(): Promise<Scrape> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }
}

function registerBuild(registry: Registry, version: string): void {
  new Gauge({
    name: "holdfast_build_info",
    help: "Always 1; the labels say what runs.",
    labelNames: ["version", "node_version"],
    registers: [registry],
  }).set({ version, node_version: process.version }, 1);
}
