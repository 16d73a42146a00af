/** A bucket of S3-compatible storage. Failures are tried again by whoever knows whether they may be: never in here. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import fs from "node:fs/promises";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { Bucket, ObjectInfo } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";
import { s3Failure, statusOf } from "./s3-failure.ts";

export interface S3Options {
  readonly bucket: string;
  /** "" or `…/`. */
  readonly prefix: string;
  /** Null: AWS. */
  readonly endpoint: string | null;
  /** Null: as the SDK finds it, or else us-east-1, which most other stores take. */
  readonly region: string | null;
  readonly pathStyle: boolean;
}

const PART_BYTES = 8 * 1024 * 1024;
/** Larger files go in parts. */
const WHOLE_BYTES_MAX = 2 * PART_BYTES;
const PARTS_AT_ONCE = 4;
const DELETED_AT_ONCE = 1000;
const CONNECT_TIMEOUT_MS = 5000;
/** Without a byte in either direction. */
const SILENCE_MS_MAX = 30_000;

export async function openS3Bucket(options: S3Options): Promise<Bucket> {
  // It warns about the version of Node on stderr, where our log is.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const region = options.region ?? process.env["AWS_REGION"] ?? process.env["AWS_DEFAULT_REGION"];
  const config: S3ClientConfig = {
    forcePathStyle: options.pathStyle,
    maxAttempts: 1,
    // Others than AWS answer 411 to bodies with a trailer, and neither check nor return these sums: ours are MD5s of S3, and hashes.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: SILENCE_MS_MAX,
      socketTimeout: SILENCE_MS_MAX,
    },
  };
  if (options.endpoint !== null) config.endpoint = options.endpoint;
  if (region !== undefined) config.region = region;
  else if (options.endpoint !== null) config.region = "us-east-1";
  return new S3Bucket(new S3Client(config), options);
}

class S3Bucket implements Bucket {
  readonly url: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(client: S3Client, { bucket, prefix }: S3Options) {
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.url = `s3://${bucket}/${prefix}`;
  }

  async get(key: string): Promise<Uint8Array | null> {
    const body = await this.#body(key);
    if (body === null) return null;
    return await this.#told(() => body.transformToByteArray());
  }

  async read(key: string): Promise<AsyncIterable<Uint8Array> | null> {
    const body = await this.#body(key);
    return body === null ? null : this.#chunks(body.transformToWebStream());
  }

  async putNew(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    try {
      await this.#put(key, bytes, { IfNoneMatch: "*" });
      return "created";
    } catch (error) {
      if (statusOf(error) === 412) return "exists";
      throw s3Failure(error, this.url);
    }
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#told(() => this.#put(key, bytes, {}));
  }

  async putFile(key: string, file: string, onProgress?: (bytes: number) => void): Promise<void> {
    const { size } = await fs.stat(file);
    if (size <= WHOLE_BYTES_MAX) {
      await this.put(key, new Uint8Array(await fs.readFile(file)));
      onProgress?.(size);
    } else {
      await this.#told(() => this.#putParts(key, file, size, onProgress ?? (() => {})));
    }
  }

  async *list(prefix: string, after?: string): AsyncGenerator<ObjectInfo> {
    let token: string | undefined;
    do {
      const page = await this.#told(() =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#prefix + prefix,
            ...(after === undefined ? {} : { StartAfter: this.#prefix + after }),
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
        ),
      );
      for (const { Key: key = "", Size: size = 0, LastModified: modified } of page.Contents ?? []) {
        const modifiedAtMs = modified?.getTime() ?? 0;
        yield { key: key.slice(this.#prefix.length), size, modifiedAtMs };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += DELETED_AT_ONCE) {
      const objects = keys.slice(from, from + DELETED_AT_ONCE).map((key) => ({
        Key: this.#prefix + key,
      }));
      const { Errors: errors = [] } = await this.#told(() =>
        this.#client.send(
          new DeleteObjectsCommand({
            Bucket: this.#bucket,
            Delete: { Objects: objects, Quiet: true },
          }),
        ),
      );
      const [first] = errors;
      if (first === undefined) continue;
      const kind = first.Code === "AccessDenied" ? "denied" : "unavailable";
      throw new BucketError(kind, `${this.url} did not delete ${first.Key}: ${first.Code}`);
    }
  }

  close(): void {
    this.#client.destroy();
  }

  async #body(key: string) {
    try {
      const request = { Bucket: this.#bucket, Key: this.#prefix + key };
      const { Body: body } = await this.#client.send(new GetObjectCommand(request));
      if (body === undefined) throw new BucketError("unavailable", `${this.url}${key} came empty`);
      return body;
    } catch (error) {
      if (error instanceof Error && error.name === "NoSuchKey") return null;
      throw s3Failure(error, this.url);
    }
  }

  async *#chunks(stream: ReadableStream): AsyncGenerator<Uint8Array> {
    const reader: ReadableStreamDefaultReader<Uint8Array> = stream.getReader();
    try {
      for (;;) {
        const { done, value } = await this.#told(() => reader.read());
        if (done || value === undefined) return;
        yield value;
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
  }

  #put(key: string, bytes: Uint8Array, condition: { readonly IfNoneMatch?: "*" }) {
    return this.#client.send(
      new PutObjectCommand({
        Bucket: this.#bucket,
        Key: this.#prefix + key,
        Body: bytes,
        ContentLength: bytes.length,
        ContentMD5: md5(bytes),
        ...condition,
      }),
    );
  }

  async #putParts(
    key: string,
    file: string,
    size: number,
    onProgress: (bytes: number) => void,
  ): Promise<void> {
    const object = { Bucket: this.#bucket, Key: this.#prefix + key };
    const { UploadId } = await this.#client.send(new CreateMultipartUploadCommand(object));
    if (UploadId === undefined) throw new BucketError("unavailable", `${this.url} began no upload`);
    const upload = { ...object, UploadId };
    try {
      const count = Math.ceil(size / PART_BYTES);
      const etags: (string | undefined)[] = Array.from({ length: count });
      let next = 0;
      let sent = 0;
      const lane = async (): Promise<void> => {
        for (let index = next++; index < count; index = next++) {
          const bytes = await readPart(
            file,
            index * PART_BYTES,
            Math.min(size, (index + 1) * PART_BYTES),
          );
          const part = { Body: bytes, ContentLength: bytes.length, ContentMD5: md5(bytes) };
          const { ETag } = await this.#client.send(
            new UploadPartCommand({ ...upload, ...part, PartNumber: index + 1 }),
          );
          etags[index] = ETag;
          sent += bytes.length;
          onProgress(sent);
        }
      };
      await Promise.all(Array.from({ length: PARTS_AT_ONCE }, lane));
      const parts = etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
      await this.#client.send(
        new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: parts } }),
      );
    } catch (error) {
      await this.#client.send(new AbortMultipartUploadCommand(upload)).catch(() => {});
      throw error;
    }
  }

  async #told<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw s3Failure(error, this.url);
    }
  }
}

async function readPart(file: string, from: number, to: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  const stream: AsyncIterable<Buffer> = createReadStream(file, { start: from, end: to - 1 });
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("base64");
