/**
 * The settings of `holdfast serve`: flags and environment into one checked value. Each setting is a flag and a `HOLDFAST_*`
 * variable; the flag wins.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { parseDurationMs } from "./base/duration.ts";
import { LOG_LEVELS, type LogLevel } from "./base/log.ts";

export interface Address {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface Config {
  readonly ingress: Address;
  readonly admin: Address;
  readonly adminToken: string | null;
  readonly data: string;
  readonly durability: "disk" | "none";
  readonly requestBytesMax: number;
  readonly messageBytesMax: number;
  readonly attemptsMax: number;
  readonly attemptsPerDeploymentMax: number;
  readonly inactivityTimeoutMs: number;
  readonly abortTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  readonly logLevel: LogLevel;
}

/** The settings contradict each other or promise what cannot be kept. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

const MIB = 1024 * 1024;

export function serveCommand(run: (config: Config) => Promise<void>): Command {
  const command = new Command("serve")
    .description("Run the server: journal calls, invoke handlers, resume them after any failure.")
    .addHelpText("after", HELP_AFTER);
  for (const each of OPTIONS) command.addOption(each);
  return command.action((flags: Flags) => run(configFrom(flags)));
}

/** The values as commander names them after their flags. */
interface Flags {
  readonly ingress: Address;
  readonly admin: Address;
  readonly adminToken?: string;
  readonly data: string;
  readonly durability: Config["durability"];
  readonly maxRequestSize: number;
  readonly maxMessageSize: number;
  readonly maxAttempts: number;
  readonly maxDeploymentAttempts: number;
  readonly inactivityTimeout: number;
  readonly abortTimeout: number;
  readonly shutdownTimeout: number;
  readonly logLevel: LogLevel;
}

function configFrom(flags: Flags): Config {
  const adminToken = flags.adminToken ?? null;
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
    data: flags.data,
    durability: flags.durability,
    requestBytesMax: flags.maxRequestSize,
    messageBytesMax: flags.maxMessageSize,
    attemptsMax: flags.maxAttempts,
    attemptsPerDeploymentMax: flags.maxDeploymentAttempts,
    inactivityTimeoutMs: flags.inactivityTimeout,
    abortTimeoutMs: flags.abortTimeout,
    shutdownTimeoutMs: flags.shutdownTimeout,
    logLevel: flags.logLevel,
  };
}

/** `HOLDFAST_*` variables that are no setting: most likely a typing error, to be said at start. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set(OPTIONS.map((each) => each.envVar));
  return Object.keys(env).filter((name) => name.startsWith("HOLDFAST_") && !known.has(name));
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** `HOST:PORT`, `[V6]:PORT` or `PORT` alone for loopback. */
export function parseAddress(text: string): Address {
  const match = /^(?:(?<host>\[[0-9a-fA-F:]+\]|[^:\s]+):)?(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.["port"] ?? "-1");
  if (match === null || port < 0 || port > 65_535) {
    throw new InvalidArgumentError("expected HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080");
  }
  const host = (match.groups?.["host"] ?? "127.0.0.1").replace(/^\[|\]$/g, "");
  return { host, port };
}

/** A size such as `33554432`, `32MiB` or `64kb` (1 kb is 1024 bytes), in bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+)\s*(b|kb|kib|mb|mib|gb|gib)?$/i.exec(text.trim());
  const unit = SIZE_UNITS[(match?.[2] ?? "b").charAt(0).toLowerCase()];
  const bytes = Number(match?.[1] ?? "0") * (unit ?? 0);
  if (bytes < 1 || !Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError("expected a size of at least one byte, such as 32MiB");
  }
  return bytes;
}

const SIZE_UNITS: Readonly<Record<string, number>> = { b: 1, k: 1024, m: MIB, g: 1024 * MIB };

function parseTimeout(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) {
    throw new InvalidArgumentError("expected a duration, such as 60s, 10m or PT1M");
  }
  return ms;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 1_000_000) {
    throw new InvalidArgumentError("expected a whole number from 1 to 1000000");
  }
  return count;
}

function parseToken(text: string): string {
  if (!/^[\x21-\x7e]{8,}$/.test(text)) {
    throw new InvalidArgumentError("expected at least 8 visible ASCII characters");
  }
  return text;
}

function option(flags: string, env: string, description: string): Option {
  return new Option(flags, description).env(`HOLDFAST_${env}`);
}

const OPTIONS: readonly Option[] = [
  option("--ingress <address>", "INGRESS", "where callers invoke services")
    .argParser(parseAddress)
    .default(parseAddress("127.0.0.1:8080"), "127.0.0.1:8080"),
  option("--admin <address>", "ADMIN", "where operators register deployments")
    .argParser(parseAddress)
    .default(parseAddress("127.0.0.1:9070"), "127.0.0.1:9070"),
  option(
    "--admin-token <token>",
    "ADMIN_TOKEN",
    "bearer token that the admin API asks for",
  ).argParser(parseToken),
  option("--data <directory>", "DATA", "the journal; one server at a time").default("./data"),
  option(
    "--durability <level>",
    "DURABILITY",
    "when an effect may leave: disk (after fdatasync) or none",
  )
    .choices(["disk", "none"])
    .default("disk"),
  option("--max-request-size <size>", "MAX_REQUEST_SIZE", "largest request body on the ingress")
    .argParser(parseSize)
    .default(32 * MIB, "32MiB"),
  option("--max-message-size <size>", "MAX_MESSAGE_SIZE", "largest message from an endpoint")
    .argParser(parseSize)
    .default(32 * MIB, "32MiB"),
  option("--max-attempts <count>", "MAX_ATTEMPTS", "attempts in flight, all deployments together")
    .argParser(parseCount)
    .default(1000),
  option(
    "--max-deployment-attempts <count>",
    "MAX_DEPLOYMENT_ATTEMPTS",
    "attempts in flight, each deployment",
  )
    .argParser(parseCount)
    .default(1000),
  option(
    "--inactivity-timeout <duration>",
    "INACTIVITY_TIMEOUT",
    "a stream this quiet is asked to suspend",
  )
    .argParser(parseTimeout)
    .default(60_000, "60s"),
  option(
    "--abort-timeout <duration>",
    "ABORT_TIMEOUT",
    "an attempt asked to suspend is cut after this",
  )
    .argParser(parseTimeout)
    .default(600_000, "10m"),
  option(
    "--shutdown-timeout <duration>",
    "SHUTDOWN_TIMEOUT",
    "how long SIGTERM waits for open requests",
  )
    .argParser(parseTimeout)
    .default(5000, "5s"),
  option("--log-level <level>", "LOG_LEVEL", "least severe log line on stderr")
    .choices([...LOG_LEVELS])
    .default("info"),
];

const HELP_AFTER = `
Ports may be 0 for any free one. When the server is ready it prints one JSON line on stdout:
  {"event":"ready","ingress":"http://127.0.0.1:8080","admin":"http://127.0.0.1:9070",...}
Logs are JSON lines on stderr. SIGTERM and SIGINT drain and close; a second one stops at once.

Examples:
  holdfast serve
  holdfast serve --data /var/lib/holdfast --ingress 0.0.0.0:8080
  HOLDFAST_DATA=/var/lib/holdfast holdfast serve`;
