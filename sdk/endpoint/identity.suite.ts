/** For tests: keys and tokens as a server makes them. */
import { type KeyObject, sign } from "node:crypto";

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** As the server prints it. */
export function keyText(key: KeyObject): string {
  const raw = key.export({ format: "der", type: "spki" }).subarray(-32);
  let number = BigInt(`0x${raw.toString("hex")}`);
  let text = "";
  for (; number > 0n; number /= 58n) text = BASE58.charAt(Number(number % 58n)) + text;
  for (const byte of raw) {
    if (byte !== 0) break;
    text = `1${text}`;
  }
  return `publickeyv1_${text}`;
}

export const encode = (value: unknown): string =>
  Buffer.from(JSON.stringify(value)).toString("base64url");

export function makeToken(
  key: KeyObject,
  claims: object,
  header: object = { typ: "JWT", alg: "EdDSA" },
): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
}

/** The headers of a request signed now for this path. */
export function signedHeaders(key: KeyObject, path: string): Record<string, string> {
  const seconds = Math.floor(Date.now() / 1000);
  const claims = { aud: path, iat: seconds, nbf: seconds - 60, exp: seconds + 60 };
  return { "x-restate-signature-scheme": "v1", "x-restate-jwt-v1": makeToken(key, claims) };
}
