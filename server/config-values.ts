/** The values of settings: from the text of a flag or a variable to what it means. What is no value throws with what is expected. */
import { InvalidArgumentError } from "commander";
import { parseDurationMs } from "./base/duration.ts";

export interface Address {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export const MIB = 1024 * 1024;
const SIZE_UNITS: Readonly<Record<string, number>> = { b: 1, k: 1024, m: MIB, g: 1024 * MIB };

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** `HOST:PORT`, `[V6]:PORT` or `PORT` alone for loopback. */
export function parseAddress(text: string): Address {
  const match = /^(?:(?<host>\[[0-9a-fA-F:]+\]|[^:\s]+):)?(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.["port"] ?? "-1");
  if (match === null || port < 0 || port > 65_535) {
    throw new InvalidArgumentError("expected HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080");
  }
  const host = (match.groups?.["host"] ?? "127.0.0.1").replace(/^\[|\]$/g, "");
  return { host, port };
}

/** A size such as `33554432`, `32MiB` or `64kb` (1 kb is 1024 bytes), in bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+)\s*(b|kb|kib|mb|mib|gb|gib)?$/i.exec(text.trim());
  const unit = SIZE_UNITS[(match?.[2] ?? "b").charAt(0).toLowerCase()];
  const bytes = Number(match?.[1] ?? "0") * (unit ?? 0);
  if (bytes < 1 || !Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError("expected a size of at least one byte, such as 32MiB");
  }
  return bytes;
}

export function parseDuration(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) {
    throw new InvalidArgumentError("expected a duration, such as 60s, 10m or PT1M");
  }
  return ms;
}

/** For what a single timer waits for: node fires at once where one is longer. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

export function parseTimeout(text: string): number {
  const ms = parseDuration(text);
  if (ms > TIMEOUT_MS_MAX) throw new InvalidArgumentError("expected a duration of at most 24d");
  return ms;
}

/** For what happens again and again. */
export function parseInterval(text: string): number {
  const ms = parseTimeout(text);
  if (ms < 1) throw new InvalidArgumentError("expected a duration of at least 1ms");
  return ms;
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 1_000_000) {
    throw new InvalidArgumentError("expected a whole number from 1 to 1000000");
  }
  return count;
}

export function parseAttempts(text: string): number {
  return text === "unlimited" ? Number.POSITIVE_INFINITY : parseCount(text);
}

export function parseFactor(text: string): number {
  const factor = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || factor < 1 || factor > 1000) {
    throw new InvalidArgumentError("expected a number from 1 to 1000");
  }
  return factor;
}

export function parseToken(text: string): string {
  if (!/^[\x21-\x7e]{8,}$/.test(text)) {
    throw new InvalidArgumentError("expected at least 8 visible ASCII characters");
  }
  return text;
}

export function parseProtocolVersion(text: string): 5 | 6 | 7 {
  const version = Number(text);
  if (version === 5 || version === 6 || version === 7) return version;
  throw new InvalidArgumentError("expected 5, 6 or 7");
}

/** Names of headers, separated by commas. */
export function parseHeaderNames(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim().toLowerCase());
  if (names.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name))) return names;
  throw new InvalidArgumentError("expected names of headers, separated by commas");
}

/** `name=value` pairs, separated by commas, as OpenTelemetry writes them; values may be percent-encoded. */
export function parseHeaders(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(",").map((pair) => /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair));
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value] = pair ?? [];
      if (name === undefined || value === undefined) {
        throw new InvalidArgumentError("expected name=value pairs, separated by commas");
      }
      return [name.toLowerCase(), decoded(value)];
    }),
  );
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

export function parseHttpUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError("expected an http or https URL");
}
