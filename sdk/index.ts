/**
 * `@holdfast/sdk`: write ordinary functions; Holdfast makes them crash-proof.
 *
 * The names are those of the TypeScript SDK of the open Restate service protocol where the two overlap, so that changing
 * the import is the whole migration.
 */
import * as internal from "./define/internal.ts";

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
  ScopedContext,
  SignalReference,
  Target,
} from "./define/context.ts";
export { InvocationIdParser } from "./define/context.ts";
export type {
  Service,
  ServiceDefinition,
  ServiceDefinitionFrom,
  ServiceHandler,
  ServiceOpts,
  VirtualObject,
  VirtualObjectDefinition,
  VirtualObjectDefinitionFrom,
  Workflow,
  WorkflowDefinition,
  WorkflowDefinitionFrom,
} from "./define/definition.ts";
export {
  type Descriptor,
  type DescriptorOpts,
  type HandlerDescriptor,
  iface,
  type ImplementedDefinition,
  type ImplementedObjectDefinition,
  type ImplementedServiceDefinition,
  type ImplementedWorkflowDefinition,
  type InferInput,
  type InferOutput,
  type ObjectDescriptor,
  type ServiceDescriptor,
  type ServiceInterface,
  type WorkflowDescriptor,
} from "./define/descriptor.ts";
export {
  type FnOf,
  implement,
  type ObjectImplHandlers,
  type ObjectPerHandlerOpts,
  type ServiceImplHandlers,
  type ServicePerHandlerOpts,
  type WorkflowImplHandlers,
  type WorkflowPerHandlerOpts,
} from "./define/implement.ts";
export type { Duration } from "./define/duration.ts";
export type {
  DurablePromise,
  KeyValueStore,
  ObjectContext,
  ObjectHandler,
  ObjectSharedContext,
  RestateContext,
  RestateObjectContext,
  RestateObjectSharedContext,
  RestateWorkflowContext,
  RestateWorkflowSharedContext,
  TypedState,
  UntypedState,
  WorkflowContext,
  WorkflowHandler,
  WorkflowSharedContext,
  WorkflowSharedHandler,
} from "./define/keyed-context.ts";
export type { Hooks, HooksProvider, Interceptor } from "./define/hooks.ts";
export type { JournalValueCodec } from "./define/journal-value-codec.ts";
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
  type ClientFromDescriptors,
  type ClientSendOptions,
  type InferArg,
  Opts,
  rpc,
  type SendClient,
  type SendClientFromDescriptors,
  SendOpts,
} from "./define/rpc.ts";
export { type Serde, serde } from "./define/serde.ts";
export { SchemaError, type SchemaIssue, type StandardSchema } from "./define/standard-schema.ts";
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
  DefaultServiceOptions,
  ObjectHandlerOpts,
  ObjectOptions,
  RetryPolicy,
  ServiceHandlerOpts,
  ServiceOptions,
  WorkflowHandlerOpts,
  WorkflowOptions,
} from "./define/options.ts";
export { object, type ObjectOpts, service, workflow, type WorkflowOpts } from "./define/service.ts";
export { internal };
export { isRestatePromise } from "./context/journal-promise.ts";
export { CombineablePromise, RestatePromise } from "./context/restate-promise.ts";
export type { EndpointOptions } from "./endpoint/served-services.ts";
export { endpoint, type RestateEndpoint } from "./endpoint/builder.ts";
export type { RestateEndpointBase } from "./endpoint/endpoint-builder.ts";
export {
  createEndpointHandler,
  type NodeEndpointOptions,
  type NodeHandler,
  serve,
  type ServeOptions,
} from "./endpoint/node-endpoint.ts";
