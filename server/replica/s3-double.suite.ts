/**
 * As much of S3 as the replica uses, in memory, over real HTTP; failures on demand. It checks the sums that requests carry and whose key
 * has signed them, not the signature.
 */
import { createHash, randomUUID } from "node:crypto";
import http, { type IncomingMessage, ServerResponse } from "node:http";

interface Stored {
  readonly bytes: Buffer;
  readonly at: Date;
}

const LIST_MAX = 1000;

/** `before` may answer itself, and says so by returning true. */
type Hook = (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean;

/**
 * - error, slow-down, denied: 500, 503, 403, without an effect
 * - reset: the connection breaks, without an effect
 * - lost-answer: the request has its effect, and the connection breaks
 * - silence: nothing happens, ever
 * - cut, stall: of what is got only the first half arrives; then the connection breaks, or nothing happens
 */
export type Fault =
  | "error"
  | "slow-down"
  | "denied"
  | "reset"
  | "lost-answer"
  | "silence"
  | "cut"
  | "stall";

const REFUSALS = {
  error: [500, "InternalError"],
  "slow-down": [503, "SlowDown"],
  denied: [403, "AccessDenied"],
} as const;

export class S3Double {
  before: Hook = () => false;
  faultOf: (request: IncomingMessage) => Fault | null = () => null;
  /** As some stores do. */
  ignoresConditions = false;
  /** Null: whoever has one. */
  accessKeyId: string | null = null;
  connections = 0;
  readonly #objects = new Map<string, Stored>();
  readonly #uploads = new Map<string, Map<number, Buffer>>();
  readonly #server = http.createServer((request, response) => this.#receive(request, response));

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Uploads in parts that were neither completed nor aborted. */
  get uploads(): number {
    return this.#uploads.size;
  }

  async listen(): Promise<void> {
    this.#server.on("connection", () => (this.connections += 1));
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  fail(response: ServerResponse, status: number, code: string, message = "planted"): void {
    answer(response, status, `<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const parts: Buffer[] = [];
    request.on("error", () => {});
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts);
      const fault = this.faultOf(request);
      if (this.before(request, response, body)) return;
      if (fault === null) this.#handle(request, response, body);
      else this.#break(fault, request, response, body);
    });
  }

  #break(fault: Fault, request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    switch (fault) {
      case "error":
      case "slow-down":
      case "denied": {
        const [status, code] = REFUSALS[fault];
        return this.fail(response, status, code);
      }
      case "lost-answer":
        // An answer that is given to nobody.
        this.#handle(request, new ServerResponse(request), body);
        return void request.socket.destroy();
      case "reset":
        return void request.socket.destroy();
      case "cut":
      case "stall": {
        const bytes = this.#objects.get(keyOf(request))?.bytes ?? Buffer.alloc(0);
        response.writeHead(200, { "content-length": bytes.length });
        response.write(bytes.subarray(0, bytes.length / 2), () => {
          if (fault === "cut") request.socket.destroy();
        });
        return undefined;
      }
      case "silence":
        return undefined;
    }
  }

  #handle(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const { searchParams: query } = new URL(request.url ?? "/", "http://double");
    const key = keyOf(request);
    const problem = problemOf(request, body, this.accessKeyId);
    if (problem !== null) return this.fail(response, ...problem);
    if (key === "" && query.has("delete")) return this.#deleteAll(response, body);
    if (key === "") return this.#list(response, query);
    if (query.has("uploads") || query.has("uploadId")) {
      return this.#multipart({ request, response, body, key, query });
    }
    if (request.method === "PUT") return this.#put(request, response, key, body);
    const stored = this.#objects.get(key);
    if (stored === undefined) return this.fail(response, 404, "NoSuchKey");
    response.writeHead(200, { "content-length": stored.bytes.length, etag: etagOf(stored.bytes) });
    response.end(stored.bytes);
  }

  #put(request: IncomingMessage, response: ServerResponse, key: string, body: Buffer): void {
    const isNew = request.headers["if-none-match"] === "*" && !this.ignoresConditions;
    if (isNew && this.#objects.has(key)) return this.fail(response, 412, "PreconditionFailed");
    this.#objects.set(key, { bytes: body, at: new Date() });
    response.writeHead(200, { etag: etagOf(body) });
    response.end();
  }

  #list(response: ServerResponse, query: URLSearchParams): void {
    const prefix = query.get("prefix") ?? "";
    const after = query.get("continuation-token") ?? query.get("start-after") ?? "";
    const keys = [...this.#objects.keys()]
      .filter((key) => key.startsWith(prefix) && key > after)
      .toSorted((one, other) => (one < other ? -1 : 1));
    const page = keys.slice(0, LIST_MAX);
    const items = page.map((key) => {
      const { bytes, at } = this.#objects.get(key) ?? { bytes: Buffer.alloc(0), at: new Date(0) };
      return `<Contents><Key>${key}</Key><LastModified>${at.toISOString()}</LastModified><Size>${bytes.length}</Size></Contents>`;
    });
    const next =
      keys.length > page.length
        ? `<NextContinuationToken>${page.at(-1) ?? ""}</NextContinuationToken>`
        : "";
    const truncated = `<IsTruncated>${next !== ""}</IsTruncated>`;
    answer(
      response,
      200,
      `<ListBucketResult>${truncated}${next}${items.join("")}</ListBucketResult>`,
    );
  }

  #deleteAll(response: ServerResponse, body: Buffer): void {
    for (const [, key = ""] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g))
      this.#objects.delete(key);
    answer(response, 200, "<DeleteResult></DeleteResult>");
  }

  #multipart({ request, response, body, key, query }: PartRequest): void {
    if (query.has("uploads")) {
      const id = randomUUID();
      this.#uploads.set(id, new Map());
      const result = `<UploadId>${id}</UploadId>`;
      return answer(
        response,
        200,
        `<InitiateMultipartUploadResult>${result}</InitiateMultipartUploadResult>`,
      );
    }
    const id = query.get("uploadId") ?? "";
    const parts = this.#uploads.get(id);
    if (parts === undefined) return this.fail(response, 404, "NoSuchUpload");
    if (request.method === "PUT") {
      parts.set(Number(query.get("partNumber")), body);
      response.writeHead(200, { etag: etagOf(body) });
      response.end();
      return undefined;
    }
    this.#uploads.delete(id);
    if (request.method === "DELETE") return answer(response, 204, "");
    const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)];
    const bytes = numbers.map(([, number]) => parts.get(Number(number)) ?? Buffer.alloc(0));
    this.#objects.set(key, { bytes: Buffer.concat(bytes), at: new Date() });
    return answer(
      response,
      200,
      `<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`,
    );
  }
}

interface PartRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Buffer;
  readonly key: string;
  readonly query: URLSearchParams;
}

export async function startS3Double(): Promise<S3Double> {
  const double = new S3Double();
  await double.listen();
  return double;
}

function keyOf(request: IncomingMessage): string {
  const { pathname } = new URL(request.url ?? "/", "http://double");
  return decodeURIComponent(pathname.split("/").slice(2).join("/"));
}

/** Requests with a body have to prove that it arrived as it was sent, in both ways that stores check. */
function problemOf(
  { headers }: IncomingMessage,
  body: Buffer,
  accessKeyId: string | null,
): readonly [status: number, code: string] | null {
  const { authorization = "", "content-md5": md5, "x-amz-content-sha256": sha256 } = headers;
  if (!authorization.includes(`Credential=${accessKeyId ?? ""}`))
    return [403, "InvalidAccessKeyId"];
  const sumOf = (name: string) => createHash(name).update(body);
  if (sha256 !== sumOf("sha256").digest("hex")) return [400, "XAmzContentSHA256Mismatch"];
  const needsMd5 = body.length > 0 && !body.includes("<CompleteMultipartUpload");
  if (needsMd5 && md5 !== sumOf("md5").digest("base64")) return [400, "BadDigest"];
  return null;
}

const etagOf = (bytes: Buffer): string => `"${createHash("md5").update(bytes).digest("hex")}"`;

function answer(response: ServerResponse, status: number, xml: string): void {
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(xml === "" ? undefined : `<?xml version="1.0" encoding="UTF-8"?>${xml}`);
}
