/** The steps that attempts executed. */
import { Histogram, type Registry } from "prom-client";
import type { StepSeen } from "../processor/observer.ts";
import { REQUEST_BUCKETS_SECONDS, secondsOf } from "./seconds.ts";
import { registerSums, type Sum } from "./sums.ts";

export class StepMetrics {
  readonly #durations: Histogram;
  readonly #ended: Readonly<Record<"completed" | "failed", Sum>> = {
    completed: { labels: { status: "completed" }, value: 0 },
    failed: { labels: { status: "failed" }, value: 0 },
  };

  constructor(registry: Registry) {
    const steps = {
      name: "holdfast_steps_total",
      help: "Steps whose result was proposed.",
      labelNames: ["status"],
    };
    registerSums(registry, steps, () => Object.values(this.#ended));
    this.#durations = new Histogram({
      name: "holdfast_step_duration_seconds",
      help: "From the command of a step to the proposal of its result.",
      buckets: REQUEST_BUCKETS_SECONDS,
      registers: [registry],
    });
  }

  step(seen: StepSeen): void {
    this.#ended[seen.failed ? "failed" : "completed"].value += 1;
    this.#durations.observe(secondsOf(seen.endedAtMs - seen.startedAtMs));
  }
}
