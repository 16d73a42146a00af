/** `ctx.console`: the console, except that it is silent while the handler is replayed. */
import { trust } from "../define/any.ts";
import {
  type LoggerContext,
  type LoggerTransport,
  LogSource,
  type RestateLogLevel,
} from "../define/logger.ts";

const LEVELS: ReadonlyMap<string | symbol, RestateLogLevel> = new Map([
  ["trace", "trace"],
  ["debug", "debug"],
  ["log", "info"],
  ["info", "info"],
  ["warn", "warn"],
  ["error", "error"],
]);

/**
 * The methods with a level go to the logger; the others (`table`, `group`, …) to the global console, or nowhere while
 * replaying.
 */
export function handlerConsole(
  logger: LoggerTransport,
  context: () => LoggerContext,
  isReplaying: () => boolean,
): Console {
  return new Proxy(console, {
    get(target, property) {
      const level = LEVELS.get(property);
      if (level !== undefined) {
        return (...message: unknown[]) => {
          const replaying = isReplaying();
          logger({ source: LogSource.USER, level, replaying, context: context() }, ...message);
        };
      }
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== "function") return member;
      return (...values: unknown[]): unknown =>
        isReplaying() ? undefined : Reflect.apply(trust<() => unknown>(member), target, values);
    },
  });
}
