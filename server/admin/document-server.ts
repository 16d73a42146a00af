/** The paths on the server itself, on SQL, and on what is not supported, for the OpenAPI document; pure. */
import { answer, operation, pathParameter } from "./document-parts.ts";
import type { View } from "./view.ts";

const server = "server";

const NOT_SUPPORTED = { 501: "Not supported by this server" };

const unsupported = (id: string, summary: string, ...parameters: readonly View[]): View =>
  operation({ id, tag: "unsupported", summary, parameters, success: {}, failures: NOT_SUPPORTED });

const emptyList = (id: string, name: string, summary: string): View =>
  operation({
    id,
    tag: "unsupported",
    summary,
    success: {
      200: answer("There are none", {
        type: "object",
        properties: { [name]: { type: "array", maxItems: 0 } },
      }),
    },
  });

const text = (description: string): View => ({
  description,
  content: { "text/plain": { schema: { type: "string" } } },
});

const service = pathParameter("service", "Name of the service");
const serde = pathParameter("serde", "Name of the conversion");
const name = pathParameter("name", "Name of the cluster");
const id = pathParameter("id", "Id of the subscription or queue");

export const SERVER_PATHS = {
  "/": {
    get: operation({
      id: "front_page",
      tag: server,
      summary: "What this is, as text",
      success: { 200: text("The text") },
    }),
  },
  "/health": {
    get: operation({
      id: "health",
      tag: server,
      summary: "Is the server up? Asks for no token",
      success: { 200: answer("It is; `degraded` where something needs an eye", "Health") },
    }),
  },
  "/version": {
    get: operation({
      id: "version",
      tag: server,
      summary: "Which server and which versions of this API",
      success: { 200: answer("The versions", "VersionInformation") },
    }),
  },
  "/cluster-health": {
    get: operation({
      id: "cluster_health",
      tag: server,
      summary: "There is no cluster: the name alone",
      deprecated: true,
      success: { 200: answer("The name", "ClusterHealth") },
    }),
  },
  "/openapi": {
    get: operation({
      id: "openapi",
      tag: server,
      summary: "This document",
      success: { 200: answer("OpenAPI 3.1", { type: "object" }) },
    }),
  },
  "/metrics": {
    get: operation({
      id: "metrics",
      tag: server,
      summary: "Measurements in the format of Prometheus",
      success: { 200: text("The measurements") },
    }),
  },
  "/query": {
    post: {
      ...operation({
        id: "query",
        tag: server,
        summary: "Ask for rows with SQL",
        description:
          "With the header accept: application/json, exactly, the rows come as JSON; otherwise as an Arrow IPC stream. " +
          "Null columns are left out of a JSON row.",
        body: "QueryRequest",
        success: {
          200: {
            description: "The rows",
            content: {
              "application/json": { schema: { $ref: "#/components/schemas/QueryRows" } },
              "application/vnd.apache.arrow.stream": {
                schema: { type: "string", format: "binary" },
              },
            },
          },
        },
        failures: {
          400: "The statement cannot be run as it is",
          429: "Too many queries at once; retry-after says when",
          503: "The engine is not there now",
        },
      }),
    },
  },
  "/kafka-clusters": {
    get: emptyList("list_kafka_clusters", "clusters", "List Kafka clusters"),
    post: unsupported("create_kafka_cluster", "Add a Kafka cluster"),
  },
  "/kafka-clusters/{name}": {
    get: unsupported("get_kafka_cluster", "Show a Kafka cluster", name),
    patch: unsupported("update_kafka_cluster", "Change a Kafka cluster", name),
    delete: unsupported("delete_kafka_cluster", "Remove a Kafka cluster", name),
  },
  "/subscriptions": {
    get: emptyList("list_subscriptions", "subscriptions", "List subscriptions"),
    post: unsupported("create_subscription", "Subscribe a handler to a topic"),
  },
  "/subscriptions/{id}": {
    get: unsupported("get_subscription", "Show a subscription", id),
    delete: unsupported("delete_subscription", "Remove a subscription", id),
  },
  "/limits/rules": { put: unsupported("upsert_rules", "Set limit rules") },
  "/limits/rules/bulk-delete": { post: unsupported("delete_rules", "Remove limit rules") },
  "/vqueues/{id}/pause": { post: unsupported("pause_vqueue", "Pause a virtual queue", id) },
  "/vqueues/{id}/resume": { post: unsupported("resume_vqueue", "Resume a virtual queue", id) },
  "/internal/services/{service}/serdes/decode/{serde}": {
    post: unsupported("decode_payload", "Decode a payload", service, serde),
  },
  "/internal/services/{service}/serdes/encode/{serde}": {
    post: unsupported("encode_payload", "Encode a payload", service, serde),
  },
};
