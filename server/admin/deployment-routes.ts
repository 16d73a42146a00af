/** Routes on deployments: register, change, take out of service, forget. */
import type { Door, LiveAttempts } from "../processor/ports.ts";
import { AdminError, emptyAnswer, jsonAnswer } from "./admin-error.ts";
import { type Changed, type DeploymentChanges, deploymentNamed } from "./deployment-changes.ts";
import { readUsage } from "./deployment-usage.ts";
import { deploymentListView, deploymentView, registeredView } from "./deployment-view.ts";
import { readFields } from "./json-body.ts";
import type { RunQuery } from "./query-route.ts";
import { parseRegisterRequest, parseUpdateRequest } from "./register-request.ts";
import type { Registrar } from "./registrar.ts";
import { flag, type Route, type RouteRequest } from "./routes.ts";
import type { ServiceDefaults } from "./service-view.ts";

export interface DeploymentRoutesOptions {
  readonly door: Door;
  readonly registrar: Registrar;
  readonly changes: DeploymentChanges;
  readonly defaults: ServiceDefaults;
  readonly live: LiveAttempts;
  readonly query: RunQuery;
}

export function deploymentRoutes(options: DeploymentRoutesOptions): Route[] {
  const { door, changes, defaults } = options;
  const shown = async ({ deployment, registry }: Changed): Promise<Response> =>
    jsonAnswer(200, deploymentView(registry, deployment, defaults, await readUsage(options)));
  const update = async ({ request, parameters: { id = "" } }: RouteRequest): Promise<Response> => {
    const wanted = parseUpdateRequest(await readFields(request));
    return shown(wanted === null ? await known(door, id) : await changes.update(id, wanted));
  };
  return [
    { method: "POST", path: "/deployments", handle: (request) => register(options, request) },
    {
      method: "GET",
      path: "/deployments",
      handle: async () => {
        const usage = await readUsage(options);
        const registry = await door.readDurable((reader) => reader.registry());
        return jsonAnswer(200, { deployments: deploymentListView(registry, usage) });
      },
    },
    {
      method: "GET",
      path: "/deployments/:id",
      handle: async ({ parameters: { id = "" } }) => shown(await known(door, id)),
    },
    { method: "PATCH", path: "/deployments/:id", handle: update },
    { method: "PUT", path: "/deployments/:id", versions: [2], handle: update },
    {
      method: "DELETE",
      path: "/deployments/:id",
      handle: async ({ parameters: { id = "" }, query: parameters }) => {
        await changes.remove(id, flag(parameters, "force"));
        return emptyAnswer(202);
      },
    },
    {
      method: "POST",
      path: "/deployments/:id/drain",
      handle: async ({ parameters: { id = "" }, query: parameters }) =>
        shown(await changes.drain(id, flag(parameters, "force"))),
    },
    {
      method: "POST",
      path: "/deployments/:id/undrain",
      handle: async ({ parameters: { id = "" } }) => shown(await changes.undrain(id)),
    },
  ];
}

async function register(
  { registrar, defaults }: DeploymentRoutesOptions,
  { request, apiVersion }: RouteRequest,
): Promise<Response> {
  const isOldest = apiVersion === 2;
  const wanted = parseRegisterRequest(await readFields(request), isOldest);
  const { deployment, registry, isKnown, notes } = await registrar.register(wanted);
  const { id, uri } = deployment;
  if (isOldest && isKnown && !wanted.force) {
    throw new AdminError(409, `${uri} is registered already, as ${id}`, "META0004");
  }
  const view = registeredView(registry, deployment, defaults, notes);
  const status = isKnown && !isOldest ? 200 : 201;
  return jsonAnswer(status, view, { location: `deployments/${id}` });
}

async function known(door: Door, id: string): Promise<Changed> {
  const registry = await door.readDurable((reader) => reader.registry());
  return { deployment: deploymentNamed(registry, id), registry };
}
