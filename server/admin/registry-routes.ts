/** Routes on what is registered: deployments, services and handlers. */
import type { ManifestHandler, ManifestService } from "../../sdk/protocol/manifest.ts";
import type { Registry, ServiceRevision } from "../machine/registry.ts";
import type { Door } from "../processor/ports.ts";
import { AdminError, jsonAnswer } from "./admin-error.ts";
import { deploymentListView, deploymentView, registeredView } from "./deployment-view.ts";
import { readFields } from "./json-body.ts";
import { parseRegisterRequest } from "./register-request.ts";
import type { Registrar } from "./registrar.ts";
import type { Route } from "./routes.ts";
import { handlerView, type ServiceDefaults, serviceView, type View } from "./service-view.ts";

export function registryRoutes(
  door: Door,
  registrar: Registrar,
  defaults: ServiceDefaults,
): Route[] {
  const registryOf = (): Promise<Registry> => door.readDurable((reader) => reader.registry());
  return [
    {
      method: "POST",
      path: "/deployments",
      handle: async ({ request }) => {
        const { deployment, registry, isKnown } = await registrar.register(
          parseRegisterRequest(await readFields(request)),
        );
        const view = registeredView(registry, deployment, defaults);
        return jsonAnswer(isKnown ? 200 : 201, view, { location: `deployments/${deployment.id}` });
      },
    },
    {
      method: "GET",
      path: "/deployments",
      handle: async () => jsonAnswer(200, { deployments: deploymentListView(await registryOf()) }),
    },
    {
      method: "GET",
      path: "/deployments/:id",
      handle: async ({ parameters: { id = "" } }) => {
        const registry = await registryOf();
        const deployment = registry.deployments.get(id);
        if (deployment === undefined) throw new AdminError(404, `there is no deployment '${id}'`);
        return jsonAnswer(200, deploymentView(registry, deployment, defaults));
      },
    },
    ...serviceRoutes(registryOf, defaults),
  ];
}

function serviceRoutes(registryOf: () => Promise<Registry>, defaults: ServiceDefaults): Route[] {
  const latestNamed = async (name = ""): Promise<Latest> => {
    const latest = latestOf(await registryOf(), name);
    if (latest === null) throw new AdminError(404, `there is no service '${name}'`);
    return latest;
  };
  return [
    {
      method: "GET",
      path: "/services",
      handle: async () => {
        const registry = await registryOf();
        const services = [...registry.services.keys()]
          .map((name) => latestOf(registry, name))
          .filter((latest) => latest !== null)
          .map(({ service, revision }) => serviceView(service, revision, defaults));
        return jsonAnswer(200, { services });
      },
    },
    {
      method: "GET",
      path: "/services/:service",
      handle: async ({ parameters }) => {
        const { service, revision } = await latestNamed(parameters["service"]);
        return jsonAnswer(200, serviceView(service, revision, defaults));
      },
    },
    {
      method: "GET",
      path: "/services/:service/handlers",
      handle: async ({ parameters }) => {
        const { service } = await latestNamed(parameters["service"]);
        const handlers = service.handlers.map((handler) => handlerView(service, handler));
        return jsonAnswer(200, { handlers });
      },
    },
    {
      method: "GET",
      path: "/services/:service/handlers/:handler",
      handle: async ({ parameters }) => {
        const { service } = await latestNamed(parameters["service"]);
        return jsonAnswer(200, singleHandler(service, parameters["handler"] ?? ""));
      },
    },
  ];
}

interface Latest {
  readonly service: ManifestService;
  readonly revision: ServiceRevision;
}

/** Null also where its deployment was overwritten in place and no longer offers it. */
function latestOf(registry: Registry, name: string): Latest | null {
  const revision = registry.services.get(name);
  const deployment = registry.deployments.get(revision?.deploymentId ?? "");
  const service = deployment?.services.find((each) => each.name === name);
  return revision === undefined || service === undefined ? null : { service, revision };
}

function singleHandler(service: ManifestService, name: string): View {
  const handler = service.handlers.find((each: ManifestHandler) => each.name === name);
  if (handler === undefined) {
    throw new AdminError(404, `the service '${service.name}' has no handler '${name}'`);
  }
  return handlerView(service, handler);
}
