/** The Invoke API of AWS Lambda with functions that run in the test: what a server and an endpoint see of Lambda. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { randomUUID } from "node:crypto";

export type LambdaHandler = (event: unknown, context: unknown) => Promise<unknown>;

export interface LambdaCall {
  readonly name: string;
  readonly qualifier: string;
  readonly event: LambdaEvent;
}

export interface LambdaEvent {
  readonly path: string;
  readonly httpMethod: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

/** Instead of running the function. */
export interface LambdaFault {
  readonly status: number;
  readonly type: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const PATH = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;
const PAYLOAD_BYTES_MAX = 6 * 1024 * 1024;

export class LambdaApi implements AsyncDisposable {
  readonly functions = new Map<string, LambdaHandler>();
  readonly calls: LambdaCall[] = [];
  /** What happens to the next calls, one each; null runs the function. */
  readonly faults: (LambdaFault | null)[] = [];
  readonly #server = http.createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => void this.#answer(request, response, Buffer.concat(parts)));
  });

  static async start(): Promise<LambdaApi> {
    const api = new LambdaApi();
    await new Promise<void>((resolve) => api.#server.listen(0, "127.0.0.1", resolve));
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #answer(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    payload: Buffer,
  ): Promise<void> {
    const answer = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
      const common = { "content-type": "application/json", "x-amzn-requestid": randomUUID() };
      response.writeHead(status, { ...common, ...headers });
      response.end(JSON.stringify(body));
    };
    const refuse = ({ status, type, message, headers }: LambdaFault): void =>
      answer(status, { Type: "User", Message: message }, { "x-amzn-errortype": type, ...headers });
    const [, arn = ""] = PATH.exec(decodeURIComponent(request.url?.split("?")[0] ?? "")) ?? [];
    const [name = "", qualifier = "$LATEST"] = arn.split(":").slice(6);
    if (payload.length > PAYLOAD_BYTES_MAX) {
      return refuse({ status: 413, type: "RequestTooLargeException", message: "over 6 MB" });
    }
    const event = JSON.parse(payload.toString()) as LambdaEvent;
    this.calls.push({ name, qualifier, event });
    const fault = this.faults.shift() ?? null;
    if (fault !== null) return refuse(fault);
    const handler = this.functions.get(name);
    if (handler === undefined) {
      const message = `Function not found: ${arn}`;
      return refuse({ status: 404, type: "ResourceNotFoundException", message });
    }
    try {
      const context = { awsRequestId: randomUUID(), getRemainingTimeInMillis: () => 30_000 };
      return answer(200, await handler(event, context));
    } catch (error) {
      const { name: errorType, message: errorMessage } = error as Error;
      return answer(200, { errorType, errorMessage }, { "x-amz-function-error": "Unhandled" });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export const arnOf = (name: string, qualifier = "1"): string =>
  `arn:aws:lambda:eu-central-1:000000000000:function:${name}:${qualifier}`;
