/** Tells of what a handler does outside a step and would do differently in another attempt. */
import type { DeterminismGuard } from "../define/options.ts";
import type { Host } from "./host.ts";
import { type Api, insideHandler, outsideHandler, type Watcher } from "./handler-scope.ts";
import { watchApis } from "./watched-apis.ts";

/** What becomes of what the guard finds in an attempt. */
export interface GuardReports {
  /** For the log. */
  readonly warn: (message: string) => void;
  readonly failAttempt: (error: Error) => void;
}

/** Of one handler, for all its attempts. */
export class HandlerGuard {
  readonly #mode: "warn" | "error";
  /** `service/handler` */
  readonly #name: string;
  readonly #reported = new Set<string>();

  private constructor(mode: "warn" | "error", name: string) {
    this.#mode = mode;
    this.#name = name;
  }

  /** Undefined when the guard is off, or cannot be had in this runtime. */
  static of(mode: DeterminismGuard | undefined, name: string): HandlerGuard | undefined {
    const effective = mode ?? (isProduction() ? "off" : "warn");
    if (effective === "off" || !watchApis()) return undefined;
    return new HandlerGuard(effective, name);
  }

  /** Runs the handler in an attempt. Nothing that it calls is kept from doing what it does. */
  watch<R>(run: () => R, reports: GuardReports): R {
    const watcher: Watcher = {
      onUse: (api, callee) => {
        const message = this.#finding(api, callee);
        if (message !== undefined) outsideHandler(() => this.#tell(message, reports));
      },
    };
    return insideHandler(watcher, run);
  }

  /** Undefined when there is nothing to say, or it was said before. */
  #finding({ name, remedy, isClock = false }: Api, callee: unknown): string | undefined {
    if (this.#reported.has(name)) return undefined;
    const place = callerOf(callee);
    if (isClock && IN_A_LIBRARY.test(place ?? "")) return undefined;
    if (this.#mode === "warn") this.#reported.add(name);
    const where = place === undefined ? "" : ` ${place}`;
    return `${name} in the handler ${this.#name} gives something else in every attempt: use ${remedy}, or call it in ctx.run(…)${where}`;
  }

  #tell(message: string, { warn, failAttempt }: GuardReports): void {
    if (this.#mode === "warn") warn(message);
    else failAttempt(new Error(message));
  }
}

/** The host of an attempt under guard: what the SDK does for a handler is not done by the handler. */
export function unwatched(host: Host): Host {
  return {
    nowMs: () => outsideHandler(() => host.nowMs()),
    afterMicrotasks: (job) => outsideHandler(() => host.afterMicrotasks(job)),
  };
}

const IN_A_LIBRARY = /[/\\]node_modules[/\\]|\bnode:/;

/** `at place (file:line:column)`, where the engine tells. */
function callerOf(callee: unknown): string | undefined {
  if (typeof Error.captureStackTrace !== "function" || typeof callee !== "function")
    return undefined;
  const holder: { stack?: unknown } = {};
  const limit = Error.stackTraceLimit;
  try {
    Error.stackTraceLimit = 1;
    Error.captureStackTrace(holder, callee);
    const { stack } = holder;
    return typeof stack === "string" ? /^\s*(at .+)$/m.exec(stack)?.[1] : undefined;
  } catch {
    return undefined;
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** Also where nobody can tell. */
function isProduction(): boolean {
  try {
    return process.env["NODE_ENV"] === "production";
  } catch {
    return true;
  }
}
