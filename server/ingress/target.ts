/** From a route to the handler it means, by what is registered now (HTTP API 1.2, checks 1 to 5); pure. */
import type { ManifestService, ServiceType } from "../../sdk/protocol/manifest.ts";
import { MIN_PROTOCOL_VERSION } from "../../sdk/protocol/version.ts";
import type { Problem } from "../http/problem.ts";
import type { HandlerKind } from "../machine/invocation.ts";
import { handlerKind } from "../machine/policy.ts";
import { type Registry, type ResolvedHandler, resolveHandler } from "../machine/registry.ts";
import { BAD_ENCODING, badPath, decode, type IdempotentPath, type Route } from "./path.ts";

export interface InvokeTarget {
  readonly resolved: ResolvedHandler;
  readonly handlerKind: HandlerKind;
  /** Null for a plain service. */
  readonly key: string | null;
  readonly send: boolean;
}

export type Checked<T> =
  | ({ readonly kind: "ok" } & T)
  | { readonly kind: "problem"; readonly problem: Problem };

type InvokeRoute = Extract<Route, { kind: "classic" | "explicit" }>;

export function invokeTarget(registry: Registry, route: InvokeRoute): Checked<InvokeTarget> {
  const service = latestOf(registry, route.service);
  if (service === undefined) return { kind: "problem", problem: unknownService(route.service) };
  const shape = shapeOf(service, route);
  if (shape.kind === "problem") return shape;
  const { handler, key, send } = shape;
  const resolved = resolveHandler(registry, route.service, handler);
  if (resolved === undefined) {
    return { kind: "problem", problem: unknownHandler(route.service, handler) };
  }
  const problem = accessProblem(resolved);
  if (problem !== null) return { kind: "problem", problem };
  return { kind: "ok", resolved, handlerKind: handlerKind(resolved), key, send };
}

interface Shape {
  readonly handler: string;
  readonly key: string | null;
  readonly send: boolean;
}

/** The type of the service says whether the first segment behind its name is a key. */
function shapeOf({ name, ty }: ManifestService, route: InvokeRoute): Checked<Shape> {
  const handlerAt = ty === "SERVICE" ? 0 : 1;
  const { rest } = route;
  const handler = rest[handlerAt];
  const last = rest[handlerAt + 1];
  const isClassic = route.kind === "classic";
  const mayFollow = last === undefined || (isClassic && last === "send");
  if (handler === undefined || !mayFollow || rest.length > handlerAt + 2) {
    return badPath(expected(name, ty, isClassic));
  }
  const key = ty === "SERVICE" ? null : decode(rest[0]);
  if (key === undefined) return badPath(BAD_ENCODING);
  return { kind: "ok", handler, key, send: isClassic ? last === "send" : route.send };
}

function expected(name: string, ty: ServiceType, isClassic: boolean): string {
  const path = ty === "SERVICE" ? "{handler}" : "{key}/{handler}";
  const tail = isClassic ? "at most with /send behind it" : "and no more";
  return `${name} is a ${TYPE_NAMES[ty]}: expected ${name}/${path} ${tail}`;
}

const TYPE_NAMES: Readonly<Record<ServiceType, string>> = {
  SERVICE: "plain service",
  VIRTUAL_OBJECT: "virtual object",
  WORKFLOW: "workflow",
};

/** What speaks against an idempotent result path or target; the invocation itself may still be unknown. */
export function idempotentTargetProblem(
  registry: Registry,
  { service: name, key, handler }: IdempotentPath,
): Problem | null {
  const service = latestOf(registry, name);
  if (service === undefined) return unknownService(name);
  const isKeyed = service.ty !== "SERVICE";
  if (isKeyed !== (key !== null)) {
    const rule = isKeyed ? "needs a key" : "takes no key";
    return badPath(`${name} is a ${TYPE_NAMES[service.ty]} and ${rule}`).problem;
  }
  const resolved = resolveHandler(registry, name, handler);
  if (resolved === undefined) return unknownHandler(name, handler);
  return handlerKind(resolved) === "run" ? runTakesNoKey(name, handler) : null;
}

/** A workflow that nobody offers any more may have results: these are asked for by its name alone. */
export function workflowTargetProblem(registry: Registry, name: string): Problem | null {
  const service = latestOf(registry, name);
  if (service === undefined || service.ty === "WORKFLOW") return null;
  const message = `${name} is a ${TYPE_NAMES[service.ty]}, no workflow; ask by invocation id or by idempotency key`;
  return { status: 400, reason: "no-workflow", message };
}

/** The run of a workflow has an identity of its own, its key. */
export function runTakesNoKey(service: string, handler: string): Problem {
  const message = `${service}/${handler} runs once for each workflow key: leave the idempotency key out`;
  return { status: 400, reason: "idempotency-key-on-run", message };
}

/** The names of what can be called or could be, were it served. */
export function servicesOf(registry: Registry): string[] {
  return [...registry.services.keys()].filter((name) => latestOf(registry, name) !== undefined);
}

function latestOf(registry: Registry, name: string): ManifestService | undefined {
  const latest = registry.services.get(name);
  const deployment = registry.deployments.get(latest?.deploymentId ?? "");
  return deployment?.services.find((each) => each.name === name);
}

function unknownService(name: string): Problem {
  const message = `no deployment offers the service '${name}': register one, or check the name`;
  return { status: 404, reason: "unknown-service", message };
}

export function unknownHandler(service: string, handler: string): Problem {
  const message = `the service '${service}' has no handler '${handler}'`;
  return { status: 404, reason: "unknown-handler", message };
}

function accessProblem({ deployment, service, handler }: ResolvedHandler): Problem | null {
  if (service.ingressPrivate === true || handler.ingressPrivate === true) {
    const message = `${service.name}/${handler.name} is private: only other services may call it`;
    return { status: 400, reason: "not-public", message };
  }
  if (deployment.maxProtocolVersion < MIN_PROTOCOL_VERSION) {
    const message =
      `the deployment of ${service.name} speaks service protocol ${deployment.maxProtocolVersion} at most, ` +
      `which is no longer accepted (RT0020): update its SDK and register it again`;
    return { status: 400, reason: "retired-protocol", message };
  }
  return null;
}

export const INVALID_INVOCATION: Problem = {
  status: 400,
  reason: "invalid-invocation-id",
  message: "this is no invocation id: they look like inv_1 and 33 letters and digits",
};

export const UNKNOWN_INVOCATION: Problem = {
  status: 404,
  reason: "unknown-invocation",
  message: "no such invocation is known; its retention may be over",
};
