/** Parts that several entries share, in the shapes that clients read. */
import type {
  Failure,
  Header,
  InvocationTarget,
  NotificationId,
} from "../../../sdk/protocol/messages.ts";

const UTF8 = new TextDecoder();

/** State keys are bytes; what is no UTF-8 in them is shown as U+FFFD. */
export function text(bytes: Uint8Array): string {
  return UTF8.decode(bytes);
}

export function payloadJson(bytes: Uint8Array): readonly number[] {
  return [...bytes];
}

export function headersJson(headers: readonly Header[]): readonly object[] {
  return headers.map(({ key, value }) => ({ name: key, value }));
}

export function failureJson({ code, message, metadata }: Failure): object {
  const more = metadata?.map(({ key, value }) => ({ key, value })) ?? [];
  return more.length === 0 ? { code, message } : { code, message, metadata: more };
}

export function signalIdJson(id: Exclude<NotificationId, { kind: "completion" }>): object {
  return id.kind === "signal-index" ? { Index: id.index } : { Name: id.name };
}

/** As a leaf of what is awaited, and in light entries. */
export function notificationIdJson(id: NotificationId): object {
  switch (id.kind) {
    case "completion":
      return { CompletionId: id.completionId };
    case "signal-index":
      return { SignalIndex: id.index };
    default:
      return { SignalName: id.name };
  }
}

export function targetJson(target: InvocationTarget): object {
  switch (target.kind) {
    case "invocation-id":
      return { InvocationId: target.invocationId };
    case "workflow":
      return { Workflow: { service_name: target.service, key: target.key } };
    default: {
      const { service, key, handler, idempotencyKey } = target;
      const id = {
        service_name: service,
        service_key: key ?? null,
        service_handler: handler,
        idempotency_key: idempotencyKey,
      };
      return { IdempotentRequest: id };
    }
  }
}
