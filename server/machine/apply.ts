/**
 * The machine: applies inputs to state. Deterministic: the same state, the same inputs, the same time give the same writes and
 * the same effects.
 *
 * M1 No clock, no chance, no promise, no I/O: all of it comes in with the input.
 * M2 State is truth, effects are hints: each effect can be derived again from state (`fetch-ready`) or is safe to lose.
 * M3 Every input is idempotent or refused.
 * M4 Messages between invocations are inputs too (`Step.followUps`).
 */
import { unreachable } from "../base/assert.ts";
import { onAppendCommand, onEnd, onFail, onProposeRun, onSuspend } from "./attempt.ts";
import type { Input } from "./input.ts";
import { onAttach, onInvoke, onListen } from "./invoke.ts";
import { onNotify, onSignal } from "./notify.ts";
import { onFetchReady, onRegisterDeployment, onResume } from "./operate.ts";
import type { Step } from "./step.ts";
import { onTimersDue } from "./timer.ts";

/** Applies an input and everything that follows from it inside the system. */
export function apply(step: Step, input: Input): void {
  applyOne(step, input);
  const { followUps } = step;
  for (let next = followUps.shift(); next !== undefined; next = followUps.shift()) {
    applyOne(step, next);
  }
}

function applyOne(step: Step, input: Input): void {
  switch (input.type) {
    case "invoke":
      return onInvoke(step, input);
    case "append-command":
      return onAppendCommand(step, input);
    case "propose-run":
      return onProposeRun(step, input);
    case "suspend":
      return onSuspend(step, input);
    case "end":
      return onEnd(step, input);
    case "fail":
      return onFail(step, input);
    case "notify":
      return onNotify(step, input);
    case "signal":
      return onSignal(step, input);
    case "attach":
      return onAttach(step, input);
    case "listen":
      return onListen(step, input);
    case "resume":
      return onResume(step, input);
    case "timers-due":
      return onTimersDue(step, input);
    case "fetch-ready":
      return onFetchReady(step, input);
    case "register-deployment":
      return onRegisterDeployment(step, input);
    default:
      return unreachable(input);
  }
}
