/** What the formats of `docs/spec/replica.md` have in common, and how what is read is checked. */
import { DamageError } from "./damage-error.ts";

/** SHA-256. */
export const HASH_BYTES = 32;
/** Of a replica, and of a data directory. */
export const ID_BYTES = 16;
/** The last moment that a date can name: what is read is shown as a date. */
export const TIME_MS_MAX = 8_640_000_000_000_000;

/** The first eight bytes: seven say what it is, the last in which version. */
export interface Magic {
  readonly what: string;
  /** Seven characters. */
  readonly name: string;
  readonly version: number;
}

export function writeMagic(bytes: Buffer, { name, version }: Magic): void {
  bytes.write(name, 0, "latin1");
  bytes.writeUInt8(version, name.length);
}

/** Before anything else: another version may have other fields, and another checksum. */
export function checkMagic(bytes: Buffer, { what, name, version }: Magic): void {
  demand(bytes.toString("latin1", 0, name.length) === name, `this is no ${what}`);
  const found = bytes.readUInt8(name.length);
  demand(found > 0, `this is no ${what}`);
  if (found <= version) return;
  throw new DamageError(
    `the ${what} was written by a newer Holdfast (format ${found}): use that version or a later one`,
  );
}

export function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new DamageError(message);
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

/** A number that can be counted with. */
export function safe(value: bigint): number {
  demand(value <= BigInt(Number.MAX_SAFE_INTEGER), "a number is out of range");
  return Number(value);
}

export function time(value: bigint): number {
  demand(value <= BigInt(TIME_MS_MAX), "a time is out of range");
  return Number(value);
}
