/** The statements of the tables `deployment`, `service_revision` and `service_override`, and the registry that their rows make. */
import type { Database, Statement } from "better-sqlite3";
import {
  type Deployment,
  type LambdaOptions,
  makeRegistry,
  type Registry,
  type ServiceOverrides,
  type ServiceRevision,
} from "../machine/registry.ts";
import { fromJson, type Json, toJson } from "./json.ts";

interface DeploymentRow {
  readonly id: string;
  readonly uri: string;
  readonly protocolMode: Deployment["protocolMode"];
  readonly httpVersion: Deployment["httpVersion"];
  readonly minProtocolVersion: number;
  readonly maxProtocolVersion: number;
  readonly sdkVersion: string | null;
  readonly additionalHeaders: Json<Deployment["additionalHeaders"]>;
  readonly metadata: Json<Deployment["metadata"]>;
  readonly createdAtMs: number;
  readonly services: Json<Deployment["services"]>;
  readonly drainingSinceMs: number | null;
  readonly lambda: Json<LambdaOptions> | null;
}

type OverridesRow = [service: string, options: Json<ServiceOverrides>];

export class RegistryRows {
  readonly #put: Statement<[DeploymentRow]>;
  readonly #putRevision: Statement<[ServiceRevision]>;
  readonly #putOverrides: Statement<OverridesRow>;
  readonly #delete: Statement<[string]>;
  readonly #deleteRevisions: Statement<[string]>;
  readonly #deployments: Statement<[], DeploymentRow>;
  readonly #revisions: Statement<[], ServiceRevision>;
  readonly #overrides: Statement<[], OverridesRow>;

  constructor(db: Database) {
    this.#put = db.prepare(
      "INSERT OR REPLACE INTO deployment (id, uri, protocol_mode, http_version, min_protocol_version, " +
        "max_protocol_version, sdk_version, additional_headers, metadata, created_at_ms, services, draining_since_ms, lambda) " +
        "VALUES (@id, @uri, @protocolMode, @httpVersion, @minProtocolVersion, @maxProtocolVersion, " +
        "@sdkVersion, @additionalHeaders, @metadata, @createdAtMs, @services, @drainingSinceMs, @lambda)",
    );
    this.#putRevision = db.prepare(
      "INSERT OR REPLACE INTO service_revision (service, revision, deployment_id) " +
        "VALUES (@service, @revision, @deploymentId)",
    );
    this.#putOverrides = db.prepare(
      "INSERT OR REPLACE INTO service_override (service, options) VALUES (?, ?)",
    );
    this.#delete = db.prepare("DELETE FROM deployment WHERE id = ?");
    this.#deleteRevisions = db.prepare("DELETE FROM service_revision WHERE deployment_id = ?");
    this.#deployments = db.prepare(
      "SELECT id, uri, protocol_mode AS protocolMode, http_version AS httpVersion, " +
        "min_protocol_version AS minProtocolVersion, max_protocol_version AS maxProtocolVersion, " +
        "sdk_version AS sdkVersion, additional_headers AS additionalHeaders, metadata, created_at_ms AS createdAtMs, " +
        "services, draining_since_ms AS drainingSinceMs, lambda FROM deployment ORDER BY created_at_ms, id",
    );
    this.#revisions = db.prepare(
      "SELECT service, revision, deployment_id AS deploymentId FROM service_revision " +
        "ORDER BY service, revision",
    );
    this.#overrides = db
      .prepare<[], OverridesRow>("SELECT service, options FROM service_override ORDER BY service")
      .raw();
  }

  put(deployment: Deployment, revisions: readonly ServiceRevision[]): void {
    this.#put.run({
      ...deployment,
      additionalHeaders: toJson(deployment.additionalHeaders),
      metadata: toJson(deployment.metadata),
      services: toJson(deployment.services),
      lambda: deployment.lambda === undefined ? null : toJson(deployment.lambda),
    });
    for (const revision of revisions) this.#putRevision.run(revision);
  }

  /** With the revisions that point to it. */
  delete(id: string): void {
    this.#delete.run(id);
    this.#deleteRevisions.run(id);
  }

  putOverrides(service: string, overrides: ServiceOverrides): void {
    this.#putOverrides.run(service, toJson(overrides));
  }

  registry(): Registry {
    const deployments = this.#deployments.all().map((row) => [row.id, deploymentOf(row)] as const);
    const revisions = new Map<string, ServiceRevision[]>();
    for (const revision of this.#revisions.all()) {
      const ofService = revisions.get(revision.service);
      if (ofService === undefined) revisions.set(revision.service, [revision]);
      else ofService.push(revision);
    }
    const overrides = this.#overrides
      .all()
      .map(([service, options]) => [service, fromJson(options)] as const);
    return makeRegistry({
      deployments: new Map(deployments),
      revisions,
      overrides: new Map(overrides),
    });
  }
}

function deploymentOf({ lambda, ...row }: DeploymentRow): Deployment {
  return {
    ...row,
    ...(lambda !== null && { lambda: fromJson(lambda) }),
    additionalHeaders: fromJson(row.additionalHeaders),
    metadata: fromJson(row.metadata),
    services: fromJson(row.services),
  };
}
