/**
 * `@holdfast/sdk`: write ordinary functions; Holdfast makes them crash-proof.
 *
 * The names are those of the TypeScript SDK of the open Restate service protocol where the two overlap, so that changing
 * the import is the whole migration.
 */
export type {
  Context,
  ContextDate,
  GenericCall,
  GenericSend,
  InvocationHandle,
  InvocationId,
  InvocationPromise,
  InvocationReference,
  Rand,
  Request,
  RunAction,
  ReceiveOptions,
  RunOptions,
  RunStep,
  SignalReference,
  Target,
} from "./define/context.ts";
export { InvocationIdParser } from "./define/context.ts";
export type {
  Service,
  ServiceDefinition,
  ServiceDefinitionFrom,
  ServiceHandler,
  VirtualObject,
  VirtualObjectDefinition,
  VirtualObjectDefinitionFrom,
  Workflow,
  WorkflowDefinition,
  WorkflowDefinitionFrom,
} from "./define/definition.ts";
export type { Duration } from "./define/duration.ts";
export type {
  DurablePromise,
  KeyValueStore,
  ObjectContext,
  ObjectSharedContext,
  TypedState,
  UntypedState,
  WorkflowContext,
  WorkflowSharedContext,
} from "./define/keyed-context.ts";
export type { FetchOptions } from "./define/fetch.ts";
export type { Saga, SagaRunOptions } from "./define/saga.ts";
export {
  CancelledError,
  PauseError,
  RestateError,
  RetryableError,
  type RetryableErrorOptions,
  TerminalError,
  TimeoutError,
} from "./define/errors.ts";
export {
  LoggerContext,
  type LoggerTransport,
  type LogMetadata,
  LogSource,
  RestateLogLevel,
} from "./define/logger.ts";
export {
  type Client,
  type ClientCallOptions,
  type ClientSendOptions,
  Opts,
  rpc,
  type SendClient,
  SendOpts,
} from "./define/rpc.ts";
export { type Serde, serde } from "./define/serde.ts";
export {
  createObjectHandler,
  createObjectSharedHandler,
  createServiceHandler,
  createWorkflowHandler,
  createWorkflowSharedHandler,
  handlers,
  type RemoveVoidArgument,
} from "./define/handlers.ts";
export type {
  ObjectHandlerOpts,
  ObjectOptions,
  RetryPolicy,
  ServiceHandlerOpts,
  ServiceOptions,
  WorkflowHandlerOpts,
  WorkflowOptions,
} from "./define/options.ts";
export { object, service, workflow } from "./define/service.ts";
export { isRestatePromise } from "./context/journal-promise.ts";
export { CombineablePromise, RestatePromise } from "./context/restate-promise.ts";
export type { EndpointOptions } from "./endpoint/served-services.ts";
export { endpoint, type RestateEndpoint } from "./endpoint/builder.ts";
export {
  createEndpointHandler,
  type NodeEndpointOptions,
  type NodeHandler,
  serve,
  type ServeOptions,
} from "./endpoint/node-endpoint.ts";
