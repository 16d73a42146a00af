/** Endpoints as AWS Lambda functions: invoked by the server, or behind a function URL, an API gateway, a load balancer. */
import type { AttemptOrigin } from "../context/request.ts";
import { invocationContentType } from "../protocol/version.ts";
import { EndpointBuilder, type RestateEndpointBase } from "./endpoint-builder.ts";
import { Invocation } from "./invoke.ts";
import { Requests } from "./requests.ts";
import { type Answer, type ManifestForm, problem, type Routed, SERVER_NAME } from "./router.ts";
import type { EndpointOptions } from "./served-services.ts";
import { zstd } from "./zstd.ts";

/**
 * What is read of an event. `path` and `httpMethod` are there when the server invokes the function itself, and behind REST
 * APIs and load balancers; `rawPath` behind HTTP APIs and function URLs.
 */
export interface LambdaEvent {
  readonly path?: string | undefined;
  readonly rawPath?: string | undefined;
  readonly headers?: Readonly<Record<string, string | undefined>> | null | undefined;
  readonly body?: string | null | undefined;
  readonly isBase64Encoded?: boolean | undefined;
}

export interface LambdaResult {
  statusCode: number;
  headers: Record<string, string>;
  /** In base64. */
  body: string;
  isBase64Encoded: true;
}

/** @param context of the function; handlers find it in `ctx.request().extraArgs` */
export type LambdaHandler = (event: LambdaEvent, context?: unknown) => Promise<LambdaResult>;

export interface LambdaEndpoint extends RestateEndpointBase<LambdaEndpoint> {
  handler(): LambdaHandler;
}

/** Above it a response is compressed if it may be: Lambda takes 6 MB of base64, which is a third longer than the bytes. */
const PLAIN_BYTES_MAX = 3 * 1024 * 1024;

/**
 * A Lambda function that serves these services. Throws `TypeError` for what is no service and for a bad identity key.
 *
 * The server ends its request at once and invokes the function again for each result a handler waits for, so that nobody pays
 * for waiting.
 *
 * @example
 * export const handler = createEndpointHandler({ services: [greeter] });
 */
export function createEndpointHandler(options: EndpointOptions): LambdaHandler {
  const requests = new Requests(options);
  const form: ManifestForm = {
    protocolMode: "REQUEST_RESPONSE",
    ...(zstd !== undefined && { lambdaCompression: "zstd" }),
  };
  return async (event, ...extraArgs) => {
    const path = event.path ?? event.rawPath;
    if (path === undefined) throw new TypeError("the event has no path: it is no HTTP request");
    const headers = lowerCase(event.headers ?? {});
    const routed = requests.route(path, headers, form);
    if (routed.kind === "answer") return answer(routed);
    const input = decoded(bodyOf(event), headers["content-encoding"]);
    if (input === undefined) {
      return answer(problem(415, `this runtime cannot read ${headers["content-encoding"]}`));
    }
    const output = await invoke(routed, input, { attemptHeaders: headers, extraArgs });
    return result(200, ...encoded(output, routed, headers["accept-encoding"]));
  };
}

/** The step by step form of `createEndpointHandler`. */
export function endpoint(): LambdaEndpoint {
  return new LambdaEndpointBuilder();
}

class LambdaEndpointBuilder extends EndpointBuilder implements LambdaEndpoint {
  handler(): LambdaHandler {
    return createEndpointHandler(this.options);
  }
}

function invoke(
  { handler, version }: Routed & { kind: "invoke" },
  input: Uint8Array,
  origin: AttemptOrigin,
): Promise<Buffer> {
  return new Promise((resolve) => {
    const written: Uint8Array[] = [];
    const sink = {
      write: (bytes: Uint8Array) => written.push(bytes) > 0,
      end: (bytes: Uint8Array | undefined) => {
        resolve(Buffer.concat(bytes === undefined ? written : [...written, bytes]));
      },
    };
    const invocation = new Invocation({ handler, version, sink, ...origin });
    invocation.onData(input);
    invocation.onInputClosed();
  });
}

function bodyOf({ body, isBase64Encoded = false }: LambdaEvent): Uint8Array {
  return Buffer.from(body ?? "", isBase64Encoded ? "base64" : "utf8");
}

/** Undefined when this runtime cannot. */
function decoded(body: Uint8Array, encoding: string | undefined): Uint8Array | undefined {
  if (encoding === undefined || encoding === "identity") return body;
  return encoding === "zstd" ? zstd?.decompress(body) : undefined;
}

/** The body, and the headers that say what it is. */
function encoded(
  output: Buffer,
  { version }: Routed & { kind: "invoke" },
  accepted = "",
): [Record<string, string>, Buffer] {
  const headers = { "content-type": invocationContentType(version) };
  if (zstd === undefined || output.length <= PLAIN_BYTES_MAX || !accepted.includes("zstd")) {
    return [headers, output];
  }
  return [{ ...headers, "content-encoding": "zstd" }, zstd.compress(output)];
}

function answer({ status, contentType, body }: Answer): LambdaResult {
  return result(status, { "content-type": contentType }, Buffer.from(body));
}

function result(statusCode: number, headers: Record<string, string>, body: Buffer): LambdaResult {
  return {
    statusCode,
    headers: { ...headers, "x-restate-server": SERVER_NAME },
    body: body.toString("base64"),
    isBase64Encoded: true,
  };
}

/** REST APIs pass names on as they were sent. */
function lowerCase(
  headers: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
