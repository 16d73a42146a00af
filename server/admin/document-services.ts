/** The paths on services, for the OpenAPI document; pure. */
import { answer, empty, operation, pathParameter } from "./document-parts.ts";

const tag = "services";
const service = pathParameter("service", "Name of the service");
const handler = pathParameter("handler", "Name of the handler");
const UNKNOWN = { 404: "There is no such service" };

const listOf = (name: string, schema: string) => ({
  type: "object",
  required: [name],
  properties: { [name]: { type: "array", items: { $ref: `#/components/schemas/${schema}` } } },
});

export const SERVICE_PATHS = {
  "/services": {
    get: operation({
      id: "list_services",
      tag,
      summary: "List the services",
      success: { 200: answer("In no particular order", listOf("services", "Service")) },
    }),
  },
  "/services/{service}": {
    get: operation({
      id: "get_service",
      tag,
      summary: "Show a service, with the values in force",
      parameters: [service],
      success: { 200: answer("The service", "Service") },
      failures: UNKNOWN,
    }),
    patch: operation({
      id: "modify_service",
      tag,
      summary: "Set options over those of the code",
      description:
        "Null and absent fields change nothing; the text `default` takes back what was set. Kept over new revisions.",
      parameters: [service],
      body: "ModifyService",
      success: { 200: answer("As it is now", "Service") },
      failures: {
        ...UNKNOWN,
        400: "The option has no meaning for this service",
        415: "Not declared as JSON",
        422: "JSON of another shape; durations are text",
      },
    }),
  },
  "/services/{service}/handlers": {
    get: operation({
      id: "list_handlers",
      tag,
      summary: "List the handlers of a service",
      parameters: [service],
      success: { 200: answer("The handlers", listOf("handlers", "Handler")) },
      failures: UNKNOWN,
    }),
  },
  "/services/{service}/handlers/{handler}": {
    get: operation({
      id: "get_handler",
      tag,
      summary: "Show a handler, with what it sets itself",
      parameters: [service, handler],
      success: { 200: answer("The handler", "Handler") },
      failures: { 404: "There is no such service or handler" },
    }),
  },
  "/services/{service}/openapi": {
    get: operation({
      id: "get_service_openapi",
      tag,
      summary: "The OpenAPI document of a service, for its callers",
      parameters: [service],
      success: { 200: answer("OpenAPI 3.1", { type: "object" }) },
      failures: UNKNOWN,
    }),
  },
  "/services/{service}/state": {
    post: operation({
      id: "modify_service_state",
      tag,
      summary: "Replace the whole state of a key",
      description: "Waits for its turn behind those that hold or wait for the key.",
      parameters: [service],
      body: "ModifyServiceState",
      success: { 202: empty("It is done, or will be") },
      failures: {
        ...UNKNOWN,
        400: "A plain service has no state",
        412: "The state is of another version",
        413: "Above 32 MiB",
        415: "Not declared as JSON",
        422: "JSON of another shape",
      },
    }),
  },
};
