import type { Deployment, Registry, ServiceRevision } from "../machine/registry.ts";

/** The registry after `putDeployment`: what its rows make. */
export function registryWith(
  registry: Registry,
  deployment: Deployment,
  revisions: readonly ServiceRevision[],
): Registry {
  const deployments = new Map(registry.deployments).set(deployment.id, deployment);
  const services = new Map(registry.services);
  for (const revision of revisions) services.set(revision.service, revision);
  return { deployments, services };
}
