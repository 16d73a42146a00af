/**
 * The admin API: operators register deployments and look after invocations. On Hono; not a hot path. Every answer that is not
 * empty is JSON, errors `{message, restate_code}`.
 */
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import { pooledRandom, type Random } from "../base/ids.ts";
import type { Door } from "../processor/ports.ts";
import { AdminError, emptyAnswer, errorAnswer, jsonAnswer } from "./admin-error.ts";
import { type Guard, guardOf } from "./guard.ts";
import { invocationRoutes } from "./invocations.ts";
import { type Discover, Registrar } from "./registrar.ts";
import { registryRoutes } from "./registry-routes.ts";
import { type Route, routesApp } from "./routes.ts";
import type { ServiceDefaults } from "./service-view.ts";

/** More than anybody has; each is kept in memory with the schemas of its handlers. */
const DEPLOYMENTS_MAX = 10_000;

/** The versions of this API that are answered, all alike. */
const PREFIXES = ["", "/v2", "/v3", "/v4"];
const API_VERSION_MIN = 2;
const API_VERSION_MAX = 4;

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

export interface AdminOptions {
  readonly door: Door;
  readonly clock: Clock;
  readonly discover: Discover;
  /** Why a deployment may not have this address; null when it may. */
  readonly targetProblem: (url: URL) => string | null;
  readonly defaults: ServiceDefaults;
  /** Of this server. */
  readonly version: string;
  /** Where callers find the ingress. */
  readonly ingressUrl: string;
  /** What everything but health asks for; null only where the listener is bound to loopback. */
  readonly token: string | null;
  /** A defect: the request is answered with 500 and without details. */
  readonly onError: (error: unknown) => void;
  readonly random?: Random;
  readonly deploymentsMax?: number;
}

export type AdminHandle = ReturnType<typeof getRequestListener>;

/** For a listener: answers one request. */
export function createAdmin(options: AdminOptions): AdminHandle {
  const { door, clock, discover, targetProblem } = options;
  const { random = pooledRandom(), deploymentsMax = DEPLOYMENTS_MAX } = options;
  const registrar = new Registrar({ door, clock, random, discover, targetProblem, deploymentsMax });
  const api = routesApp([
    ...serverRoutes(options),
    ...registryRoutes(door, registrar, options.defaults),
    ...invocationRoutes(door),
  ]);
  const app = new Hono();
  protect(app, guardOf(options.token));
  for (const prefix of PREFIXES) app.route(prefix === "" ? "/" : prefix, api);
  app.all("/v1/*", () => {
    const supported = `v${API_VERSION_MIN} to v${API_VERSION_MAX}`;
    throw new AdminError(400, `version 1 of this API is no longer served; use ${supported}`);
  });
  app.notFound(() => errorAnswer(new AdminError(404, "there is nothing under this path")));
  app.onError((error) => {
    if (error instanceof AdminError) return errorAnswer(error);
    options.onError(error);
    return errorAnswer(new AdminError(500, "the server failed; its log says why"));
  });
  return getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    errorHandler: (error) => {
      options.onError(error);
      return errorAnswer(new AdminError(400, "the request cannot be read"));
    },
  });
}

function protect(app: Hono, guard: Guard): void {
  app.use(async (context, next) => {
    if (!/^(?:\/v[234])?\/health$/.test(context.req.path)) guard(context.req.raw);
    await next();
  });
}

function serverRoutes({ version, ingressUrl }: AdminOptions): Route[] {
  const document = {
    version,
    min_admin_api_version: API_VERSION_MIN,
    max_admin_api_version: API_VERSION_MAX,
    ingress_endpoint: ingressUrl,
    features: Object.fromEntries(FEATURES.map((feature) => [feature, false])),
  };
  return [
    { method: "GET", path: "/health", handle: () => emptyAnswer(200) },
    { method: "GET", path: "/version", handle: () => jsonAnswer(200, document) },
  ];
}
