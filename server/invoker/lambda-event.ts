/**
 * Requests and responses as events of a Lambda function (service protocol 4), pure. A body is base64 in JSON; above a size it is
 * compressed before, where both sides can: synchronous payloads end at 6 MB.
 */
import zlib from "node:zlib";

export interface LambdaRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface LambdaResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The function answered, but not as an endpoint does. */
export class LambdaResponseError extends Error {
  override readonly name = "LambdaResponseError";
}

/** Bodies from here on are compressed. */
const COMPRESSED_BYTES_MIN = 4 * 1024 * 1024;
/** A response of 6 MB may unfold to much more; above this it is no answer of a handler. */
const RESPONSE_BYTES_MAX = 256 * 1024 * 1024;

/** Node has it from 22.15 on; the types of Node 20 do not know it. */
interface Zstd {
  readonly zstdCompressSync: (bytes: Uint8Array) => Buffer;
  readonly zstdDecompressSync: (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer;
}

const { zstdCompressSync: compress, zstdDecompressSync: decompress }: Partial<Zstd> =
  zlib as object;
const zstd = compress === undefined || decompress === undefined ? null : { compress, decompress };

/** @param canZstd the function said in its manifest that it understands zstd */
export function encodeEvent(request: LambdaRequest, canZstd: boolean): Uint8Array {
  const headers: Record<string, string> = { ...request.headers };
  let { body } = request;
  if (canZstd && zstd !== null) {
    headers["accept-encoding"] = "zstd";
    if (body.length >= COMPRESSED_BYTES_MIN) {
      headers["content-encoding"] = "zstd";
      body = zstd.compress(body);
    }
  }
  const { path, method: httpMethod } = request;
  const encoded = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("base64");
  return Buffer.from(
    JSON.stringify({ path, httpMethod, headers, body: encoded, isBase64Encoded: true }),
  );
}

export function decodeResult(payload: Uint8Array): LambdaResponse {
  const result = parse(payload);
  const { statusCode, body, isBase64Encoded } = result;
  if (typeof statusCode !== "number" || !Number.isInteger(statusCode) || statusCode < 100) {
    throw new LambdaResponseError(
      "the function answered without a statusCode; is its handler made by createEndpointHandler?",
    );
  }
  const headers = headersOf(result["headers"]);
  const bytes = bodyOf(body, isBase64Encoded === true);
  return { status: statusCode, headers, body: decompressed(bytes, headers["content-encoding"]) };
}

function parse(payload: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    throw new LambdaResponseError("the function answered with something that is no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new LambdaResponseError("the function answered with something that is no response");
  }
  return { ...value };
}

function headersOf(value: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  if (typeof value !== "object" || value === null) return headers;
  for (const [name, text] of Object.entries(value)) {
    if (typeof text === "string") headers[name.toLowerCase()] = text;
  }
  return headers;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function bodyOf(body: unknown, isBase64: boolean): Buffer {
  if (body === null || body === undefined) return Buffer.alloc(0);
  if (typeof body !== "string" || (isBase64 && !BASE64.test(body))) {
    throw new LambdaResponseError("the function answered with a body that cannot be read");
  }
  return Buffer.from(body, isBase64 ? "base64" : "utf8");
}

function decompressed(body: Buffer, encoding: string | undefined): Buffer {
  if (encoding === undefined || encoding.toLowerCase() === "identity") return body;
  if (encoding.toLowerCase() !== "zstd" || zstd === null) {
    throw new LambdaResponseError(`the function answered with content-encoding ${encoding}`);
  }
  try {
    return zstd.decompress(body, { maxOutputLength: RESPONSE_BYTES_MAX });
  } catch {
    throw new LambdaResponseError("the function answered with a body that is not zstd");
  }
}
