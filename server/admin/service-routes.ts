/** Routes on services: what they offer, what operators set over it, and the state of their keys. */
import type { ManifestHandler, ManifestService } from "../../sdk/protocol/manifest.ts";
import { type Registry, type ServiceRevision, withOverrides } from "../machine/registry.ts";
import type { Door } from "../processor/ports.ts";
import { AdminError, emptyAnswer, jsonAnswer } from "./admin-error.ts";
import { askDoor } from "./ask-door.ts";
import { readFields } from "./json-body.ts";
import type { Line } from "./line.ts";
import type { Route, RouteRequest } from "./routes.ts";
import { serviceDocument } from "./service-document.ts";
import { changedOverrides } from "./service-overrides.ts";
import { handlerView, type ServiceDefaults, serviceView } from "./service-view.ts";
import { parseStateRequest, STATE_BODY_BYTES_MAX } from "./state-request.ts";
import type { View } from "./view.ts";

export interface ServiceRoutesOptions {
  readonly door: Door;
  readonly line: Line;
  readonly defaults: ServiceDefaults;
  /** Where callers find the ingress. */
  readonly ingressUrl: string;
}

interface Known {
  readonly registry: Registry;
  readonly service: ManifestService;
  readonly revision: ServiceRevision;
}

export function serviceRoutes(options: ServiceRoutesOptions): Route[] {
  const { door, defaults, ingressUrl } = options;
  return [
    {
      method: "GET",
      path: "/services",
      handle: async () => {
        const registry = await registryOf(door);
        const services = [...registry.revisions.keys()]
          .map((name) => find(registry, name))
          .filter((known) => known !== null)
          .map(({ service, revision }) => serviceView(registry, service, revision, defaults));
        return jsonAnswer(200, { services });
      },
    },
    {
      method: "GET",
      path: "/services/:service",
      handle: async ({ parameters }) => shown(await named(door, parameters), defaults),
    },
    { method: "PATCH", path: "/services/:service", handle: (request) => modify(options, request) },
    {
      method: "GET",
      path: "/services/:service/handlers",
      handle: async ({ parameters }) => {
        const { registry, service } = await named(door, parameters);
        return jsonAnswer(200, { handlers: handlersOf(registry, service) });
      },
    },
    {
      method: "GET",
      path: "/services/:service/handlers/:handler",
      handle: async ({ parameters }) => {
        const { registry, service } = await named(door, parameters);
        return jsonAnswer(200, singleHandler(registry, service, parameters["handler"] ?? ""));
      },
    },
    {
      method: "GET",
      path: "/services/:service/openapi",
      handle: async ({ parameters }) => {
        const { registry, service, revision } = await named(door, parameters);
        const effective = withOverrides(registry, service);
        return jsonAnswer(200, serviceDocument(effective, revision.revision, ingressUrl));
      },
    },
    {
      method: "POST",
      path: "/services/:service/state",
      handle: (request) => mutateState(door, request),
    },
  ];
}

async function registryOf(door: Door): Promise<Registry> {
  return await door.readDurable((reader) => reader.registry());
}

async function named(
  door: Door,
  { service: name = "" }: RouteRequest["parameters"],
): Promise<Known> {
  const known = find(await registryOf(door), name);
  if (known === null) throw unknownService(name);
  return known;
}

function unknownService(name: string): AdminError {
  return new AdminError(404, `there is no service '${name}'`);
}

/** As new invocations see it or, where all its deployments drain, as the latest of them offers it. */
function find(registry: Registry, name: string): Known | null {
  const offeredBy = ({ deploymentId }: ServiceRevision): ManifestService | undefined =>
    registry.deployments.get(deploymentId)?.services.find((each) => each.name === name);
  const latest = registry.services.get(name);
  const revisions = latest === undefined ? (registry.revisions.get(name) ?? []) : [latest];
  const revision = revisions.findLast((each) => offeredBy(each) !== undefined);
  const service = revision === undefined ? undefined : offeredBy(revision);
  if (revision === undefined || service === undefined) return null;
  return { registry, service, revision };
}

function shown({ registry, service, revision }: Known, defaults: ServiceDefaults): Response {
  return jsonAnswer(200, serviceView(registry, service, revision, defaults));
}

function handlersOf(registry: Registry, offered: ManifestService): View[] {
  const service = withOverrides(registry, offered);
  return service.handlers.map((handler) => handlerView(service, handler));
}

function singleHandler(registry: Registry, offered: ManifestService, name: string): View {
  const service = withOverrides(registry, offered);
  const handler = service.handlers.find((each: ManifestHandler) => each.name === name);
  if (handler === undefined) {
    throw new AdminError(404, `the service '${service.name}' has no handler '${name}'`);
  }
  return handlerView(service, handler);
}

/** In line with other changes: each takes what is set and adds to it. */
async function modify(
  { door, line, defaults }: ServiceRoutesOptions,
  { request, parameters }: RouteRequest,
): Promise<Response> {
  const fields = await readFields(request);
  return await line.run(async () => {
    const { registry, service } = await named(door, parameters);
    const { name } = service;
    const overrides = changedOverrides(service, registry.overrides.get(name) ?? {}, fields);
    const input = { type: "override-service", service: name, overrides } as const;
    const reply = await askDoor(door, (replyTo) => ({ ...input, replyTo }));
    if (reply.kind === "not-found" || reply.kind === "refused") throw unknownService(name);
    return shown(await named(door, parameters), defaults);
  });
}

/** 202: it is done, or will be when those before it on the key are. */
async function mutateState(
  door: Door,
  { request, parameters: { service: name = "" } }: RouteRequest,
): Promise<Response> {
  const { key, mutation } = parseStateRequest(await readFields(request, STATE_BODY_BYTES_MAX));
  const known = find(await registryOf(door), name);
  // What is left of a service that is gone may still be cleared.
  if (known === null && mutation.entries.length > 0) throw unknownService(name);
  if (known?.service.ty === "SERVICE") {
    throw new AdminError(400, `${name} is a plain service: it has no state`);
  }
  const input = { type: "mutate-state", instance: { service: name, key }, mutation } as const;
  const reply = await askDoor(door, (replyTo) => ({ ...input, replyTo }));
  if (reply.kind === "not-found") throw unknownService(name);
  if (reply.kind === "refused") {
    if (reply.reason === "version-mismatch") throw new AdminError(412, reply.message);
    if (reply.reason === "unknown-service") throw unknownService(name);
    throw new AdminError(400, reply.message);
  }
  return emptyAnswer(202);
}
