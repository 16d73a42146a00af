/** The two listeners of the server: both listen, or none does. */
import { ConfigError } from "./config-error.ts";
import type { Address } from "./config-values.ts";
import { Listener, type ListenerOptions } from "./http/listener.ts";

/** Both or none: a listener that cannot listen closes the one that does. */
export async function listenAfter(first: Listener, options: ListenerOptions): Promise<Listener> {
  try {
    return await listen(options);
  } catch (error) {
    await first.drain(0);
    throw error;
  }
}

export async function listen(options: ListenerOptions): Promise<Listener> {
  try {
    return await Listener.listen(options);
  } catch (error) {
    throw new ConfigError(addressProblem(options, error));
  }
}

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
