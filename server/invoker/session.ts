/**
 * One attempt's stream without I/O: bytes of the endpoint become inputs, stored notifications become bytes.
 *
 * S1 Nothing is submitted after the message that ends the attempt, be it the endpoint's or our own finding.
 * S2 What is submitted has been decoded whole: bytes that do not decode are never journaled.
 * S3 Entries are forwarded in journal order, and none that was replayed; an acknowledgement stands for its entry.
 */
import { decodeMessage, encodeMessage } from "../../sdk/protocol/codec.ts";
import { encodeFrame, type Frame, FrameDecoder } from "../../sdk/protocol/frame.ts";
import { isCommandMessage } from "../../sdk/protocol/message-kind.ts";
import {
  isKnownMessageType,
  isNotification,
  MessageType,
  messageTypeName,
} from "../../sdk/protocol/message-type.ts";
import type { AwaitingOn, Future, Message, Suspension } from "../../sdk/protocol/messages.ts";
import { ProtocolError } from "../../sdk/protocol/protocol-error.ts";
import type { AttemptRef, Input } from "../machine/input.ts";
import type { Door } from "../processor/ports.ts";
import { awaitProblem, soundSuspension, TREE_VERSION } from "./awaited.ts";
import {
  cutShort,
  type Failing,
  handlerError,
  internalFailure,
  messageTooLarge,
  violation,
} from "./failures.ts";
import type { StepWatch } from "./step-watch.ts";

/** The code with which a frame decoder refuses a length. */
const TOO_LARGE = 413;

/** How an attempt ended. `cut`: nobody waited for its end any more. */
export type Ending =
  | { readonly status: "completed" | "suspended" | "cut" }
  | { readonly status: "failed"; readonly failing: Failing };

export interface SessionOptions {
  readonly attempt: AttemptRef;
  readonly door: Pick<Door, "submit">;
  /** How much of the journal the endpoint was given to replay. */
  readonly knownEntries: number;
  readonly messageBytesMax: number;
  /** Null when nobody traces. */
  readonly steps: StepWatch | null;
  /** Called once, from within the call that ends the attempt. */
  readonly onOver: (ending: Ending) => void;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #decoder: FrameDecoder;
  #nextIndex: number;
  #isOver = false;
  #awaitingOn: Future | null = null;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#decoder = new FrameDecoder(options.messageBytesMax);
    this.#nextIndex = options.knownEntries;
  }

  /** The attempt has ended: nothing it says counts any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What the handler awaits as it said since its last command (V7); null when it did not say. */
  get awaitingOn(): Future | null {
    return this.#awaitingOn;
  }

  /** Takes bytes of the response; returns how many whole frames they completed. */
  receive(chunk: Uint8Array): number {
    if (this.#isOver) return 0;
    let frames = 0;
    try {
      this.#decoder.push(chunk);
      while (!this.#isOver) {
        const frame = this.#decoder.next();
        if (frame === undefined) break;
        frames += 1;
        this.#take(frame);
      }
    } catch (error) {
      this.fail(failingOf(error));
    }
    return frames;
  }

  /** The response is complete. */
  receiveEnd(): void {
    this.fail(cutShort(this.#decoder.pendingBytes));
  }

  /** Ends the attempt as failed, unless it is over already. */
  fail(failing: Failing): void {
    if (this.#isOver) return;
    const { attempt } = this.#options;
    this.#end({ status: "failed", failing }, { type: "fail", attempt, ...failing });
  }

  /** Ends the attempt without a word: whoever calls knows that nobody waits for one. */
  abandon(): void {
    if (!this.#isOver) this.#end({ status: "cut" }, null);
  }

  /** The bytes that tell the endpoint of a stored entry; undefined when it has been told. */
  forward(index: number, messageType: number, body: Uint8Array): Uint8Array | undefined {
    return this.#isNext(index) ? encodeFrame(messageType, body) : undefined;
  }

  /** The bytes that tell the endpoint that its command is durable. */
  acknowledge(commandIndex: number): Uint8Array {
    return encodeMessage({ type: MessageType.CommandAck, commandIndex });
  }

  /** The bytes in place of entry `index`, the result that the endpoint proposed itself; undefined when it has been told. */
  acknowledgeRun(index: number, completionId: number): Uint8Array | undefined {
    if (!this.#isNext(index)) return undefined;
    return encodeMessage({ type: MessageType.ProposeRunCompletionAck, completionId });
  }

  #isNext(index: number): boolean {
    if (index < this.#nextIndex) return false;
    this.#nextIndex = index + 1;
    return true;
  }

  #end(ending: Ending, input: Input | null): void {
    const { door, onOver } = this.#options;
    this.#isOver = true;
    if (input !== null) door.submit(input);
    onOver(ending);
  }

  #take(frame: Frame): void {
    const { attempt, door, steps } = this.#options;
    const misplaced = misplacedReason(frame.type, attempt.protocolVersion);
    if (misplaced !== null) return this.fail(violation(misplaced));
    const message = decodeMessage(frame.type, frame.body);
    if (!isCommandMessage(message)) return this.#takeControl(message, frame.ackRequested);
    const { body, ackRequested } = frame;
    this.#awaitingOn = null;
    if (steps !== null && message.type === MessageType.RunCommand) {
      steps.began(message.resultCompletionId, message.name);
    }
    return door.submit({ type: "append-command", attempt, command: message, body, ackRequested });
  }

  #takeControl(message: Message, isAckRequested: boolean): void {
    const { attempt, door, steps } = this.#options;
    switch (message.type) {
      case MessageType.ProposeRunCompletion: {
        const { resultCompletionId: completionId, result } = message;
        steps?.ended(completionId, result.kind === "failure");
        // Before V7 an endpoint that gets less than the whole notification does not go on.
        const ackRequested = isAckRequested && attempt.protocolVersion >= TREE_VERSION;
        return door.submit({ type: "propose-run", attempt, completionId, result, ackRequested });
      }
      case MessageType.AwaitingOn:
        return this.#hint(message);
      case MessageType.Suspension:
        return this.#suspend(message);
      case MessageType.End:
        return this.#end({ status: "completed" }, { type: "end", attempt });
      case MessageType.Error:
        return this.fail(handlerError(message));
      default:
        return this.fail(violation(`the endpoint may not send ${messageTypeName(message.type)}`));
    }
  }

  #hint({ awaitingOn }: AwaitingOn): void {
    const problem = awaitProblem(awaitingOn);
    if (problem !== null) return this.fail(violation(problem));
    this.#awaitingOn = awaitingOn;
    return undefined;
  }

  #suspend(message: Suspension): void {
    const { attempt, knownEntries } = this.#options;
    const suspension = soundSuspension(message, attempt.protocolVersion);
    if (typeof suspension === "string") return this.fail(violation(suspension));
    const input = { type: "suspend", attempt, suspension, knownEntries } as const;
    return this.#end({ status: "suspended" }, input);
  }
}

/** Why a frame of this type may not come from an endpoint (service protocol 10.2); null when it may. */
function misplacedReason(type: number, version: number): string | null {
  const name = messageTypeName(type);
  if (!isKnownMessageType(type)) return `the endpoint sent a message of unknown type ${name}`;
  if (isNotification(type))
    return `the endpoint sent ${name}, a notification: only the server does`;
  switch (type) {
    case MessageType.Start:
    case MessageType.CommandAck:
    case MessageType.ProposeRunCompletionAck:
    case MessageType.InputCommand:
      return `the endpoint sent ${name}, which only the server sends`;
    case MessageType.AwaitingOn:
      if (version >= TREE_VERSION) return null;
      return `the endpoint sent ${name}, which belongs to a later protocol version than was agreed`;
    default:
      return null;
  }
}

function failingOf(error: unknown): Failing {
  if (!(error instanceof ProtocolError)) return internalFailure(error);
  if (error.code === TOO_LARGE) {
    return messageTooLarge(`${error.message}; raise --max-message-size or send less at once`);
  }
  return violation(`the endpoint sent bytes that do not decode: ${error.message}`);
}
