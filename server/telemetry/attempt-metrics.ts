/** What attempts did: how many ended how, how long they took, what went over the wire. */
import { Gauge, Histogram, type Registry } from "prom-client";
import type { AttemptSeen } from "../processor/observer.ts";
import { REQUEST_BUCKETS_SECONDS, secondsOf } from "./seconds.ts";
import { registerSum, registerSums, type Sum } from "./sums.ts";

export interface AttemptSources {
  /** The bound on attempts in flight. */
  readonly attemptsMax: number;
  inFlight(): number;
  /** Attempts that wait for room under the bounds. */
  waiting(): number;
}

type AttemptStatus = AttemptSeen["status"];

/** Error codes are the server's own and few; the bound keeps it so. */
const ERROR_CODES_MAX = 100;

export class AttemptMetrics {
  readonly #sources: AttemptSources;
  readonly #sent: Sum;
  readonly #received: Sum;
  readonly #durations: Histogram;
  readonly #ended: Readonly<Record<AttemptStatus, Sum>> = {
    completed: taskSum("completed"),
    suspended: taskSum("suspended"),
    // A failed attempt is tried again: its failure is not yet the invocation's.
    failed: { labels: { status: "failed", transient: "true" }, value: 0 },
    cut: taskSum("cut"),
  };
  readonly #started = taskSum("started");
  readonly #failures = new Map<string, Sum>();

  constructor(registry: Registry, sources: AttemptSources) {
    this.#sources = sources;
    const tasks = {
      name: "restate_invoker_invocation_tasks_total",
      help: "Attempts by how they ended, and those that were started.",
      labelNames: ["status", "transient"],
    };
    registerSums(registry, tasks, () => this.#tasks());
    this.#durations = new Histogram({
      name: "restate_invoker_task_duration_seconds",
      help: "From the start of an attempt to its end.",
      buckets: REQUEST_BUCKETS_SECONDS,
      registers: [registry],
    });
    this.#sent = registerSum(registry, {
      name: "restate_invoker_sent_bytes_total",
      help: "Bytes of messages sent to endpoints.",
    });
    this.#received = registerSum(registry, {
      name: "restate_invoker_received_bytes_total",
      help: "Bytes of messages received from endpoints.",
    });
    const failures = {
      name: "holdfast_attempt_failures_total",
      help: "Failed attempts by error code.",
      labelNames: ["code"],
    };
    registerSums(registry, failures, () => this.#failures.values());
    registerGauges(registry, sources);
  }

  attempt(seen: AttemptSeen): void {
    this.#ended[seen.status].value += 1;
    this.#durations.observe(secondsOf(seen.endedAtMs - seen.startedAtMs));
    this.#sent.value += seen.sentBytes;
    this.#received.value += seen.receivedBytes;
    if (seen.failure !== null) this.#fail(seen.failure.errorCode);
  }

  #fail(errorCode: string): void {
    const isNew = !this.#failures.has(errorCode);
    const code = isNew && this.#failures.size >= ERROR_CODES_MAX ? "other" : errorCode;
    const sum = this.#failures.get(code) ?? { labels: { code }, value: 0 };
    sum.value += 1;
    this.#failures.set(code, sum);
  }

  /** Started are those that ended and those in flight; never less than before, whatever was released first. */
  #tasks(): readonly Sum[] {
    const ended = Object.values(this.#ended);
    const total = ended.reduce((sum, { value }) => sum + value, 0);
    this.#started.value = Math.max(this.#started.value, total + this.#sources.inFlight());
    return [this.#started, ...ended];
  }
}

function taskSum(status: string): Sum {
  return { labels: { status }, value: 0 };
}

function registerGauges(registry: Registry, sources: AttemptSources): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    const made: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: () => made.set(read()),
    });
  };
  gauge(
    "restate_invoker_concurrency_limit",
    "Attempts that may be in flight at once.",
    () => sources.attemptsMax,
  );
  gauge("holdfast_attempts_in_flight", "Attempts whose exchange is open.", () =>
    sources.inFlight(),
  );
  gauge("holdfast_attempts_waiting", "Attempts that wait for room under the bounds.", () =>
    sources.waiting(),
  );
}
