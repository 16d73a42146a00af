/**
 * Registers deployments (HTTP API 2.4).
 *
 * R1 The same address with the same routing headers is one deployment: to register it again changes nothing and asks nobody,
 *    unless forced.
 * R2 What is decided from the registry is stored before the next change of it decides: they stand in a line from there on.
 */
import { deploymentIdToString } from "../../sdk/protocol/ids.ts";
import { mintDeploymentId, type Random } from "../base/ids.ts";
import type { Clock } from "../base/clock.ts";
import { type Deployment, type Registry, withDeployment } from "../machine/registry.ts";
import type { Door } from "../processor/ports.ts";
import { AdminError } from "./admin-error.ts";
import { askDoor } from "./ask-door.ts";
import type { Discovered, Discovery } from "./discovery.ts";
import type { Line } from "./line.ts";
import type { RegisterRequest } from "./register-request.ts";

export interface RegistrarOptions {
  readonly door: Door;
  readonly clock: Clock;
  readonly random: Random;
  readonly discovery: Discovery;
  readonly line: Line;
  /** Names in lower case of the additional headers that make two registrations of one address distinct. */
  readonly routingHeaders: readonly string[];
  readonly deploymentsMax: number;
}

export interface Registered {
  readonly deployment: Deployment;
  /** With the deployment in it, also after a dry run. */
  readonly registry: Registry;
  /** It was there before, under this id. */
  readonly isKnown: boolean;
  /** What the one who registers may not expect; empty where there is nothing. */
  readonly notes: readonly string[];
}

export class Registrar {
  readonly #options: RegistrarOptions;

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  async register(request: RegisterRequest): Promise<Registered> {
    const known = request.force ? null : await this.#unchanged(request);
    if (known !== null) return known;
    const { discovery, line } = this.#options;
    const { uri, lambda, useHttp11, additionalHeaders, metadata } = request;
    const asked = { uri, lambda, useHttp11, additionalHeaders, metadata };
    const discovered = await discovery.ask(asked);
    return await line.run(() => this.#decide(request, discovered));
  }

  #registry(): Promise<Registry> {
    return this.#options.door.readDurable((reader) => reader.registry());
  }

  async #unchanged(request: RegisterRequest): Promise<Registered | null> {
    const registry = await this.#registry();
    const candidates = this.#sameIdentity(registry, request);
    const deployment = candidates.find((each) => sameHeaders(each, request)) ?? candidates.at(-1);
    if (deployment === undefined) return null;
    return { deployment, registry, isKnown: true, notes: notesOn(deployment, request) };
  }

  async #decide(request: RegisterRequest, discovered: Discovered): Promise<Registered> {
    const known = request.force ? null : await this.#unchanged(request);
    if (known !== null) return known;
    const { door, clock, random, deploymentsMax } = this.#options;
    const registry = await this.#registry();
    if (!request.force && !request.breaking) requireSameTypes(registry, discovered);
    const overwritten = request.force ? this.#overwrittenBy(registry, request) : null;
    if (overwritten === null && registry.deployments.size >= deploymentsMax) {
      throw new AdminError(400, `there are ${deploymentsMax} deployments, as many as there may be`);
    }
    const createdAtMs = clock.nowMs();
    const id = overwritten?.id ?? deploymentIdToString(mintDeploymentId(createdAtMs, random));
    const deployment: Deployment = { ...discovered, id, createdAtMs, drainingSinceMs: null };
    const isKnown = overwritten !== null;
    if (request.dryRun) {
      const { registry: planned } = withDeployment(registry, deployment);
      return { deployment, registry: planned, isKnown, notes: [] };
    }
    await askDoor(door, (replyTo) => ({ type: "register-deployment", deployment, replyTo }));
    return { deployment, registry: await this.#registry(), isKnown, notes: [] };
  }

  /** Oldest first. */
  #sameIdentity(registry: Registry, request: RegisterRequest): Deployment[] {
    const { uri: address, additionalHeaders } = request;
    return [...registry.deployments.values()]
      .filter(({ uri }) => uri === address)
      .filter((each) =>
        this.#options.routingHeaders.every(
          (name) => each.additionalHeaders[name] === additionalHeaders[name],
        ),
      )
      .toSorted((a, b) => a.createdAtMs - b.createdAtMs);
  }

  /** The deployment that a forced registration replaces; null when it is new. */
  #overwrittenBy(registry: Registry, request: RegisterRequest): Deployment | null {
    const candidates = this.#sameIdentity(registry, request);
    const exact = candidates.filter((each) => sameHeaders(each, request));
    if (exact.length === 1 && exact[0] !== undefined) return exact[0];
    if (candidates.length > 1) {
      const ids = candidates.map(({ id }) => id).join(", ");
      const message = `the deployments ${ids} all have this address: which one is meant? Change it with PATCH /deployments/{id}`;
      throw new AdminError(409, message, "META0017");
    }
    return candidates[0] ?? null;
  }
}

function sameHeaders(deployment: Deployment, request: RegisterRequest): boolean {
  const [a, b] = [deployment.additionalHeaders, request.additionalHeaders];
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** The request changed nothing, though it may have been meant to. */
function notesOn(deployment: Deployment, request: RegisterRequest): string[] {
  const notes: string[] = [];
  if (!sameHeaders(deployment, request)) {
    notes.push(
      "it keeps the additional headers it was registered with; to replace them, register with force: true or PATCH the deployment",
    );
  }
  if (deployment.drainingSinceMs !== null) {
    notes.push(
      `it is draining, so new invocations go elsewhere; POST /deployments/${deployment.id}/undrain ends that`,
    );
  }
  return notes;
}

function requireSameTypes(registry: Registry, discovered: Discovered): void {
  for (const { name, ty } of discovered.services) {
    const deployment = registry.deployments.get(registry.services.get(name)?.deploymentId ?? "");
    const registered = deployment?.services.find((service) => service.name === name);
    if (registered !== undefined && registered.ty !== ty) {
      const message =
        `${name} is registered as ${registered.ty} and would become ${ty}: its running invocations would break. ` +
        "Give it another name, or register with breaking: true";
      throw new AdminError(409, message, "META0006");
    }
  }
}
