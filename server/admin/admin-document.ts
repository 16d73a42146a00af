/** The OpenAPI 3.1 document of the admin API; pure. */
import { DEPLOYMENT_PATHS } from "./document-deployments.ts";
import { HELD_PATHS } from "./document-held.ts";
import { INVOCATION_PATHS } from "./document-invocations.ts";
import { SCHEMAS } from "./document-schemas.ts";
import { SERVER_PATHS } from "./document-server.ts";
import { SERVICE_PATHS } from "./document-services.ts";
import type { View } from "./view.ts";

export function adminDocument(version: string): View {
  return {
    openapi: "3.1.0",
    info: {
      title: "Holdfast admin API",
      version,
      description:
        "Register deployments, look after invocations, ask for state. Every path also under /v2, /v3 and /v4; without a " +
        "version it is the newest. Durations are text such as `1m 30s` or `PT90S`.",
    },
    servers: [{ url: "/" }],
    security: [{}, { token: [] }],
    paths: {
      ...SERVER_PATHS,
      ...HELD_PATHS,
      ...DEPLOYMENT_PATHS,
      ...SERVICE_PATHS,
      ...INVOCATION_PATHS,
    },
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: SCHEMAS,
    },
  };
}
