/** Asks an endpoint what it offers. */
import type { Deployment } from "../machine/registry.ts";
import { AdminError } from "./admin-error.ts";
import type { LambdaAccess } from "./register-request.ts";

/** What an endpoint is asked for, and with what. */
export interface DiscoveryRequest {
  readonly uri: string;
  readonly useHttp11: boolean;
  readonly additionalHeaders: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Given where `uri` is an ARN. */
  readonly lambda: LambdaAccess | null;
}

/** A deployment that has no identity and no history yet. */
export type Discovered = Omit<Deployment, "id" | "createdAtMs" | "drainingSinceMs">;

/** Rejects with an error whose `code` is of the form `META0003` when the endpoint is at fault. */
export type Discover = (request: DiscoveryRequest) => Promise<Discovered>;

/** Why a deployment may not have this address; null when it may. */
export type TargetProblem = (url: URL) => string | null;

export class Discovery {
  readonly #discover: Discover;
  readonly #targetProblem: TargetProblem;

  constructor(discover: Discover, targetProblem: TargetProblem) {
    this.#discover = discover;
    this.#targetProblem = targetProblem;
  }

  async ask(request: DiscoveryRequest): Promise<Discovered> {
    const problem = request.lambda === null ? this.#targetProblem(new URL(request.uri)) : null;
    if (problem !== null) throw new AdminError(400, problem);
    try {
      return await this.#discover(request);
    } catch (error) {
      throw failure(error);
    }
  }
}

function failure(error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const { code } = error;
  if (typeof code !== "string" || !/^META\d{4}$/.test(code)) return error;
  return new AdminError(500, error.message, code);
}
