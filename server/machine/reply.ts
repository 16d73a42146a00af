import type { Reply } from "./effect.ts";
import type { ReplyTo } from "./input.ts";
import type { Step } from "./step.ts";

/** Answers an input that asked for an answer. */
export function reply(step: Step, to: ReplyTo, answer: Reply): void {
  if (to !== null) step.effects.push({ type: "reply", to, reply: answer });
}
