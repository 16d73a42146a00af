/**
 * A bucket of S3-compatible storage. Failures are tried again by whoever knows whether they may be, never in here, but for the parts of
 * an upload.
 */
import fs from "node:fs/promises";
import { Readable } from "node:stream";
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import type { Bucket, ObjectInfo } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";
import { checksumOf } from "./s3-checksum.ts";
import { s3Failure, statusOf } from "./s3-failure.ts";
import { PART_BYTES, uploadInParts } from "./s3-upload.ts";

export interface S3Options {
  readonly bucket: string;
  /** "" or `…/`. */
  readonly prefix: string;
  /** Null: AWS. */
  readonly endpoint: string | null;
  /** Null: as the SDK finds it, or else us-east-1, which most other stores take. */
  readonly region: string | null;
  readonly pathStyle: boolean;
  /** Without a byte in either direction, a request has failed. */
  readonly silenceMsMax?: number;
}

/** Larger files go in parts. */
const WHOLE_BYTES_MAX = 2 * PART_BYTES;
/** S3 takes no more in one request. */
const DELETED_AT_ONCE = 1000;
const CONNECT_TIMEOUT_MS = 5000;
const SILENCE_MS_MAX = 30_000;
const DEFAULT_REGION = "us-east-1";

/** Nothing is asked of it yet. */
export async function openS3Bucket(options: S3Options): Promise<Bucket> {
  // It warns about the version of Node on stderr, where our log is.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const { endpoint, pathStyle, silenceMsMax = SILENCE_MS_MAX } = options;
  const config: S3ClientConfig = {
    region: options.region ?? (await regionOfSurroundings()),
    forcePathStyle: pathStyle,
    maxAttempts: 1,
    // Others than AWS answer 411 to bodies with a trailer, and neither check nor return these sums.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // It would cost every large body a connection of its own, and six seconds where the store does not know it.
    expectContinueHeader: false,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: silenceMsMax },
  };
  if (endpoint !== null) config.endpoint = endpoint;
  return new S3Bucket(new S3Client(config), options);
}

/** From the environment or a profile. */
async function regionOfSurroundings(): Promise<string> {
  const client = new S3Client({});
  try {
    return await client.config.region();
  } catch {
    return process.env["AWS_DEFAULT_REGION"] ?? DEFAULT_REGION;
  } finally {
    client.destroy();
  }
}

class S3Bucket implements Bucket {
  readonly url: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  #closed = false;

  constructor(client: S3Client, { bucket, prefix }: S3Options) {
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.url = `s3://${bucket}/${prefix}`;
    addContentMd5(client);
  }

  async get(key: string): Promise<Uint8Array | null> {
    const object = await this.#object(key);
    if (object === null) return null;
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#chunks(object.Body, key)) chunks.push(chunk);
    return new Uint8Array(Buffer.concat(chunks));
  }

  async read(key: string): Promise<AsyncIterable<Uint8Array> | null> {
    const object = await this.#object(key);
    return object === null ? null : this.#chunks(object.Body, key);
  }

  async putNew(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    return await this.#told(`PUT ${key}, if there is none,`, async () => {
      try {
        await this.#put(key, bytes, { IfNoneMatch: "*" });
        return "created";
      } catch (error) {
        if (statusOf(error) === 412) return "exists";
        throw error;
      }
    });
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#told(`PUT ${key}`, () => this.#put(key, bytes, {}));
  }

  async putFile(
    key: string,
    file: string,
    onProgress: (bytes: number) => void = () => {},
  ): Promise<void> {
    const { size } = await fs.stat(file);
    if (size <= WHOLE_BYTES_MAX) {
      await this.put(key, await fs.readFile(file));
      return onProgress(size);
    }
    await uploadInParts({
      client: this.#client,
      object: this.#named(key),
      file,
      size,
      onProgress,
      told: (run) => this.#told(`PUT ${key} in parts`, run),
    });
  }

  async *list(prefix: string, after?: string): AsyncGenerator<ObjectInfo> {
    const request: ListObjectsV2CommandInput = {
      Bucket: this.#bucket,
      Prefix: this.#prefix + prefix,
    };
    if (after !== undefined && after !== "") request.StartAfter = this.#prefix + after;
    let last = "";
    for (;;) {
      const page = await this.#told(`a list of ${prefix}`, () =>
        this.#client.send(new ListObjectsV2Command(request)),
      );
      for (const { Key: found = "", Size: size = 0, LastModified: modified } of page.Contents ??
        []) {
        const key = found.slice(this.#prefix.length);
        this.#checkOrder(last, key);
        last = key;
        yield { key, size, modifiedAtMs: modified?.getTime() ?? 0 };
      }
      if (page.IsTruncated !== true || page.NextContinuationToken === undefined) return;
      request.ContinuationToken = page.NextContinuationToken;
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += DELETED_AT_ONCE) {
      const some = keys.slice(from, from + DELETED_AT_ONCE);
      await this.#told(`DELETE ${some[0]}`, () => this.#deleteSome(some));
    }
  }

  close(): void {
    this.#closed = true;
    this.#client.destroy();
  }

  #named(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  async #object(key: string): Promise<GetObjectCommandOutput | null> {
    return await this.#told(`GET ${key}`, async () => {
      try {
        return await this.#client.send(new GetObjectCommand(this.#named(key)));
      } catch (error) {
        // Any other 404 is that of a bucket, or of something that is no store.
        if (error instanceof Error && error.name === "NoSuchKey") return null;
        throw error;
      }
    });
  }

  /** A body that ends too early is an error of the connection. */
  async *#chunks(body: GetObjectCommandOutput["Body"], key: string): AsyncGenerator<Uint8Array> {
    // In Node it is a stream of Node, whatever else its type allows.
    if (!(body instanceof Readable)) return;
    const stream: AsyncIterable<Uint8Array> = body;
    try {
      for await (const chunk of stream) yield chunk;
    } catch (error) {
      throw await this.#failure(`GET ${key}`, error);
    }
  }

  async #put(
    key: string,
    bytes: Uint8Array,
    condition: { readonly IfNoneMatch?: "*" },
  ): Promise<void> {
    const body = { Body: bytes, ContentLength: bytes.length, ...checksumOf(bytes) };
    await this.#client.send(new PutObjectCommand({ ...this.#named(key), ...body, ...condition }));
  }

  async #deleteSome(keys: readonly string[]): Promise<void> {
    const objects = keys.map((key) => ({ Key: this.#prefix + key }));
    const request = { Bucket: this.#bucket, Delete: { Objects: objects, Quiet: true } };
    const { Errors: errors = [] } = await this.#client.send(new DeleteObjectsCommand(request));
    const failed = errors.find(({ Code: code }) => code !== "NoSuchKey");
    if (failed === undefined) return;
    const { Code: name = "", Message: message = "" } = failed;
    // Each key has an answer of its own, of which only the code is given.
    throw Object.assign(new Error(message), { name, $metadata: { httpStatusCode: 500 } });
  }

  /** Directory buckets of S3 list in no order. */
  #checkOrder(last: string, key: string): void {
    if (last < key || Buffer.compare(Buffer.from(last), Buffer.from(key)) < 0) return;
    throw new BucketError(
      "unsupported",
      `${this.url} lists its keys out of order: use a bucket that lists them in order, such as a general purpose bucket of S3`,
    );
  }

  async #told<T>(what: string, run: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new BucketError("unavailable", `${this.url} is closed`);
    try {
      return await run();
    } catch (error) {
      throw await this.#failure(what, error);
    }
  }

  async #failure(what: string, error: unknown): Promise<BucketError> {
    const wasAnswered = statusOf(error) !== undefined;
    // They were needed for the request, so they are at hand; without an answer there is nobody to repeat them.
    const keys = wasAnswered ? await this.#client.config.credentials().catch(() => null) : null;
    const { accessKeyId = "", secretAccessKey = "", sessionToken = "" } = keys ?? {};
    return s3Failure(error, `${this.url}: ${what}`, [sessionToken, secretAccessKey, accessKeyId]);
  }
}

/** Some stores take a list of keys to delete only with this sum, which the SDK has replaced by another. */
function addContentMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const { request } = args;
      if (context["commandName"] === "DeleteObjectsCommand" && hasText(request)) {
        const { ContentMD5: sum } = checksumOf(Buffer.from(request.body));
        if (sum !== undefined) request.headers["content-md5"] = sum;
      }
      return await next(args);
    },
    { step: "build", name: "holdfastContentMd5" },
  );
}

function hasText(
  request: unknown,
): request is { readonly headers: Record<string, string>; readonly body: string } {
  if (typeof request !== "object" || request === null) return false;
  return "headers" in request && "body" in request && typeof request.body === "string";
}
