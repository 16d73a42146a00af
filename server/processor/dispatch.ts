/** An effect becomes a call of a port. Called in commit order, after the barrier that covers the commit. */
import { unreachable } from "../base/assert.ts";
import type { Effect, ReplyEffect } from "../machine/effect.ts";
import type { Ports } from "./ports.ts";

export function dispatch(
  effect: Effect,
  ports: Ports,
  answer: (effect: ReplyEffect) => void,
): void {
  switch (effect.type) {
    case "start-attempt":
      return ports.attempts.start(effect);
    case "forward":
      return ports.attempts.forward(effect);
    case "acknowledge-command":
      return ports.attempts.acknowledge(effect);
    case "acknowledge-run":
      return ports.attempts.acknowledgeRun(effect);
    case "suspend-attempt":
      return ports.attempts.suspend(effect);
    case "close-attempt":
      return ports.attempts.close(effect);
    case "ready-page":
      return ports.attempts.readyPage(effect);
    case "arm-timer":
      return ports.timers.arm(effect);
    case "finished":
      return ports.waiters.finished(effect);
    case "published":
      return ports.waiters.published(effect);
    case "reply":
      return answer(effect);
    default:
      return unreachable(effect);
  }
}
