/** Deployments as the admin API shows them (HTTP API 2.3); pure. */
import type { Deployment, Registry, ServiceRevision } from "../machine/registry.ts";
import { statusOf, type Usage } from "./deployment-usage.ts";
import { deploymentWarnings, type ServiceDefaults, serviceView } from "./service-view.ts";
import { rfc3339Nanos } from "../base/rfc3339.ts";
import type { View } from "./view.ts";

/** The answer to a registration. `notes` are told beside the warnings. */
export function registeredView(
  registry: Registry,
  deployment: Deployment,
  defaults: ServiceDefaults,
  notes: readonly string[],
): View {
  const { id, minProtocolVersion, maxProtocolVersion, sdkVersion } = deployment;
  return {
    id,
    services: servicesView(registry, deployment, defaults),
    min_protocol_version: minProtocolVersion,
    max_protocol_version: maxProtocolVersion,
    sdk_version: sdkVersion ?? undefined,
    info: infoOf(deployment, notes),
  };
}

export function deploymentListView(registry: Registry, usage: Usage): View[] {
  return [...registry.deployments.values()].map((deployment) => ({
    ...fieldsOf(registry, deployment, usage),
    services: deployment.services.map(({ name }) => ({
      name,
      revision: revisionOf(registry, deployment, name).revision,
    })),
    info: infoOf(deployment),
  }));
}

export function deploymentView(
  registry: Registry,
  deployment: Deployment,
  defaults: ServiceDefaults,
  usage: Usage,
): View {
  return {
    ...fieldsOf(registry, deployment, usage),
    services: servicesView(registry, deployment, defaults),
    info: infoOf(deployment),
  };
}

function fieldsOf(registry: Registry, deployment: Deployment, usage: Usage): View {
  const { id, drainingSinceMs } = deployment;
  return {
    id,
    ...addressView(deployment),
    protocol_type: deployment.protocolMode === "BIDI_STREAM" ? "BidiStream" : "RequestResponse",
    additional_headers: unlessEmpty(deployment.additionalHeaders),
    metadata: unlessEmpty(deployment.metadata),
    created_at: rfc3339Nanos(deployment.createdAtMs),
    min_protocol_version: deployment.minProtocolVersion,
    max_protocol_version: deployment.maxProtocolVersion,
    sdk_version: deployment.sdkVersion ?? undefined,
    status: statusOf(registry, id, usage),
    active_invocations: usage.counts === null ? null : (usage.counts.get(id) ?? 0),
    draining_since: drainingSinceMs === null ? undefined : rfc3339Nanos(drainingSinceMs),
  };
}

function addressView({ uri, httpVersion, lambda }: Deployment): View {
  if (lambda === undefined) return { uri, http_version: httpVersion };
  const { assumeRoleArn, compression } = lambda;
  return {
    arn: uri,
    assume_role_arn: assumeRoleArn ?? undefined,
    compression: compression ?? undefined,
  };
}

function servicesView(
  registry: Registry,
  deployment: Deployment,
  defaults: ServiceDefaults,
): View[] {
  return deployment.services.map((service) =>
    serviceView(registry, service, revisionOf(registry, deployment, service.name), defaults),
  );
}

/** The latest that a deployment has of a service: each time it is overwritten it gets one more. */
function revisionOf(registry: Registry, deployment: Deployment, service: string): ServiceRevision {
  const own = registry.revisions
    .get(service)
    ?.findLast(({ deploymentId }) => deploymentId === deployment.id);
  return own ?? { service, revision: 0, deploymentId: deployment.id };
}

function infoOf(deployment: Deployment, notes: readonly string[] = []): View[] | undefined {
  const info = [...deploymentWarnings(deployment), ...notes.map((message) => ({ message }))];
  return info.length === 0 ? undefined : info;
}

function unlessEmpty(
  fields: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  return Object.keys(fields).length === 0 ? undefined : fields;
}
