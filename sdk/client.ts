/**
 * `@holdfast/sdk/client`: call services from anywhere `fetch` is, also from a browser. The names are those of the client of
 * the open Restate SDKs, where the two overlap.
 */
export type {
  Service,
  ServiceDefinition,
  ServiceDefinitionFrom,
  VirtualObject,
  VirtualObjectDefinition,
  VirtualObjectDefinitionFrom,
  Workflow,
  WorkflowDefinition,
  WorkflowDefinitionFrom,
} from "./define/definition.ts";
export type { Duration } from "./define/duration.ts";
export type { JournalValueCodec } from "./define/journal-value-codec.ts";
export { type Serde, serde } from "./define/serde.ts";
export {
  type ConnectionOpts,
  type Delivery,
  type EventOptions,
  type InferArgType,
  type Ingress,
  type IngressCall,
  type IngressCallOptions,
  type IngressClient,
  type IngressClientFromDescriptors,
  type IngressSendClient,
  type IngressSendClientFromDescriptors,
  type IngressSendOptions,
  type IngressWorkflowClient,
  type InvocationTarget,
  type MessageOptions,
  Opts,
  type Output,
  type PublishedEvent,
  rpc,
  type Send,
  SendOpts,
  type WorkflowSubmission,
} from "./ingress-client/api.ts";
export { connect } from "./ingress-client/connect.ts";
export { HttpCallError } from "./ingress-client/http.ts";
export type { RetryOptions } from "./ingress-client/retry.ts";
