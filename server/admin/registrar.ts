/**
 * Registers deployments (HTTP API 2.4).
 *
 * R1 The same address with the same headers is one deployment: to register it again changes nothing and asks nobody, unless
 *    forced.
 * R2 What is decided from the registry is stored before the next registration decides: they stand in a line from there on.
 */
import { deploymentIdToString } from "../../sdk/protocol/ids.ts";
import { mintDeploymentId, type Random } from "../base/ids.ts";
import type { Clock } from "../base/clock.ts";
import { type Deployment, type Registry, withDeployment } from "../machine/registry.ts";
import type { Door } from "../processor/ports.ts";
import { AdminError } from "./admin-error.ts";
import { askDoor } from "./ask-door.ts";
import type { RegisterRequest } from "./register-request.ts";

/** What an endpoint is asked for, and with what. */
export interface DiscoveryRequest {
  readonly uri: string;
  readonly useHttp11: boolean;
  readonly additionalHeaders: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A deployment that has no identity yet. */
export type Discovered = Omit<Deployment, "id" | "createdAtMs">;

/** Rejects with an error whose `code` is of the form `META0003` when the endpoint is at fault. */
export type Discover = (request: DiscoveryRequest) => Promise<Discovered>;

export interface RegistrarOptions {
  readonly door: Door;
  readonly clock: Clock;
  readonly random: Random;
  readonly discover: Discover;
  /** Why a deployment may not have this address; null when it may. */
  readonly targetProblem: (url: URL) => string | null;
  readonly deploymentsMax: number;
}

export interface Registered {
  readonly deployment: Deployment;
  /** With the deployment in it, also after a dry run. */
  readonly registry: Registry;
  /** It was there before, under this id. */
  readonly isKnown: boolean;
}

export class Registrar {
  readonly #options: RegistrarOptions;
  /** Settles when the registration that is last in line is over. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  async register(request: RegisterRequest): Promise<Registered> {
    const known = request.force ? null : await this.#unchanged(request);
    if (known !== null) return known;
    const discovered = await this.#discover(request);
    const registered = this.#last.then(() => this.#decide(request, discovered));
    this.#last = registered.catch(() => {});
    return await registered;
  }

  #registry(): Promise<Registry> {
    return this.#options.door.readDurable((reader) => reader.registry());
  }

  async #unchanged(request: RegisterRequest): Promise<Registered | null> {
    const registry = await this.#registry();
    const deployment = sameAddress(registry, request).find((each) => sameHeaders(each, request));
    return deployment === undefined ? null : { deployment, registry, isKnown: true };
  }

  async #discover(request: RegisterRequest): Promise<Discovered> {
    const { url, useHttp11, additionalHeaders, metadata } = request;
    const problem = this.#options.targetProblem(url);
    if (problem !== null) throw new AdminError(400, problem);
    try {
      const uri = url.href;
      return await this.#options.discover({ uri, useHttp11, additionalHeaders, metadata });
    } catch (error) {
      throw discoveryFailure(error);
    }
  }

  async #decide(request: RegisterRequest, discovered: Discovered): Promise<Registered> {
    const known = request.force ? null : await this.#unchanged(request);
    if (known !== null) return known;
    const { door, clock, random, deploymentsMax } = this.#options;
    const registry = await this.#registry();
    if (!request.force && !request.breaking) requireSameTypes(registry, discovered);
    const overwritten = request.force ? overwrittenBy(registry, request) : null;
    if (overwritten === null && registry.deployments.size >= deploymentsMax) {
      throw new AdminError(400, `there are ${deploymentsMax} deployments, as many as there may be`);
    }
    const createdAtMs = clock.nowMs();
    const id = overwritten?.id ?? deploymentIdToString(mintDeploymentId(createdAtMs, random));
    const deployment: Deployment = { ...discovered, id, createdAtMs };
    const isKnown = overwritten !== null;
    if (request.dryRun) {
      return { deployment, registry: withDeployment(registry, deployment).registry, isKnown };
    }
    await askDoor(door, (replyTo) => ({ type: "register-deployment", deployment, replyTo }));
    return { deployment, registry: await this.#registry(), isKnown };
  }
}

function sameAddress(registry: Registry, { url }: RegisterRequest): Deployment[] {
  return [...registry.deployments.values()].filter(({ uri }) => uri === url.href);
}

function sameHeaders(deployment: Deployment, request: RegisterRequest): boolean {
  const [a, b] = [deployment.additionalHeaders, request.additionalHeaders];
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** The deployment that a forced registration replaces; null when the address is new. */
function overwrittenBy(registry: Registry, request: RegisterRequest): Deployment | null {
  const candidates = sameAddress(registry, request);
  const exact = candidates.find((each) => sameHeaders(each, request));
  if (exact !== undefined) return exact;
  if (candidates.length > 1) {
    const message = `${candidates.length} deployments have this address, with other headers than these: which one is meant?`;
    throw new AdminError(409, message, "META0017");
  }
  return candidates[0] ?? null;
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

function discoveryFailure(error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const { code } = error;
  if (typeof code !== "string" || !/^META\d{4}$/.test(code)) return error;
  return new AdminError(500, error.message, code);
}
