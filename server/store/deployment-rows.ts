/** The statements of the tables `deployment` and `service_revision`, and the registry that their rows make. */
import type { Database, Statement } from "better-sqlite3";
import type { Deployment, Registry, ServiceRevision } from "../machine/registry.ts";
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
}

export class DeploymentRows {
  readonly #put: Statement<[DeploymentRow]>;
  readonly #putRevision: Statement<[ServiceRevision]>;
  readonly #all: Statement<[], DeploymentRow>;
  readonly #revisions: Statement<[], ServiceRevision>;

  constructor(db: Database) {
    this.#put = db.prepare(
      "INSERT OR REPLACE INTO deployment (id, uri, protocol_mode, http_version, min_protocol_version, " +
        "max_protocol_version, sdk_version, additional_headers, metadata, created_at_ms, services) " +
        "VALUES (@id, @uri, @protocolMode, @httpVersion, @minProtocolVersion, @maxProtocolVersion, " +
        "@sdkVersion, @additionalHeaders, @metadata, @createdAtMs, @services)",
    );
    this.#putRevision = db.prepare(
      "INSERT OR REPLACE INTO service_revision (service, revision, deployment_id) " +
        "VALUES (@service, @revision, @deploymentId)",
    );
    this.#all = db.prepare(
      "SELECT id, uri, protocol_mode AS protocolMode, http_version AS httpVersion, " +
        "min_protocol_version AS minProtocolVersion, max_protocol_version AS maxProtocolVersion, " +
        "sdk_version AS sdkVersion, additional_headers AS additionalHeaders, metadata, " +
        "created_at_ms AS createdAtMs, services FROM deployment ORDER BY created_at_ms, id",
    );
    this.#revisions = db.prepare(
      "SELECT service, revision, deployment_id AS deploymentId FROM service_revision " +
        "ORDER BY service, revision",
    );
  }

  put(deployment: Deployment, revisions: readonly ServiceRevision[]): void {
    this.#put.run({
      ...deployment,
      additionalHeaders: toJson(deployment.additionalHeaders),
      metadata: toJson(deployment.metadata),
      services: toJson(deployment.services),
    });
    for (const revision of revisions) this.#putRevision.run(revision);
  }

  registry(): Registry {
    const deployments = this.#all.all().map((row) => [row.id, deploymentOf(row)] as const);
    // In order of revision: the last of a service stays.
    const revisions = this.#revisions.all().map((row) => [row.service, row] as const);
    return { deployments: new Map(deployments), services: new Map(revisions) };
  }
}

function deploymentOf(row: DeploymentRow): Deployment {
  return {
    ...row,
    additionalHeaders: fromJson(row.additionalHeaders),
    metadata: fromJson(row.metadata),
    services: fromJson(row.services),
  };
}
