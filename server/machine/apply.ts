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
import { onAppendCommand, onEnd, onFail, onProposeRun, onSuspend, onYield } from "./attempt.ts";
import { onCancel, onKill } from "./cancel.ts";
import { onGetEvent, onListEvents, onPublishEvent, onSendMessage } from "./deliver.ts";
import { onMutateState } from "./exclusive.ts";
import type {
  Cancel,
  DeleteDeployment,
  GetEvent,
  Input,
  Kill,
  ListEvents,
  MutateState,
  OverrideService,
  Pause,
  PublishEvent,
  Purge,
  RegisterDeployment,
  RestartAsNew,
  Resume,
  SendMessage,
  UpdateDeployment,
} from "./input.ts";
import { onAttach, onInvoke, onListen } from "./invoke.ts";
import { onNotify } from "./notify.ts";
import {
  onDeleteDeployment,
  onFetchReady,
  onOverrideService,
  onRegisterDeployment,
  onUpdateDeployment,
} from "./operate.ts";
import { onPurge } from "./purge.ts";
import { onRestartAsNew } from "./restart.ts";
import { onPause, onResume } from "./resume.ts";
import { onSignal } from "./signal.ts";
import type { Step } from "./step.ts";
import { onTimersDue } from "./timer.ts";

/** Applies an input and everything that follows from it inside the system. */
export function apply(step: Step, input: Input): void {
  applyOne(step, input);
  const { followUps } = step;
  // Each may add more: the killing of a large tree adds thousands.
  for (const next of followUps) applyOne(step, next);
  followUps.length = 0;
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
    case "yield":
      return onYield(step, input);
    case "notify":
      return onNotify(step, input);
    case "signal":
      return onSignal(step, input);
    case "attach":
      return onAttach(step, input);
    case "listen":
      return onListen(step, input);
    case "timers-due":
      return onTimersDue(step, input);
    case "fetch-ready":
      return onFetchReady(step, input);
    default:
      return applyOperation(step, input);
  }
}

type Operation =
  | Cancel
  | Kill
  | Pause
  | Resume
  | Purge
  | RestartAsNew
  | MutateState
  | RegisterDeployment
  | UpdateDeployment
  | DeleteDeployment
  | OverrideService;

/** What operators ask for. */
function applyOperation(step: Step, input: Operation | Delivery): void {
  switch (input.type) {
    case "cancel":
      return onCancel(step, input);
    case "kill":
      return onKill(step, input);
    case "pause":
      return onPause(step, input);
    case "resume":
      return onResume(step, input);
    case "purge":
      return onPurge(step, input);
    case "restart-as-new":
      return onRestartAsNew(step, input);
    case "mutate-state":
      return onMutateState(step, input);
    case "register-deployment":
      return onRegisterDeployment(step, input);
    case "update-deployment":
      return onUpdateDeployment(step, input);
    case "delete-deployment":
      return onDeleteDeployment(step, input);
    case "override-service":
      return onOverrideService(step, input);
    default:
      return applyDelivery(step, input);
  }
}

type Delivery = SendMessage | PublishEvent | GetEvent | ListEvents;

/** Messages and events, to and from outside. */
function applyDelivery(step: Step, input: Delivery): void {
  switch (input.type) {
    case "send-message":
      return onSendMessage(step, input);
    case "publish-event":
      return onPublishEvent(step, input);
    case "get-event":
      return onGetEvent(step, input);
    case "list-events":
      return onListEvents(step, input);
    default:
      return unreachable(input);
  }
}
