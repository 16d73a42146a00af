/**
 * What is registered: deployments and, for each service, its latest revision. An immutable value; a registration
 * makes a new one.
 */
import type {
  ManifestHandler,
  ManifestService,
  ProtocolMode,
} from "../../sdk/protocol/manifest.ts";

export interface Deployment {
  /** `dp_1…` */
  readonly id: string;
  /** Absolute, ends with `/`. */
  readonly uri: string;
  readonly protocolMode: ProtocolMode;
  /** The HTTP version that answered the discovery; invocations use the same. */
  readonly httpVersion: "HTTP/1.1" | "HTTP/2.0";
  readonly minProtocolVersion: number;
  readonly maxProtocolVersion: number;
  readonly sdkVersion: string | null;
  readonly additionalHeaders: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
  readonly services: readonly ManifestService[];
}

/** One service as one deployment offers it; the highest revision is the one new invocations go to. */
export interface ServiceRevision {
  readonly service: string;
  /** Counts from 1, a step a registration. */
  readonly revision: number;
  readonly deploymentId: string;
}

export interface Registry {
  readonly deployments: ReadonlyMap<string, Deployment>;
  /** The latest revision of each service, by service name. */
  readonly services: ReadonlyMap<string, ServiceRevision>;
}

export const EMPTY_REGISTRY: Registry = { deployments: new Map(), services: new Map() };

export interface ResolvedHandler {
  readonly deployment: Deployment;
  readonly service: ManifestService;
  readonly handler: ManifestHandler;
  readonly revision: number;
}

/** The handler that a new invocation of `service/handler` goes to now; undefined when nothing offers it. */
export function resolveHandler(
  registry: Registry,
  service: string,
  handler: string,
): ResolvedHandler | undefined {
  const latest = registry.services.get(service);
  if (latest === undefined) return undefined;
  return resolveIn(registry, latest.deploymentId, service, handler, latest.revision);
}

/** The handler as one deployment offers it; undefined when that deployment is gone or does not offer it. */
export function resolveIn(
  registry: Registry,
  deploymentId: string,
  serviceName: string,
  handlerName: string,
  revision = registry.services.get(serviceName)?.revision ?? 0,
): ResolvedHandler | undefined {
  const deployment = registry.deployments.get(deploymentId);
  const service = deployment?.services.find((candidate) => candidate.name === serviceName);
  const handler = service?.handlers.find((candidate) => candidate.name === handlerName);
  if (deployment === undefined || service === undefined || handler === undefined) return undefined;
  return { deployment, service, handler, revision };
}

/** The registry with one more deployment, each of its services a revision up. */
export function withDeployment(
  registry: Registry,
  deployment: Deployment,
): { readonly registry: Registry; readonly revisions: readonly ServiceRevision[] } {
  const deployments = new Map(registry.deployments).set(deployment.id, deployment);
  const services = new Map(registry.services);
  const revisions = deployment.services.map((service) => ({
    service: service.name,
    revision: (registry.services.get(service.name)?.revision ?? 0) + 1,
    deploymentId: deployment.id,
  }));
  for (const revision of revisions) services.set(revision.service, revision);
  return { registry: { deployments, services }, revisions };
}
