/** Every setting of `holdfast serve`: its flag, its variable, its default and what it is for. */
import { Option } from "commander";
import { LOG_LEVELS } from "./base/log.ts";
import {
  MIB,
  parseAddress,
  parseAttempts,
  parseCount,
  parseDuration,
  parseFactor,
  parseHeaderNames,
  parseHttpUrl,
  parseInterval,
  parseProtocolVersion,
  parseSize,
  parseTimeout,
} from "./config-values.ts";
import { REPLICA_OPTIONS } from "./replica-options.ts";
import { RETENTION_MS_MAX } from "./machine/settings.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

function option(flags: string, env: string, description: string): Option {
  return new Option(flags, description).env(`HOLDFAST_${env}`);
}

/** What is secret, a token or headers, is parsed by `config.ts`: commander repeats what it cannot parse. */
export const OPTIONS: readonly Option[] = [
  option("--ingress <address>", "INGRESS", "where callers invoke services")
    .argParser(parseAddress)
    .default(parseAddress("127.0.0.1:8080"), "127.0.0.1:8080"),
  option("--admin <address>", "ADMIN", "where operators register deployments")
    .argParser(parseAddress)
    .default(parseAddress("127.0.0.1:9070"), "127.0.0.1:9070"),
  option(
    "--tls-cert <file>",
    "TLS_CERT",
    "PEM file with the certificate and its chain: both listeners then speak TLS alone; read again when it changes",
  ),
  option("--tls-key <file>", "TLS_KEY", "PEM file with the private key of --tls-cert"),
  option("--admin-token <token>", "ADMIN_TOKEN", "bearer token that the admin API asks for"),
  option("--data <directory>", "DATA", "the journal; one server at a time").default("./data"),
  option(
    "--durability <level>",
    "DURABILITY",
    "when an effect may leave: disk (after fdatasync), bucket (after its segment is stored, too) or none",
  )
    .choices(["disk", "bucket", "none"])
    .default("disk"),
  option(
    "--blob-threshold <size>",
    "BLOB_THRESHOLD",
    "payloads of this size and more are stored once, beside the database",
  )
    .argParser(parseSize)
    .default(256 * 1024, "256KiB"),
  ...REPLICA_OPTIONS,
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
    .argParser(parseDuration)
    .default(60_000, "60s"),
  option(
    "--abort-timeout <duration>",
    "ABORT_TIMEOUT",
    "an attempt asked to suspend is cut after this",
  )
    .argParser(parseDuration)
    .default(600_000, "10m"),
  option(
    "--shutdown-timeout <duration>",
    "SHUTDOWN_TIMEOUT",
    "how long SIGTERM waits for open requests",
  )
    .argParser(parseTimeout)
    .default(5000, "5s"),
  option(
    "--max-protocol-version <version>",
    "MAX_PROTOCOL_VERSION",
    "highest service protocol version for SDKs of others; @holdfast/sdk always gets the newest",
  )
    .argParser(parseProtocolVersion)
    .default(6),
  option(
    "--request-identity-key-file <file>",
    "REQUEST_IDENTITY_KEY_FILE",
    "PEM file with an Ed25519 private key that signs requests to endpoints",
  ),
  option(
    "--assume-role-external-id <id>",
    "ASSUME_ROLE_EXTERNAL_ID",
    "external id that goes along when the role of an AWS Lambda deployment is assumed",
  ),
  option(
    "--routing-header <names>",
    "ROUTING_HEADER",
    "additional headers, separated by commas, that make two deployments of one address distinct",
  )
    .argParser(parseHeaderNames)
    .default([], "none"),
  option(
    "--eager-state-limit <size>",
    "EAGER_STATE_LIMIT",
    "state larger than this is not sent whole with an attempt; handlers ask for the rest",
  )
    .argParser(parseSize)
    .default(32 * MIB, "32MiB"),
  option(
    "--retry-initial-interval <duration>",
    "RETRY_INITIAL_INTERVAL",
    "delay before the first retry, where a handler says nothing else",
  )
    .argParser(parseDuration)
    .default(500, "500ms"),
  option("--retry-factor <number>", "RETRY_FACTOR", "what each delay is multiplied by")
    .argParser(parseFactor)
    .default(2),
  option("--retry-max-interval <duration>", "RETRY_MAX_INTERVAL", "longest delay between retries")
    .argParser(parseDuration)
    .default(60_000, "60s"),
  option(
    "--retry-max-attempts <count>",
    "RETRY_MAX_ATTEMPTS",
    "attempts in total, the first included, or unlimited",
  )
    .argParser(parseAttempts)
    .default(70),
  option(
    "--retry-on-max-attempts <what>",
    "RETRY_ON_MAX_ATTEMPTS",
    "what follows the last attempt: wait for an operator, or fail",
  )
    .choices(["pause", "kill"])
    .default("pause"),
  option(
    "--default-journal-retention <duration>",
    "DEFAULT_JOURNAL_RETENTION",
    "how long the journal of a finished invocation is kept",
  )
    .argParser(parseDuration)
    .default(DAY_MS, "1d"),
  option(
    "--default-idempotency-retention <duration>",
    "DEFAULT_IDEMPOTENCY_RETENTION",
    "how long the result of a request with an idempotency key is kept",
  )
    .argParser(parseDuration)
    .default(DAY_MS, "1d"),
  option(
    "--default-workflow-retention <duration>",
    "DEFAULT_WORKFLOW_RETENTION",
    "how long result, state and promises of a finished workflow are kept",
  )
    .argParser(parseDuration)
    .default(DAY_MS, "1d"),
  option(
    "--max-retention <duration>",
    "MAX_RETENTION",
    "nothing is kept longer than this, whatever a service asks for",
  )
    .argParser(parseDuration)
    .default(RETENTION_MS_MAX, "none"),
  option(
    "--cleanup-interval <duration>",
    "CLEANUP_INTERVAL",
    "how often what is past its retention is deleted",
  )
    .argParser(parseInterval)
    .default(60_000, "1m"),
  option("--query-timeout <duration>", "QUERY_TIMEOUT", "longest time an SQL query may take")
    .argParser(parseInterval)
    .default(30_000, "30s"),
  option("--query-max-rows <count>", "QUERY_MAX_ROWS", "most rows an SQL query may answer")
    .argParser(parseCount)
    .default(100_000),
  option(
    "--otlp-endpoint <url>",
    "OTLP_ENDPOINT",
    "where spans are sent over OTLP/HTTP, such as http://127.0.0.1:4318 (also OTEL_EXPORTER_OTLP_ENDPOINT)",
  ).argParser(parseHttpUrl),
  option(
    "--otlp-headers <pairs>",
    "OTLP_HEADERS",
    "headers for it, name=value separated by commas (also OTEL_EXPORTER_OTLP_HEADERS)",
  ),
  option(
    "--otlp-service-name <name>",
    "OTLP_SERVICE_NAME",
    "the service the spans are of; holdfast if nothing is said (also OTEL_SERVICE_NAME)",
  ),
  option("--log-level <level>", "LOG_LEVEL", "least severe log line on stderr")
    .choices([...LOG_LEVELS])
    .default("info"),
];
