/**
 * Invokes functions through the Invoke API of AWS Lambda, with the usual chain of credentials. The AWS SDK is loaded with the first
 * function that is asked; its own retries are off, since attempts have theirs.
 */
import type { LambdaClient } from "@aws-sdk/client-lambda";
import type { Clock } from "../base/clock.ts";
import type { LambdaFunction } from "../base/lambda-function.ts";
import {
  decodeResult,
  encodeEvent,
  type LambdaRequest,
  type LambdaResponse,
} from "./lambda-event.ts";

export interface LambdaTarget extends LambdaFunction {
  /** Null: with the server's own credentials. */
  readonly assumeRoleArn: string | null;
  readonly compression: "zstd" | null;
}

export interface LambdaOptions {
  readonly clock: Clock;
  /** Asked for by roles that are assumed on behalf of somebody else; null for none. */
  readonly externalId: string | null;
}

/** Functions are called in parallel; the AWS SDK's own bound is 50. */
const SOCKETS_MAX = 2000;
const CONNECT_TIMEOUT_MS = 10_000;
/** A response of 6 MB and its head. Lambda runs for 15 minutes at most. */
const REQUEST_TIMEOUT_MS = 16 * 60_000;

export class LambdaInvoker {
  readonly #options: LambdaOptions;
  /** By region and role. */
  readonly #clients = new Map<string, Promise<LambdaClient>>();

  constructor(options: LambdaOptions) {
    this.#options = options;
  }

  /**
   * The function's answer. What Lambda says in its place, such as that it limits the load, is an answer with the status that means the
   * same over HTTP. Rejects when nothing can be said about the function: it cannot be reached, found or invoked.
   */
  async invoke(
    target: LambdaTarget,
    request: LambdaRequest,
    signal: AbortSignal,
  ): Promise<LambdaResponse> {
    const { InvokeCommand } = await import("@aws-sdk/client-lambda");
    const client = await this.#client(target);
    const command = new InvokeCommand({
      FunctionName: target.arn,
      Payload: encodeEvent(request, target.compression === "zstd"),
    });
    try {
      const answer = await client.send(command, { abortSignal: signal });
      const payload = answer.Payload ?? new Uint8Array();
      if (answer.FunctionError !== undefined) return crashed(answer.FunctionError, payload);
      return decodeResult(payload);
    } catch (error) {
      return answerInstead(error);
    }
  }

  close(): void {
    for (const client of this.#clients.values()) {
      client.then(
        (made) => made.destroy(),
        () => {},
      );
    }
    this.#clients.clear();
  }

  #client({ region, assumeRoleArn }: LambdaTarget): Promise<LambdaClient> {
    const key = `${region} ${assumeRoleArn ?? ""}`;
    let client = this.#clients.get(key);
    if (client === undefined) {
      client = this.#make(region, assumeRoleArn);
      this.#clients.set(key, client);
    }
    return client;
  }

  async #make(region: string, assumeRoleArn: string | null): Promise<LambdaClient> {
    const sdk = await import("@aws-sdk/client-lambda");
    const credentials = assumeRoleArn === null ? {} : await this.#assume(assumeRoleArn, region);
    return new sdk.LambdaClient({
      region,
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: CONNECT_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        httpAgent: { keepAlive: true, maxSockets: SOCKETS_MAX },
        httpsAgent: { keepAlive: true, maxSockets: SOCKETS_MAX },
      },
      ...credentials,
    });
  }

  async #assume(RoleArn: string, region: string): Promise<object> {
    const { fromTemporaryCredentials } = await import("@aws-sdk/credential-providers");
    const { clock, externalId } = this.#options;
    const params = {
      RoleArn,
      RoleSessionName: `holdfast-${Math.floor(clock.nowMs() / 1000)}`,
      ...(externalId !== null && { ExternalId: externalId }),
    };
    return { credentials: fromTemporaryCredentials({ params, clientConfig: { region } }) };
  }
}

/** The handler threw past its SDK, ran out of time or memory, or its answer was too large. */
function crashed(kind: string, payload: Uint8Array): LambdaResponse {
  const { errorType = kind, errorMessage = "" } = errorFields(payload);
  return said(500, `the function failed: ${errorType}: ${errorMessage}`);
}

function errorFields(payload: Uint8Array): { errorType?: string; errorMessage?: string } {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString("utf8"));
    if (typeof value !== "object" || value === null) return {};
    const { errorType, errorMessage }: { errorType?: unknown; errorMessage?: unknown } = value;
    return {
      ...(typeof errorType === "string" && { errorType }),
      ...(typeof errorMessage === "string" && { errorMessage }),
    };
  } catch {
    return {};
  }
}

/** They say that there is too much of it now, not that it cannot be done. */
const THROTTLES: ReadonlySet<string> = new Set([
  "TooManyRequestsException",
  "ThrottlingException",
  "EC2ThrottledException",
  "ENILimitReachedException",
]);

function answerInstead(error: unknown): LambdaResponse {
  if (!(error instanceof Error)) throw error;
  if (THROTTLES.has(error.name)) return said(429, error.message, retryAfterOf(error));
  if (error.name === "RequestTooLargeException") {
    return said(413, "the request with the journal is above Lambda's 6 MB");
  }
  throw error;
}

function retryAfterOf(error: Error): Record<string, string> {
  const seconds = "retryAfterSeconds" in error ? error.retryAfterSeconds : undefined;
  return typeof seconds === "string" ? { "retry-after": seconds } : {};
}

function said(status: number, text: string, headers: Record<string, string> = {}): LambdaResponse {
  return { status, headers, body: Buffer.from(text) };
}

/** Why a function cannot be invoked, for operators. */
export function describeLambdaError(error: unknown): string {
  if (!(error instanceof Error)) return "the function cannot be invoked";
  switch (error.name) {
    case "ResourceNotFoundException":
      return `there is no such function or version (${error.message})`;
    case "AccessDeniedException":
      return `this server may not invoke it; it needs lambda:InvokeFunction (${error.message})`;
    case "CredentialsProviderError":
      return `there are no AWS credentials; see the usual chain of the AWS SDK (${error.message})`;
    default:
      return `${error.name}: ${error.message}`;
  }
}
