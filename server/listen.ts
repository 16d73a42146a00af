/** The two listeners of the server: both listen, or none does. */
import { type Log, silentLog } from "./base/log.ts";
import { ConfigError } from "./config-error.ts";
import type { Address } from "./config-values.ts";
import { Listener, type ListenerOptions } from "./http/listener.ts";
import { readTls, type TlsFiles, watchTls } from "./tls-files.ts";

/** Both or none: a listener that cannot listen closes the one that does. */
export async function listenAfter(
  first: Listener,
  options: ListenerOptions,
  secured: Secured,
): Promise<Listener> {
  try {
    return await listen(options, secured);
  } catch (error) {
    await first.drain(0);
    throw error;
  }
}

/** Over TLS where there are files for it; a change of them renews the certificate for as long as the process lives. */
export async function listen(
  options: ListenerOptions,
  { tls, log }: Secured = UNSECURED,
): Promise<Listener> {
  const material = tls === null ? null : readTls(tls);
  const listener = await Listener.listen({ ...options, tls: material }).catch((error: unknown) => {
    throw new ConfigError(addressProblem(options, error));
  });
  if (tls !== null) watchTls(tls, (renewed) => listener.renew(renewed), log);
  return listener;
}

export interface Secured {
  /** Null: no TLS. */
  readonly tls: TlsFiles | null;
  readonly log: Log;
}

const UNSECURED: Secured = { tls: null, log: silentLog };

function addressProblem(
  { host, port, source }: Address & { source: string },
  error: unknown,
): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  const address = `${host}:${port}`;
  const what = `the ${source} cannot listen on ${address}`;
  if (code === "EADDRINUSE")
    return `${what}: the address is in use (${code}); choose another with --${source}`;
  if (code === "EACCES")
    return `${what}: not permitted (${code}); ports below 1024 need privileges`;
  return `${what}: ${error instanceof Error ? error.message : String(error)}`;
}
