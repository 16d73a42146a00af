/**
 * The settings of `holdfast serve`: flags and environment into one checked value. Each setting is a flag and a `HOLDFAST_*`
 * variable; the flag wins.
 */
import { Command } from "commander";
import type { LogLevel } from "./base/log.ts";
import { ConfigError } from "./config-error.ts";
import { OPTIONS } from "./config-options.ts";
import {
  type Address,
  isLoopback,
  parseHeaders,
  parseHttpUrl,
  parseToken,
} from "./config-values.ts";
import type { TlsFiles } from "./tls-files.ts";
import { type ReplicaConfig, type ReplicaFlags, replicaFrom } from "./replica-config.ts";
import { DEFAULT_SETTINGS, type MachineSettings } from "./machine/settings.ts";

export interface Config {
  readonly ingress: Address;
  readonly admin: Address;
  readonly adminToken: string | null;
  /** Null: the listeners speak HTTP without TLS. */
  readonly tls: TlsFiles | null;
  readonly data: string;
  readonly durability: "disk" | "bucket" | "none";
  /** Payloads of this size and more are stored once, beside the database. */
  readonly blobThresholdBytes: number;
  /** Null: the journal is on this disk alone. */
  readonly replica: ReplicaConfig | null;
  readonly requestBytesMax: number;
  readonly messageBytesMax: number;
  readonly eagerStateBytesMax: number;
  readonly attemptsMax: number;
  readonly attemptsPerDeploymentMax: number;
  readonly inactivityTimeoutMs: number;
  readonly abortTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  /** A PEM file; null: requests are not signed. */
  readonly requestIdentityKeyFile: string | null;
  /** Null: none is told. */
  readonly assumeRoleExternalId: string | null;
  /** Additional headers that tell deployments of one address apart. */
  readonly routingHeaders: readonly string[];
  readonly settings: MachineSettings;
  readonly query: { readonly timeoutMs: number; readonly rowsMax: number };
  /** Null: no spans. */
  readonly otlp: OtlpConfig | null;
  readonly logLevel: LogLevel;
}

export interface OtlpConfig {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
}

export function serveCommand(run: (config: Config) => Promise<void>): Command {
  const command = new Command("serve")
    .description("Run the server: journal calls, invoke handlers, resume them after any failure.")
    .addHelpText("after", HELP_AFTER);
  for (const each of OPTIONS) command.addOption(each);
  return command.action((flags: Flags) => run(configFrom(flags, process.env)));
}

/** The values as commander names them after their flags. */
interface Flags extends ReplicaFlags {
  readonly ingress: Address;
  readonly admin: Address;
  readonly adminToken?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly data: string;
  readonly durability: Config["durability"];
  readonly blobThreshold: number;
  readonly maxRequestSize: number;
  readonly maxMessageSize: number;
  readonly maxAttempts: number;
  readonly maxDeploymentAttempts: number;
  readonly inactivityTimeout: number;
  readonly abortTimeout: number;
  readonly shutdownTimeout: number;
  readonly maxProtocolVersion: MachineSettings["protocolVersionMax"];
  readonly requestIdentityKeyFile?: string;
  readonly assumeRoleExternalId?: string;
  readonly routingHeader: readonly string[];
  readonly eagerStateLimit: number;
  readonly retryInitialInterval: number;
  readonly retryFactor: number;
  readonly retryMaxInterval: number;
  readonly retryMaxAttempts: number;
  readonly retryOnMaxAttempts: "pause" | "kill";
  readonly defaultJournalRetention: number;
  readonly defaultIdempotencyRetention: number;
  readonly defaultWorkflowRetention: number;
  readonly maxRetention: number;
  readonly cleanupInterval: number;
  readonly queryTimeout: number;
  readonly queryMaxRows: number;
  readonly otlpEndpoint?: string;
  readonly otlpHeaders?: string;
  readonly otlpServiceName?: string;
  readonly logLevel: LogLevel;
}

function tlsFrom({ tlsCert: certFile, tlsKey: keyFile }: Flags): TlsFiles | null {
  if (certFile === undefined && keyFile === undefined) return null;
  if (certFile === undefined || keyFile === undefined) {
    throw new ConfigError("--tls-cert and --tls-key go together: give both, or neither");
  }
  return { certFile, keyFile };
}

type Environment = Readonly<Record<string, string | undefined>>;

function configFrom(flags: Flags, env: Environment): Config {
  const adminToken = checked("--admin-token", flags.adminToken, parseToken);
  if (adminToken === null && !isLoopback(flags.admin.host)) {
    throw new ConfigError(
      `the admin listener can do everything, so ${flags.admin.host} needs --admin-token ` +
        "(HOLDFAST_ADMIN_TOKEN); or bind it to 127.0.0.1",
    );
  }
  return {
    ingress: flags.ingress,
    admin: flags.admin,
    adminToken,
    tls: tlsFrom(flags),
    data: flags.data,
    durability: flags.durability,
    blobThresholdBytes: flags.blobThreshold,
    replica: replicaFrom(flags),
    requestBytesMax: flags.maxRequestSize,
    messageBytesMax: flags.maxMessageSize,
    eagerStateBytesMax: flags.eagerStateLimit,
    attemptsMax: flags.maxAttempts,
    attemptsPerDeploymentMax: flags.maxDeploymentAttempts,
    inactivityTimeoutMs: flags.inactivityTimeout,
    abortTimeoutMs: flags.abortTimeout,
    shutdownTimeoutMs: flags.shutdownTimeout,
    requestIdentityKeyFile: flags.requestIdentityKeyFile ?? null,
    assumeRoleExternalId: flags.assumeRoleExternalId ?? null,
    routingHeaders: flags.routingHeader,
    settings: settingsFrom(flags),
    query: { timeoutMs: flags.queryTimeout, rowsMax: flags.queryMaxRows },
    otlp: otlpFrom(flags, env),
    logLevel: flags.logLevel,
  };
}

function settingsFrom(flags: Flags): MachineSettings {
  return {
    ...DEFAULT_SETTINGS,
    retryPolicy: {
      initialIntervalMs: flags.retryInitialInterval,
      factor: flags.retryFactor,
      maxIntervalMs: flags.retryMaxInterval,
      maxAttempts: flags.retryMaxAttempts,
      onMaxAttempts: flags.retryOnMaxAttempts === "kill" ? "KILL" : "PAUSE",
    },
    journalRetentionMs: flags.defaultJournalRetention,
    idempotencyRetentionMs: flags.defaultIdempotencyRetention,
    workflowRetentionMs: flags.defaultWorkflowRetention,
    retentionMaxMs: flags.maxRetention,
    cleanupIntervalMs: flags.cleanupInterval,
    protocolVersionMax: flags.maxProtocolVersion,
  };
}

/** The variables of OpenTelemetry hold where ours say nothing. */
function otlpFrom(flags: Flags, env: Environment): OtlpConfig | null {
  const endpoint =
    flags.otlpEndpoint ?? fromVariable(env, "OTEL_EXPORTER_OTLP_ENDPOINT", parseHttpUrl);
  if (endpoint === null) return null;
  const headers =
    checked("--otlp-headers", flags.otlpHeaders, parseHeaders) ??
    fromVariable(env, "OTEL_EXPORTER_OTLP_HEADERS", parseHeaders) ??
    {};
  const serviceName = flags.otlpServiceName ?? env["OTEL_SERVICE_NAME"] ?? SERVICE_NAME;
  return { endpoint, headers, serviceName };
}

const SERVICE_NAME = "holdfast";

/** Null for a variable that is not set, or empty. */
function fromVariable<T>(env: Environment, name: string, parse: (text: string) => T): T | null {
  const text = env[name];
  return checked(`the variable ${name}`, text === "" ? undefined : text, parse);
}

/** Null where nothing is said. The error tells what is expected, and not what was given. */
function checked<T>(name: string, text: string | undefined, parse: (text: string) => T): T | null {
  if (text === undefined) return null;
  try {
    return parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`${name} cannot be used: ${why}`);
  }
}

/** `HOLDFAST_*` variables that are no setting: most likely a typing error, to be said at start. */
export function unknownVariables(env: Environment): string[] {
  const known = new Set(OPTIONS.map((each) => each.envVar));
  return Object.keys(env).filter((name) => name.startsWith("HOLDFAST_") && !known.has(name));
}

const HELP_AFTER = `
Ports may be 0 for any free one. When the server is ready it prints one JSON line on stdout:
  {"event":"ready","ingress":"http://127.0.0.1:8080","admin":"http://127.0.0.1:9070",...}
Logs are JSON lines on stderr. SIGTERM and SIGINT drain and close; a second one stops at once.

Examples:
  holdfast serve
  holdfast serve --data /var/lib/holdfast --ingress 0.0.0.0:8080
  holdfast serve --data /var/lib/holdfast --bucket s3://journal/production --durability bucket
  HOLDFAST_DATA=/var/lib/holdfast holdfast serve`;
