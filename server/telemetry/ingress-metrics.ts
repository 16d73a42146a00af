/** What callers asked for and how it ended: a counter and a histogram by service. */
import { Histogram, type Registry } from "prom-client";
import type { RequestSeen, RequestStatus } from "../processor/observer.ts";
import { REQUEST_BUCKETS_SECONDS, secondsOf } from "./seconds.ts";
import { registerSums, type Sum } from "./sums.ts";

/** Registered services are few; whoever registers more than this, over and over, gets no further label values. */
const SERVICE_LABELS_MAX = 1000;
const FURTHER_SERVICES = "_other";

/** Requests that named no registered service: to Prometheus an empty label is none. */
const NO_SERVICE = "";

/** The names that dashboards of the native server know, where they exist. */
const STATUS_LABELS: Readonly<Record<RequestStatus | "admitted", string>> = {
  admitted: "admitted",
  completed: "completed",
  accepted: "completed",
  "invocation-error": "invocation_error",
  "request-error": "request_error",
  "rate-limited": "rate-limited",
  "ingress-error": "ingress_error",
  disconnected: "disconnected",
};

type Kind = RequestSeen["kind"];
type SumsByStatus = Map<RequestStatus | "admitted", Sum>;

interface ServiceRequests {
  readonly label: string;
  readonly sums: Readonly<Record<Kind, SumsByStatus>>;
  readonly duration: Pick<Histogram.Internal<string>, "observe">;
}

export class IngressMetrics {
  readonly #services = new Map<string, ServiceRequests>();
  readonly #durations: Histogram;

  constructor(registry: Registry) {
    const requests = {
      name: "restate_ingress_requests_total",
      help: "Requests on the ingress, counted when they end; those that made or found an invocation also as admitted.",
      labelNames: ["status", "rpc_service", "rpc_type"],
    };
    registerSums(registry, requests, () => this.#sums());
    this.#durations = new Histogram({
      name: "restate_ingress_request_duration_seconds",
      help: "From the arrival of a request to its answer.",
      labelNames: ["rpc_service"],
      buckets: REQUEST_BUCKETS_SECONDS,
      registers: [registry],
    });
  }

  request(seen: RequestSeen): void {
    const service = this.#service(seen.service ?? NO_SERVICE);
    count(service, seen.kind, seen.status);
    if (seen.invocationId !== null) count(service, seen.kind, "admitted");
    service.duration.observe(secondsOf(seen.endedAtMs - seen.startedAtMs));
  }

  #service(name: string): ServiceRequests {
    const known = this.#services.get(name);
    if (known !== undefined) return known;
    const isFull = this.#services.size >= SERVICE_LABELS_MAX;
    if (isFull && name !== FURTHER_SERVICES) return this.#service(FURTHER_SERVICES);
    const service: ServiceRequests = {
      label: name,
      sums: { call: new Map(), send: new Map(), other: new Map() },
      duration: this.#durations.labels(name),
    };
    this.#services.set(name, service);
    return service;
  }

  *#sums(): Iterable<Sum> {
    for (const { sums } of this.#services.values()) {
      for (const byStatus of Object.values(sums)) yield* byStatus.values();
    }
  }
}

function count(service: ServiceRequests, kind: Kind, status: RequestStatus | "admitted"): void {
  const sums = service.sums[kind];
  const sum = sums.get(status);
  if (sum !== undefined) {
    sum.value += 1;
    return;
  }
  const labels = { status: STATUS_LABELS[status], rpc_service: service.label, rpc_type: kind };
  sums.set(status, { labels, value: 1 });
}
