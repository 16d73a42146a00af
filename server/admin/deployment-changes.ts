/** Changes deployments that are registered: in place, out of service and back, away (HTTP API 2.4). */
import type { ManifestService } from "../../sdk/protocol/manifest.ts";
import type { Clock } from "../base/clock.ts";
import {
  type Deployment,
  type Registry,
  type ServiceRevision,
  withRows,
} from "../machine/registry.ts";
import type { Door, LiveAttempts } from "../processor/ports.ts";
import { AdminError } from "./admin-error.ts";
import { askDoor } from "./ask-door.ts";
import { readUsage, servicesOn } from "./deployment-usage.ts";
import type { Discovered, Discovery } from "./discovery.ts";
import type { Line } from "./line.ts";
import type { RunQuery } from "./query-route.ts";
import type { UpdateRequest } from "./register-request.ts";

export interface DeploymentChangesOptions {
  readonly door: Door;
  readonly clock: Clock;
  readonly discovery: Discovery;
  readonly line: Line;
  readonly live: LiveAttempts;
  readonly query: RunQuery;
}

export interface Changed {
  readonly deployment: Deployment;
  /** With the change in it, also after a dry run. */
  readonly registry: Registry;
}

export class DeploymentChanges {
  readonly #options: DeploymentChangesOptions;

  constructor(options: DeploymentChangesOptions) {
    this.#options = options;
  }

  /** Discovers again, at this address or a new one. */
  async update(id: string, request: UpdateRequest): Promise<Changed> {
    const { deployment } = await this.#known(id);
    const { uri, lambda } = request.uri === null ? addressOf(deployment) : request;
    const discovered = await this.#options.discovery.ask({
      uri: uri ?? deployment.uri,
      lambda,
      useHttp11: request.useHttp11 ?? deployment.httpVersion === "HTTP/1.1",
      additionalHeaders: request.additionalHeaders ?? deployment.additionalHeaders,
      metadata: deployment.metadata,
    });
    return await this.#options.line.run(async () => {
      const { deployment: old, registry } = await this.#known(id);
      if (!request.overwrite) requireCompatible(old, discovered);
      const { createdAtMs, drainingSinceMs } = old;
      const next: Deployment = { ...discovered, id, createdAtMs, drainingSinceMs };
      if (request.dryRun) return { deployment: next, registry: planned(registry, next) };
      return await this.#store(next);
    });
  }

  /** New invocations go to the revisions before; with `force` also where there is none. */
  async drain(id: string, force: boolean): Promise<Changed> {
    return await this.#options.line.run(async () => {
      const known = await this.#known(id);
      const { deployment, registry } = known;
      if (deployment.drainingSinceMs !== null) return known;
      const next = { ...deployment, drainingSinceMs: this.#options.clock.nowMs() };
      const left = planned(registry, next).services;
      const stranded = servicesOn(registry, id).filter((service) => !left.has(service));
      if (stranded.length > 0 && !force) {
        const message = `no other deployment would take new invocations of ${stranded.join(", ")}; register one first, or add ?force=true`;
        throw new AdminError(409, message);
      }
      return await this.#store(next);
    });
  }

  async undrain(id: string): Promise<Changed> {
    return await this.#options.line.run(async () => {
      const known = await this.#known(id);
      if (known.deployment.drainingSinceMs === null) return known;
      return await this.#store({ ...known.deployment, drainingSinceMs: null });
    });
  }

  /** Without `force` only what nothing needs any more. */
  async remove(id: string, force: boolean): Promise<void> {
    await this.#options.line.run(async () => {
      const { registry } = await this.#known(id);
      if (!force) await this.#requireDrained(registry, id);
      const input = { type: "delete-deployment", id, force } as const;
      const reply = await askDoor(this.#options.door, (replyTo) => ({ ...input, replyTo }));
      if (reply.kind === "not-found") throw unknownDeployment(id);
      if (reply.kind !== "refused") return;
      if (reply.reason === "unknown-deployment") throw unknownDeployment(id);
      throw new AdminError(409, reply.message);
    });
  }

  async #requireDrained(registry: Registry, id: string): Promise<void> {
    const services = servicesOn(registry, id);
    if (services.length > 0) {
      const message = `new invocations of ${services.join(", ")} go to ${id}; POST /deployments/${id}/drain first, or add ?force=true`;
      throw new AdminError(409, message);
    }
    const { needed, counts } = await readUsage(this.#options);
    if (!needed.has(id)) return;
    const count = counts?.get(id);
    const who = count === undefined ? "invocations" : `${count} invocations`;
    const message = `${who} still need ${id} and would be stuck (RT0011); wait for them, resume them on another deployment, or add ?force=true`;
    throw new AdminError(409, message);
  }

  async #store(deployment: Deployment): Promise<Changed> {
    const { door } = this.#options;
    const reply = await askDoor(door, (replyTo) => ({
      type: "update-deployment",
      deployment,
      replyTo,
    }));
    if (reply.kind === "not-found" || reply.kind === "refused") {
      throw unknownDeployment(deployment.id);
    }
    return await this.#known(deployment.id);
  }

  async #known(id: string): Promise<Changed> {
    const registry = await this.#options.door.readDurable((reader) => reader.registry());
    return { deployment: deploymentNamed(registry, id), registry };
  }
}

function addressOf({ uri, lambda }: Deployment): Pick<UpdateRequest, "uri" | "lambda"> {
  return { uri, lambda: lambda ?? null };
}

export function deploymentNamed(registry: Registry, id: string): Deployment {
  const deployment = registry.deployments.get(id);
  if (deployment === undefined) throw unknownDeployment(id);
  return deployment;
}

function unknownDeployment(id: string): AdminError {
  return new AdminError(404, `there is no deployment '${id}'`);
}

/** The registry as the machine makes it: services that the deployment did not have get a revision. */
function planned(registry: Registry, deployment: Deployment): Registry {
  const added: ServiceRevision[] = [];
  for (const { name: service } of deployment.services) {
    const revisions = registry.revisions.get(service) ?? [];
    if (revisions.some(({ deploymentId }) => deploymentId === deployment.id)) continue;
    const revision = (revisions.at(-1)?.revision ?? 0) + 1;
    added.push({ service, revision, deploymentId: deployment.id });
  }
  return withRows(registry, deployment, added);
}

/** Whatever runs on the old can go on with the new: the same types, at least the same handlers, the same protocol. */
function requireCompatible(old: Deployment, next: Discovered): void {
  const problems = old.services.flatMap((service) =>
    differences(
      service,
      next.services.find(({ name }) => name === service.name),
    ),
  );
  const range = [old, next].map(
    (each) => `${each.minProtocolVersion} to ${each.maxProtocolVersion}`,
  );
  if (range[0] !== range[1]) problems.push(`its protocol versions were ${range.join(" and are ")}`);
  if (problems.length === 0) return;
  const message = `the endpoint is too different from what is registered: ${problems.join("; ")}. Register it as a new deployment, or set overwrite: true`;
  throw new AdminError(409, message, "META0016");
}

function differences(old: ManifestService, next: ManifestService | undefined): string[] {
  if (next === undefined) return [`the service ${old.name} is missing`];
  if (next.ty !== old.ty) return [`${old.name} was ${old.ty} and is ${next.ty}`];
  return old.handlers.flatMap((handler) => {
    const same = next.handlers.find(({ name }) => name === handler.name);
    if (same === undefined) return [`the handler ${old.name}/${handler.name} is missing`];
    if (handlerType(next, same.ty) === handlerType(old, handler.ty)) return [];
    return [`${old.name}/${handler.name} is of another type`];
  });
}

/** SHARED on a plain service means the same as none; absent is exclusive on an object and shared on a workflow. */
function handlerType({ ty }: ManifestService, handlerTy: string | undefined): string {
  if (ty === "SERVICE") return "";
  return handlerTy ?? (ty === "VIRTUAL_OBJECT" ? "EXCLUSIVE" : "SHARED");
}
