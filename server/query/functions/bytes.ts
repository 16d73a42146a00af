/** Functions over ids, keys and bytes. SQLite hands NULL over as null. */
import { invocationIdToString } from "../../../sdk/protocol/ids.ts";
import { workflowInvocationId } from "../../base/ids.ts";
import type { SqlArgument } from "./sql-argument.ts";

const PARTITION_KEY_BYTES = 8;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `inv_1…` of the two parts of an id. */
export function invocationIdText(partitionKey: SqlArgument, uuid: SqlArgument): string | null {
  if (!(partitionKey instanceof Uint8Array) || !(uuid instanceof Uint8Array)) return null;
  const id = new Uint8Array(partitionKey.length + uuid.length);
  id.set(partitionKey);
  id.set(uuid, partitionKey.length);
  return invocationIdToString(id);
}

/** A partition key as the decimal number that its part of the id's text writes. */
export function partitionNumber(partitionKey: SqlArgument): string | null {
  if (!(partitionKey instanceof Uint8Array)) return null;
  const { buffer, byteOffset, byteLength } = partitionKey;
  return new DataView(buffer, byteOffset, byteLength).getBigUint64(0, true).toString();
}

/** The partition that all invocations of an instance are in. */
export function partitionOf(service: SqlArgument, key: SqlArgument): string | null {
  if (typeof service !== "string" || typeof key !== "string") return null;
  return partitionNumber(workflowInvocationId(service, key).subarray(0, PARTITION_KEY_BYTES));
}

/** Null for bytes that are no text. */
export function utf8Text(bytes: SqlArgument): string | null {
  if (!(bytes instanceof Uint8Array)) return null;
  try {
    return UTF8.decode(bytes);
  } catch {
    return null;
  }
}
