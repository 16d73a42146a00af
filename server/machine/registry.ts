/**
 * What is registered: deployments, the revisions of each service, and what operators set over the code. An immutable value; a
 * registration makes a new one.
 */
import type {
  ManifestHandler,
  ManifestOptions,
  ManifestService,
  ProtocolMode,
} from "../../sdk/protocol/manifest.ts";

/** How a function on AWS Lambda is invoked. */
export interface LambdaOptions {
  /** Null: with the server's own credentials. */
  readonly assumeRoleArn: string | null;
  /** What the function understands. */
  readonly compression: "zstd" | null;
}

export interface Deployment {
  /** `dp_1…` */
  readonly id: string;
  /** Absolute, ends with `/`; of a function on AWS Lambda its ARN. */
  readonly uri: string;
  /** Absent for endpoints over HTTP. */
  readonly lambda?: LambdaOptions;
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
  /** Since when new invocations go elsewhere; null for a deployment that takes them. */
  readonly drainingSinceMs: number | null;
}

/** One service as one deployment offers it; new invocations go to the highest whose deployment is not draining. */
export interface ServiceRevision {
  readonly service: string;
  /** Counts from 1, a step a registration. */
  readonly revision: number;
  readonly deploymentId: string;
}

/** What an operator set for a service; stands in for the service's own option, in every revision. Milliseconds. */
export type ServiceOverrides = Partial<
  Pick<
    ManifestOptions,
    | "ingressPrivate"
    | "idempotencyRetention"
    | "journalRetention"
    | "inactivityTimeout"
    | "abortTimeout"
  >
> & { readonly workflowCompletionRetention?: number };

/** What is stored of the registry. */
export interface RegistryRows {
  readonly deployments: ReadonlyMap<string, Deployment>;
  /** Of each service, lowest revision first. */
  readonly revisions: ReadonlyMap<string, readonly ServiceRevision[]>;
  readonly overrides: ReadonlyMap<string, ServiceOverrides>;
}

export interface Registry extends RegistryRows {
  /** The revision of each service that new invocations go to, by service name. */
  readonly services: ReadonlyMap<string, ServiceRevision>;
}

export interface ResolvedHandler {
  readonly deployment: Deployment;
  /** As its deployment offers it, with what operators set over it. */
  readonly service: ManifestService;
  readonly handler: ManifestHandler;
  readonly revision: number;
}

/** The registry that these rows make: which revision is the latest follows from them. */
export function makeRegistry(rows: RegistryRows): Registry {
  const services = new Map<string, ServiceRevision>();
  for (const [service, revisions] of rows.revisions) {
    const latest = revisions.findLast((each) =>
      takesNew(rows.deployments.get(each.deploymentId), service),
    );
    if (latest !== undefined) services.set(service, latest);
  }
  return { ...rows, services };
}

/** An overwritten deployment may not offer the service any more. */
function takesNew(deployment: Deployment | undefined, service: string): boolean {
  if (deployment === undefined || deployment.drainingSinceMs !== null) return false;
  return deployment.services.some(({ name }) => name === service);
}

export const EMPTY_REGISTRY: Registry = makeRegistry({
  deployments: new Map(),
  revisions: new Map(),
  overrides: new Map(),
});

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
  const offered = deployment?.services.find((candidate) => candidate.name === serviceName);
  if (deployment === undefined || offered === undefined) return undefined;
  const service = withOverrides(registry, offered);
  const handler = service.handlers.find((candidate) => candidate.name === handlerName);
  return handler === undefined ? undefined : { deployment, service, handler, revision };
}

/** Where an invocation runs: its pinned deployment, else what is latest now. */
export function resolveFor(
  registry: Registry,
  { service, handler }: { readonly service: string; readonly handler: string },
  pinnedDeploymentId: string | null,
): ResolvedHandler | undefined {
  return pinnedDeploymentId === null
    ? resolveHandler(registry, service, handler)
    : resolveIn(registry, pinnedDeploymentId, service, handler);
}

/** A service with what operators set over its own options. */
export function withOverrides(registry: Registry, service: ManifestService): ManifestService {
  const overrides = registry.overrides.get(service.name);
  if (overrides === undefined) return service;
  const { workflowCompletionRetention, ...options } = overrides;
  const handlers =
    workflowCompletionRetention === undefined
      ? service.handlers
      : service.handlers.map((handler) =>
          handler.ty === "WORKFLOW" ? { ...handler, workflowCompletionRetention } : handler,
        );
  return { ...service, ...options, handlers };
}

/** The registry with one more deployment, or an overwritten one: each of its services a revision up. */
export function withDeployment(
  registry: RegistryRows,
  deployment: Deployment,
): { readonly registry: Registry; readonly revisions: readonly ServiceRevision[] } {
  const revisions = deployment.services.map((service) => ({
    service: service.name,
    revision: (registry.revisions.get(service.name)?.at(-1)?.revision ?? 0) + 1,
    deploymentId: deployment.id,
  }));
  return { registry: withRows(registry, deployment, revisions), revisions };
}

/** The registry after a deployment and these revisions were stored. */
export function withRows(
  registry: RegistryRows,
  deployment: Deployment,
  added: readonly ServiceRevision[],
): Registry {
  const deployments = new Map(registry.deployments).set(deployment.id, deployment);
  const revisions = new Map(registry.revisions);
  for (const revision of added) {
    const { service } = revision;
    const others = (revisions.get(service) ?? []).filter((r) => r.revision !== revision.revision);
    revisions.set(
      service,
      [...others, revision].toSorted((a, b) => a.revision - b.revision),
    );
  }
  return makeRegistry({ ...registry, deployments, revisions });
}

/** The registry after a deployment was deleted, with the revisions that pointed to it. */
export function withoutDeployment(registry: RegistryRows, id: string): Registry {
  const deployments = new Map(registry.deployments);
  deployments.delete(id);
  const revisions = new Map<string, readonly ServiceRevision[]>();
  for (const [service, all] of registry.revisions) {
    const left = all.filter((revision) => revision.deploymentId !== id);
    if (left.length > 0) revisions.set(service, left);
  }
  return makeRegistry({ ...registry, deployments, revisions });
}
