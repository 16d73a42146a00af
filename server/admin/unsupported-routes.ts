/** What clients of the reference server may ask for and this one does not have: said in words, and empty where lists are asked for. */
import { AdminError, jsonAnswer } from "./admin-error.ts";
import type { Route } from "./routes.ts";

const KAFKA = "Kafka is not supported by this server";
const RULES = "limit rules are not supported by this server; it has no scopes and no limit keys";
const QUEUES = "virtual queues are not supported by this server";
const SERDES = "this server does not ask services to convert payloads; decode them with the SDK";

export const UNSUPPORTED_ROUTES: readonly Route[] = [
  emptyList("/kafka-clusters", "clusters"),
  refused("POST", "/kafka-clusters", KAFKA),
  refused("GET", "/kafka-clusters/:name", KAFKA),
  refused("PATCH", "/kafka-clusters/:name", KAFKA),
  refused("DELETE", "/kafka-clusters/:name", KAFKA),
  emptyList("/subscriptions", "subscriptions"),
  refused("POST", "/subscriptions", KAFKA),
  refused("GET", "/subscriptions/:id", KAFKA),
  refused("DELETE", "/subscriptions/:id", KAFKA),
  refused("PUT", "/limits/rules", RULES),
  refused("POST", "/limits/rules/bulk-delete", RULES),
  refused("POST", "/vqueues/:id/pause", QUEUES),
  refused("POST", "/vqueues/:id/resume", QUEUES),
  refused("POST", "/internal/services/:service/serdes/decode/:serde{.+}", SERDES),
  refused("POST", "/internal/services/:service/serdes/encode/:serde{.+}", SERDES),
];

function emptyList(path: string, name: string): Route {
  return { method: "GET", path, handle: () => jsonAnswer(200, { [name]: [] }) };
}

function refused(method: Route["method"], path: string, message: string): Route {
  return {
    method,
    path,
    handle: () => {
      throw new AdminError(501, message);
    },
  };
}
