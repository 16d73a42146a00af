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
  readonly request?: Request;

  constructor(invocationId: string, serviceName: string, handlerName: string, request?: Request) {
    this.invocationId = invocationId;
    this.serviceName = serviceName;
    this.handlerName = handlerName;
    if (request !== undefined) this.request = request;
  }

  /** `service/handler` */
  get invocationTarget(): string {
    return `${this.serviceName}/${this.handlerName}`;
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
  const prefix =
    context === undefined
      ? "[holdfast]"
      : `[holdfast][${context.invocationTarget}][${context.invocationId}]`;
  console[level](prefix, ...message);
};
