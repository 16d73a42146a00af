/** The certificate of the listeners: read at the start, and again when its files change. */
import fs from "node:fs";
import { createSecureContext } from "node:tls";
import type { Log } from "./base/log.ts";
import { ConfigError } from "./config-error.ts";
import type { TlsMaterial } from "./http/listener.ts";

export interface TlsFiles {
  /** PEM: the certificate, then its chain. */
  readonly certFile: string;
  /** PEM, not encrypted. */
  readonly keyFile: string;
}

/** Files that are links, as a mounted secret is, are followed: looked at so often, in ms. */
const LOOK_MS = 5000;

/** Throws `ConfigError` where the files cannot be read, or do not belong together. */
export function readTls({ certFile, keyFile }: TlsFiles): TlsMaterial {
  const material = { cert: read("--tls-cert", certFile), key: read("--tls-key", keyFile) };
  try {
    createSecureContext(material);
    return material;
  } catch (error) {
    throw new ConfigError(
      `--tls-cert ${certFile} and --tls-key ${keyFile} cannot be used together: ${messageOf(error)}`,
    );
  }
}

function read(flag: string, file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`${flag} ${file} cannot be read: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Calls back with each new pair that can be used; one that cannot, such as half a change, is logged and looked at again. */
export function watchTls(
  files: TlsFiles,
  onRenewed: (material: TlsMaterial) => void,
  log: Log,
  lookMs = LOOK_MS,
): () => void {
  let current = readTls(files);
  const look = (): void => {
    try {
      const next = readTls(files);
      if (next.cert === current.cert && next.key === current.key) return;
      current = next;
      onRenewed(next);
      log.info("tls-renewed", { cert: files.certFile });
    } catch (error) {
      log.warn("tls-not-renewed", { why: messageOf(error) });
    }
  };
  const names = [files.certFile, files.keyFile];
  for (const name of names) fs.watchFile(name, { interval: lookMs, persistent: false }, look);
  return () => {
    for (const name of names) fs.unwatchFile(name, look);
  };
}
