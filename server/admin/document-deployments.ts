/** The paths on deployments, for the OpenAPI document; pure. */
import { answer, empty, operation, pathParameter, queryParameter } from "./document-parts.ts";

const tag = "deployments";
const id = pathParameter("id", "Id of the deployment, `dp_1…`");
const force = (what: string) => queryParameter("force", what, { type: "boolean", default: false });

const DISCOVERY = {
  400: "The address or the headers cannot be used",
  415: "Not declared as JSON",
  422: "JSON of another shape",
  500: "META0003, META0012 to META0015: the endpoint cannot be discovered",
};

const UPDATE = {
  tag,
  description:
    "An empty object changes nothing. Otherwise the endpoint is discovered again, at this address or a new one, and must " +
    "offer at least what it offered, in the same types and protocol versions, unless `overwrite` is set.",
  parameters: [id],
  body: "UpdateDeployment",
  success: { 200: answer("As it is now, or would be after a dry run", "Deployment") },
  failures: {
    ...DISCOVERY,
    404: "There is no such deployment",
    409: "META0016: too different from what is registered",
  },
};

export const DEPLOYMENT_PATHS = {
  "/deployments": {
    post: operation({
      id: "create_deployment",
      tag,
      summary: "Register an endpoint",
      description:
        "The same address is known already: 200, nothing is asked and nothing changes, unless `force` overwrites it in " +
        "place. Under /v2 `force` is the default, overwriting answers 201, and a known address without it 409.",
      body: "RegisterDeployment",
      success: {
        200: answer("Known, or overwritten", "RegisterDeploymentResponse"),
        201: answer("New", "RegisterDeploymentResponse"),
      },
      failures: {
        ...DISCOVERY,
        409: "META0006: the type of a service would change. META0017: several deployments have this address. META0004 under /v2: known already",
      },
    }),
    get: operation({
      id: "list_deployments",
      tag,
      summary: "List the deployments",
      success: {
        200: answer("In no particular order", {
          type: "object",
          required: ["deployments"],
          properties: {
            deployments: {
              type: "array",
              items: { $ref: "#/components/schemas/ListedDeployment" },
            },
          },
        }),
      },
    }),
  },
  "/deployments/{id}": {
    get: operation({
      id: "get_deployment",
      tag,
      summary: "Show a deployment and its services",
      parameters: [id],
      success: { 200: answer("The deployment", "Deployment") },
      failures: { 404: "There is no such deployment" },
    }),
    patch: operation({
      ...UPDATE,
      id: "update_deployment",
      summary: "Change a deployment in place",
    }),
    put: operation({
      ...UPDATE,
      id: "replace_deployment",
      summary: "The same under /v2 only; 405 in later versions",
      deprecated: true,
    }),
    delete: operation({
      id: "delete_deployment",
      tag,
      summary: "Forget a deployment",
      description:
        "Without `force` only one that is drained. What is pinned to it fails with RT0011 from then on.",
      parameters: [id, force("Also while it is in use")],
      success: { 202: empty("It is forgotten") },
      failures: {
        404: "There is no such deployment",
        409: "It is in use; the message says by what",
      },
    }),
  },
  "/deployments/{id}/drain": {
    post: operation({
      id: "drain_deployment",
      tag,
      summary: "Send new invocations to the revisions before",
      parameters: [id, force("Also where no other deployment offers a service")],
      success: { 200: answer("As it is now", "Deployment") },
      failures: {
        404: "There is no such deployment",
        409: "No other deployment would take new invocations of a service",
      },
    }),
  },
  "/deployments/{id}/undrain": {
    post: operation({
      id: "undrain_deployment",
      tag,
      summary: "Take new invocations again",
      parameters: [id],
      success: { 200: answer("As it is now", "Deployment") },
      failures: { 404: "There is no such deployment" },
    }),
  },
};
