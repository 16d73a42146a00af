/** Who may use the admin API: whoever has the token, or, where there is none, programs on this machine. */
import { secretMatcher } from "../base/secret.ts";
import { AdminError } from "./admin-error.ts";

/** Throws when the request may not pass. */
export type Guard = (request: Request) => void;

export function guardOf(token: string | null): Guard {
  return token === null ? requireLocalName : tokenGuard(token);
}

function tokenGuard(token: string): Guard {
  const matches = secretMatcher(token);
  return (request) => {
    const [scheme = "", given = ""] = (request.headers.get("authorization") ?? "").split(" ", 2);
    if (scheme.toLowerCase() === "bearer" && matches(given)) return;
    const message = "this needs the admin token: send the header authorization: Bearer {token}";
    throw new AdminError(401, message, null, { "www-authenticate": "Bearer" });
  };
}

/**
 * Without a token the listener is bound to loopback, but a web page can still reach it under a name of its own that it lets
 * resolve to 127.0.0.1 (DNS rebinding). Such a request carries that name; local programs use an address or `localhost`.
 */
function requireLocalName(request: Request): void {
  const { hostname } = new URL(request.url);
  const isAddress = hostname.startsWith("[") || /^\d{1,3}(\.\d{1,3}){3}$/.test(hostname);
  if (isAddress || hostname === "localhost" || hostname.endsWith(".localhost")) return;
  const message = `without an admin token, requests to the name '${hostname}' are refused: use localhost, or set a token`;
  throw new AdminError(403, message);
}
