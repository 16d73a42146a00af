/** Deployments as the admin API shows them (HTTP API 2.3); pure. */
import type { Deployment, Registry, ServiceRevision } from "../machine/registry.ts";
import {
  deploymentWarnings,
  type ServiceDefaults,
  serviceView,
  type View,
} from "./service-view.ts";
import { timestamp } from "./timestamp.ts";

export function registeredView(
  registry: Registry,
  deployment: Deployment,
  defaults: ServiceDefaults,
): View {
  const { id, minProtocolVersion, maxProtocolVersion, sdkVersion } = deployment;
  return {
    id,
    services: servicesView(registry, deployment, defaults),
    min_protocol_version: minProtocolVersion,
    max_protocol_version: maxProtocolVersion,
    sdk_version: sdkVersion ?? undefined,
    info: warnings(deployment),
  };
}

export function deploymentListView(registry: Registry): View[] {
  return [...registry.deployments.values()].map((deployment) => ({
    ...fieldsOf(deployment),
    services: deployment.services.map(({ name }) => ({
      name,
      revision: revisionOf(registry, deployment, name).revision,
    })),
    info: warnings(deployment),
  }));
}

export function deploymentView(
  registry: Registry,
  deployment: Deployment,
  defaults: ServiceDefaults,
): View {
  return {
    ...fieldsOf(deployment),
    services: servicesView(registry, deployment, defaults),
    info: warnings(deployment),
  };
}

function fieldsOf(deployment: Deployment): View {
  return {
    id: deployment.id,
    uri: deployment.uri,
    protocol_type: deployment.protocolMode === "BIDI_STREAM" ? "BidiStream" : "RequestResponse",
    http_version: deployment.httpVersion,
    additional_headers: unlessEmpty(deployment.additionalHeaders),
    metadata: unlessEmpty(deployment.metadata),
    created_at: timestamp(deployment.createdAtMs),
    min_protocol_version: deployment.minProtocolVersion,
    max_protocol_version: deployment.maxProtocolVersion,
    sdk_version: deployment.sdkVersion ?? undefined,
  };
}

function servicesView(
  registry: Registry,
  deployment: Deployment,
  defaults: ServiceDefaults,
): View[] {
  return deployment.services.map((service) =>
    serviceView(service, revisionOf(registry, deployment, service.name), defaults),
  );
}

/**
 * The registry names the latest revision of a service. Earlier ones are counted down from it, in the order in which their
 * deployments were registered.
 */
function revisionOf(registry: Registry, deployment: Deployment, service: string): ServiceRevision {
  const latest = registry.services.get(service);
  const later = [...registry.deployments.values()].filter(
    (other) =>
      other.id !== deployment.id &&
      other.services.some(({ name }) => name === service) &&
      (other.id === latest?.deploymentId || isLater(other, deployment)),
  );
  const isLatest = latest?.deploymentId === deployment.id;
  const revision = (latest?.revision ?? 1) - (isLatest ? 0 : later.length);
  return { service, revision: Math.max(1, revision), deploymentId: deployment.id };
}

function isLater(a: Deployment, b: Deployment): boolean {
  return a.createdAtMs === b.createdAtMs ? a.id > b.id : a.createdAtMs > b.createdAtMs;
}

function warnings(deployment: Deployment): View[] | undefined {
  const found = deploymentWarnings(deployment);
  return found.length === 0 ? undefined : found;
}

function unlessEmpty(
  fields: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  return Object.keys(fields).length === 0 ? undefined : fields;
}
