/** The admin listener of a server that may stand by: one socket for as long as the process lives. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { HealthDetail } from "./admin/server-routes.ts";
import type { Log } from "./base/log.ts";
import type { Config } from "./config.ts";
import { sendJson } from "./http/answer.ts";
import type { Listener } from "./http/listener.ts";
import { type Problem, sendProblem } from "./http/problem.ts";
import { listen } from "./listen.ts";

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

const STANDING_BY: Problem = {
  status: 503,
  reason: "standing-by",
  message: "this server stands by and takes over when the writer is gone: ask the writer",
};

const HEALTH = /^(?:\/v[234])?\/health(?:\?|$)/;

export class StandbyAdmin {
  readonly #listener: Listener;
  readonly #open: { handle: Handle };

  private constructor(listener: Listener, open: { handle: Handle }) {
    this.#listener = listener;
    this.#open = open;
  }

  /** Throws `ConfigError` where it cannot listen, or where the ingress could not later. */
  static async open(
    { ingress, admin, tls }: Pick<Config, "ingress" | "admin" | "tls">,
    log: Log,
    onError: (error: unknown) => void,
  ): Promise<StandbyAdmin> {
    const rehearsal = await listen({ ...ingress, source: "ingress", handle: () => {}, onError });
    await rehearsal.drain(0);
    const open = { handle: standingBy(() => ({ status: "ok", role: "standby" })) };
    const handle: Handle = (request, response) => open.handle(request, response);
    const listener = await listen({ ...admin, source: "admin", handle, onError }, { tls, log });
    return new StandbyAdmin(listener, open);
  }

  /** Only `/health` is answered, for everybody; all else is refused. */
  show(health: () => HealthDetail): void {
    this.#open.handle = standingBy(health);
  }

  async close(): Promise<void> {
    await this.#listener.drain(0);
  }

  /** From here on the server itself answers. */
  become(handle: Handle): Listener {
    this.#open.handle = handle;
    return this.#listener;
  }
}

function standingBy(health: () => HealthDetail): Handle {
  return ({ method, url = "" }, response) => {
    const isHealth = HEALTH.test(url) && (method === "GET" || method === "HEAD");
    if (isHealth) sendJson(response, 200, JSON.stringify(health()));
    else sendProblem(response, STANDING_BY, "admin");
  };
}
