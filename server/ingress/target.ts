/** From a route to the handler it means, by what is registered now (HTTP API 1.2, checks 1 to 5); pure. */
import type { ManifestService } from "../../sdk/protocol/manifest.ts";
import { MIN_PROTOCOL_VERSION } from "../../sdk/protocol/version.ts";
import type { Problem } from "../http/problem.ts";
import { type Registry, type ResolvedHandler, resolveHandler } from "../machine/registry.ts";
import { badPath, type Route } from "./path.ts";

export interface InvokeTarget {
  readonly resolved: ResolvedHandler;
  readonly send: boolean;
}

export type Checked<T> =
  | ({ readonly kind: "ok" } & T)
  | { readonly kind: "problem"; readonly problem: Problem };

export function invokeTarget(
  registry: Registry,
  route: Extract<Route, { kind: "classic" | "explicit" }>,
): Checked<InvokeTarget> {
  const known = plainService(registry, route.service);
  if (known !== null) return { kind: "problem", problem: known };
  const shape = route.kind === "classic" ? classicShape(route.rest) : explicitShape(route);
  if (shape.kind === "problem") return shape;
  const { handler, send } = shape;
  const resolved = resolveHandler(registry, route.service, handler);
  if (resolved === undefined) return unknownHandler(route.service, handler);
  const problem = accessProblem(resolved);
  return problem === null ? { kind: "ok", resolved, send } : { kind: "problem", problem };
}

/** What an idempotent result path or target names; the invocation itself may still be unknown. */
export function checkIdempotentTarget(
  registry: Registry,
  service: string,
  key: string | null,
  handler: string,
): Problem | null {
  const known = plainService(registry, service);
  if (known !== null) return known;
  if (key !== null) return badPath(`${service} is a plain service and takes no key`).problem;
  return resolveHandler(registry, service, handler) === undefined
    ? unknownHandler(service, handler).problem
    : null;
}

export function checkWorkflowTarget(registry: Registry, service: string): Problem {
  const known = plainService(registry, service);
  if (known !== null) return known;
  const message = `${service} is no workflow; ask by invocation id or by idempotency key`;
  return { status: 400, reason: "no-workflow", message };
}

interface Shape {
  readonly handler: string;
  readonly send: boolean;
}

function classicShape(rest: readonly string[]): Checked<Shape> {
  const [handler = "", last, ...more] = rest;
  if (last === undefined) return { kind: "ok", handler, send: false };
  if (last === "send" && more.length === 0) return { kind: "ok", handler, send: true };
  return badPath("after /{service}/{handler} of a plain service only /send may follow");
}

function explicitShape(route: Extract<Route, { kind: "explicit" }>): Checked<Shape> {
  const [handler = "", ...more] = route.rest;
  if (more.length === 0) return { kind: "ok", handler, send: route.send };
  return badPath(`${route.service} is a plain service: expected /{service}/{handler} and no more`);
}

/** The names of what can be called or could be, were it served. */
export function servicesOf(registry: Registry): string[] {
  return [...registry.services.keys()].filter((name) => latestOf(registry, name) !== undefined);
}

/** A deployment that was overwritten in place may no longer offer what it is the latest for. */
function latestOf(registry: Registry, name: string): ManifestService | undefined {
  const latest = registry.services.get(name);
  const deployment = registry.deployments.get(latest?.deploymentId ?? "");
  return deployment?.services.find((each) => each.name === name);
}

/** Null for a plain service. */
function plainService(registry: Registry, name: string): Problem | null {
  const service = latestOf(registry, name);
  if (service === undefined) {
    const message = `no deployment offers the service '${name}': register one, or check the name`;
    return { status: 404, reason: "unknown-service", message };
  }
  if (service.ty === "SERVICE") return null;
  const message = `${name} is a ${service.ty}; this server serves plain services only`;
  return { status: 400, reason: "unsupported-service-type", message };
}

function unknownHandler(
  service: string,
  handler: string,
): { readonly kind: "problem"; readonly problem: Problem } {
  const message = `the service '${service}' has no handler '${handler}'`;
  return { kind: "problem", problem: { status: 404, reason: "unknown-handler", message } };
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
