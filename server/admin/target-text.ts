import type { Target } from "../machine/invocation.ts";

/** `Service/handler`, or `Object/key/handler`. */
export function targetText({ service, key, handler }: Target): string {
  return key === null ? `${service}/${handler}` : `${service}/${key}/${handler}`;
}
