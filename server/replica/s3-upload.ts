/** A file as an object in parts, several under way at once; of an upload that fails nothing is left, if the store can still be told. */
import fs, { type FileHandle } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { BucketError } from "./bucket-error.ts";
import { checksumOf } from "./s3-checksum.ts";

const MIB = 1024 * 1024;
export const PART_BYTES = 8 * MIB;
/** S3 takes no more. */
const PARTS_MAX = 10_000;
const PARTS_AT_ONCE = 4;
/** A part that fails costs the whole upload otherwise. */
const ATTEMPTS_MAX = 4;
const RETRY_MS = 250;

export interface Upload {
  readonly client: S3Client;
  readonly object: { readonly Bucket: string; readonly Key: string };
  readonly file: string;
  /** Bytes of the file. */
  readonly size: number;
  /** Told the bytes sent so far. */
  readonly onProgress: (bytes: number) => void;
  /** Throws `BucketError`. */
  readonly told: <T>(run: () => Promise<T>) => Promise<T>;
}

/** Throws `BucketError`. */
export async function uploadInParts(upload: Upload): Promise<void> {
  const { client, object, file, told } = upload;
  const { UploadId } = await told(() => client.send(new CreateMultipartUploadCommand(object)));
  if (UploadId === undefined) throw new BucketError("refused", "an upload began without a name");
  const target = { ...object, UploadId };
  const handle = await fs.open(file);
  try {
    const parts = await sendParts(upload, handle, UploadId);
    const complete = { ...target, MultipartUpload: { Parts: parts } };
    await told(() => client.send(new CompleteMultipartUploadCommand(complete)));
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand(target)).catch(() => {});
    throw error;
  } finally {
    await handle.close();
  }
}

interface Part {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
}

/** Settles when no part is under way any more, so that none arrives behind an end of the upload. */
async function sendParts(upload: Upload, handle: FileHandle, id: string): Promise<Part[]> {
  const { size, onProgress } = upload;
  const partBytes = partBytesFor(size);
  const parts: Part[] = [];
  const failures: unknown[] = [];
  let next = 0;
  let sent = 0;
  const lane = async (): Promise<void> => {
    while (next * partBytes < size && failures.length === 0) {
      const index = next++;
      const bytes = new Uint8Array(Math.min(partBytes, size - index * partBytes));
      await fill(handle, bytes, index * partBytes);
      parts[index] = await sendPart(upload, id, index + 1, bytes, () => failures.length > 0);
      sent += bytes.length;
      onProgress(sent);
    }
  };
  const lanes = Array.from({ length: PARTS_AT_ONCE }, async () => {
    await lane().catch((error: unknown) => failures.push(error));
  });
  await Promise.all(lanes);
  if (failures.length > 0) throw failures[0];
  return parts;
}

async function sendPart(
  { client, object, told }: Upload,
  id: string,
  number: number,
  bytes: Uint8Array,
  isOver: () => boolean,
): Promise<Part> {
  const part = { ...object, UploadId: id, PartNumber: number };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const body = { Body: bytes, ContentLength: bytes.length, ...checksumOf(bytes) };
      const { ETag } = await told(() => client.send(new UploadPartCommand({ ...part, ...body })));
      return { PartNumber: number, ETag };
    } catch (error) {
      const passes = error instanceof BucketError && error.isTransient;
      if (!passes || attempt >= ATTEMPTS_MAX || isOver()) throw error;
    }
    await pause(RETRY_MS * 2 ** attempt);
  }
}

/** All but the last are of one size, which some stores insist on. */
export function partBytesFor(size: number): number {
  return Math.max(PART_BYTES, Math.ceil(size / PARTS_MAX / MIB) * MIB);
}

async function fill(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(
      bytes,
      filled,
      bytes.length - filled,
      position + filled,
    );
    if (bytesRead === 0) throw new BucketError("refused", "the file has become shorter meanwhile");
    filled += bytesRead;
  }
}
