/**
 * The admin API: operators register deployments and look after invocations. On Hono; not a hot path. Errors are JSON,
 * `{message, restate_code}`.
 */
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { compress } from "hono/compress";
import type { Clock } from "../base/clock.ts";
import { pooledRandom, type Random } from "../base/ids.ts";
import type { MachineSettings } from "../machine/settings.ts";
import type { Door } from "../processor/ports.ts";
import { AdminError, errorAnswer } from "./admin-error.ts";
import { DeploymentChanges } from "./deployment-changes.ts";
import { deploymentRoutes } from "./deployment-routes.ts";
import { type Discover, Discovery, type TargetProblem } from "./discovery.ts";
import { type Guard, guardOf } from "./guard.ts";
import { type HeldWork, heldRoutes, NOTHING_HELD } from "./held-routes.ts";
import { invocationRoutes } from "./invocations.ts";
import { Line } from "./line.ts";
import { operationRoutes } from "./operation-routes.ts";
import { queryRoute, type RunQuery } from "./query-route.ts";
import { Registrar } from "./registrar.ts";
import { API_VERSIONS, type Route, routesApp } from "./routes.ts";
import { type HealthDetail, type MetricsText, serverRoutes } from "./server-routes.ts";
import { serviceRoutes } from "./service-routes.ts";
import { UNSUPPORTED_ROUTES } from "./unsupported-routes.ts";
import type { AdminAttempts } from "./why.ts";

/** More than anybody has; each is kept in memory with the schemas of its handlers. */
const DEPLOYMENTS_MAX = 10_000;

/** Smaller answers are not worth compressing. */
const COMPRESSED_BYTES_MIN = 1024;

export interface AdminOptions {
  readonly door: Door;
  readonly clock: Clock;
  readonly live: AdminAttempts;
  /** Where the state is one of the past, restored. Default: it is not. */
  readonly held?: HeldWork;
  readonly query: RunQuery;
  readonly metrics: () => Promise<MetricsText>;
  /** What `/health` tells everybody, without a token. */
  readonly health: () => HealthDetail;
  readonly discover: Discover;
  /** Why a deployment may not have this address; null when it may. */
  readonly targetProblem: TargetProblem;
  /** Timeouts where a service says nothing. */
  readonly defaults: { readonly inactivityTimeoutMs: number; readonly abortTimeoutMs: number };
  /** What else holds where a service says nothing. */
  readonly settings: MachineSettings;
  /** Names of the additional headers that make two registrations of one address distinct. */
  readonly routingHeaders: readonly string[];
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
  const routes = adminRoutes(options);
  const app = new Hono();
  app.use(compress({ threshold: COMPRESSED_BYTES_MIN }));
  protect(app, guardOf(options.token));
  const newest = Math.max(...API_VERSIONS);
  for (const version of API_VERSIONS) {
    const api = routesApp(routes, version);
    app.route(`/v${version}`, api);
    if (version === newest) app.route("/", api);
  }
  app.all("/v1/*", () => {
    const supported = `v${Math.min(...API_VERSIONS)} to v${newest}`;
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

/** All routes, of all versions. */
export function adminRoutes(options: AdminOptions): Route[] {
  const { door, clock, live, query, settings, ingressUrl } = options;
  const {
    random = pooledRandom(),
    deploymentsMax = DEPLOYMENTS_MAX,
    held = NOTHING_HELD,
  } = options;
  const { inactivityTimeoutMs, abortTimeoutMs } = options.defaults;
  const defaults = { inactivityTimeoutMs, abortTimeoutMs, settings };
  const routingHeaders = options.routingHeaders.map((name) => name.toLowerCase());
  const discovery = new Discovery(options.discover, options.targetProblem);
  const line = new Line();
  const core = { door, clock, random, discovery, line };
  const registrar = new Registrar({ ...core, routingHeaders, deploymentsMax });
  const changes = new DeploymentChanges({ ...core, live, query });
  return [
    ...serverRoutes(options),
    ...deploymentRoutes({ door, registrar, changes, defaults, live, query }),
    ...serviceRoutes({ door, line, defaults, ingressUrl }),
    ...invocationRoutes({ door, live, clock }),
    ...heldRoutes(held),
    ...operationRoutes({ door, clock, random }),
    queryRoute(query),
    ...UNSUPPORTED_ROUTES,
  ];
}

function protect(app: Hono, guard: Guard): void {
  app.use(async (context, next) => {
    if (!/^(?:\/v[234])?\/health$/.test(context.req.path)) guard(context.req.raw);
    await next();
  });
}
