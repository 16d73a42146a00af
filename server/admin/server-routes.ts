/** Routes on the server itself: whether it lives, which it is, what it measures, what this API is. */
import { jsonAnswer } from "./admin-error.ts";
import { adminDocument } from "./admin-document.ts";
import { API_VERSIONS, type Route } from "./routes.ts";

/** Features of the reference server that clients ask for; this server has none of them. */
const FEATURES = [
  "invoker_yield",
  "kafka_scope",
  "preflight_invocation_termination_retention",
  "protocol_v7",
  "scoped_promise_table_migration",
  "scoped_state_table_migration",
  "scoped_virtual_objects",
  "unique_random_seeds",
  "vqueue_obsolete_cleanup",
  "vqueues",
  "vqueues_async_refill",
  "vqueues_migration_skip_completed",
];

export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

export interface ServerRoutesOptions {
  /** Of this server. */
  readonly version: string;
  /** Where callers find the ingress. */
  readonly ingressUrl: string;
  readonly metrics: () => Promise<MetricsText>;
  /** What `/health` tells beside that the server lives. */
  readonly health: () => HealthDetail;
}

/** `degraded`: it serves, and something needs an eye. */
export interface HealthDetail {
  readonly status: "ok" | "degraded";
  readonly [detail: string]: unknown;
}

export function serverRoutes({
  version,
  ingressUrl,
  metrics,
  health,
}: ServerRoutesOptions): Route[] {
  const about = {
    version,
    min_admin_api_version: Math.min(...API_VERSIONS),
    max_admin_api_version: Math.max(...API_VERSIONS),
    ingress_endpoint: ingressUrl,
    features: Object.fromEntries(FEATURES.map((feature) => [feature, false])),
  };
  return [
    { method: "GET", path: "/", handle: () => plainText(frontPage(version, ingressUrl)) },
    { method: "GET", path: "/health", handle: () => jsonAnswer(200, health()) },
    { method: "GET", path: "/version", handle: () => jsonAnswer(200, about) },
    {
      method: "GET",
      path: "/cluster-health",
      handle: () => jsonAnswer(200, { cluster_name: "holdfast" }),
    },
    { method: "GET", path: "/openapi", handle: () => jsonAnswer(200, adminDocument(version)) },
    {
      method: "GET",
      path: "/metrics",
      handle: async () => {
        const { contentType, body } = await metrics();
        return new Response(body, { headers: { "content-type": contentType } });
      },
    },
  ];
}

function plainText(text: string): Response {
  return new Response(text, { headers: { "content-type": "text/plain; charset=utf-8" } });
}

function frontPage(version: string, ingressUrl: string): string {
  return `Holdfast ${version}: the admin API.

Callers invoke services at ${ingressUrl}

  POST /deployments {"uri":"http://localhost:9080"}   register an endpoint
  GET  /services                                      what is registered
  GET  /invocations/{id}/why                          what an invocation waits for
  POST /query {"query":"SELECT * FROM sys_invocation"} SQL, with accept: application/json
  GET  /metrics                                       for Prometheus
  GET  /openapi                                       all of this API
`;
}
