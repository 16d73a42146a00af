/** Logging: what the SDK and `ctx.console` say, and to whom. */
import type { Any } from "./any.ts";
import type { Request } from "./context.ts";

export const RestateLogLevel = {
  TRACE: "trace",
  DEBUG: "debug",
  INFO: "info",
  WARN: "warn",
  ERROR: "error",
} as const;
export type RestateLogLevel = (typeof RestateLogLevel)[keyof typeof RestateLogLevel];

/** Who speaks: the SDK about itself, or a handler through `ctx.console`. */
export const LogSource = { SYSTEM: "SYSTEM", USER: "USER" } as const;
export type LogSource = (typeof LogSource)[keyof typeof LogSource];

/** The invocation a line is about. */
export class LoggerContext {
  readonly invocationId: string;
  readonly serviceName: string;
  readonly handlerName: string;
  /** Of an object or a workflow. */
  readonly key?: string;
  readonly request?: Request;
  /** Shown with each line by the default logger. The SDK sets none. */
  readonly additionalContext?: Record<string, string>;

  constructor(
    invocationId: string,
    serviceName: string,
    handlerName: string,
    key?: string,
    request?: Request,
    additionalContext?: Record<string, string>,
  ) {
    this.invocationId = invocationId;
    this.serviceName = serviceName;
    this.handlerName = handlerName;
    if (key !== undefined) this.key = key;
    if (request !== undefined) this.request = request;
    if (additionalContext !== undefined) this.additionalContext = additionalContext;
  }

  /** `service/handler`, or `service/key/handler` */
  get invocationTarget(): string {
    const key = this.key === undefined ? "" : `/${this.key}`;
    return `${this.serviceName}${key}/${this.handlerName}`;
  }
}

export type LogMetadata = {
  source: LogSource;
  level: RestateLogLevel;
  /** The handler said this in an earlier attempt already. */
  replaying: boolean;
  context?: LoggerContext;
};

/** Takes every line and decides what becomes of it. */
export type LoggerTransport = (
  params: LogMetadata,
  message?: Any,
  ...optionalParams: Any[]
) => void;

/** To the console, with service, handler and invocation in front; nothing while replaying, nothing below `info`. */
export const consoleLogger: LoggerTransport = ({ level, replaying, context }, ...message) => {
  if (replaying || level === "trace" || level === "debug") return;
  console[level](context === undefined ? "[holdfast]" : prefixOf(context), ...message);
};

function prefixOf({
  invocationTarget,
  invocationId,
  additionalContext = {},
}: LoggerContext): string {
  const more = Object.entries(additionalContext).map(([name, value]) => `[${name}: ${value}]`);
  return `[holdfast][${invocationTarget}][${invocationId}]${more.join("")}`;
}
