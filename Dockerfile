# Build with the same scripts as everyone; run with one bundle and one addon, as nobody in particular.
# Not 24: see better-sqlite3 in docs/decisions/005-dependencies.md.
FROM node:22-bookworm AS build
WORKDIR /build
COPY package.json package-lock.json ./
COPY sdk/package.json sdk/
COPY examples/checkout/package.json examples/checkout/
RUN npm ci --include=dev --no-audit --no-fund
COPY . .
RUN npm run build
# What the bundle leaves outside: the addon and the two modules that find it.
RUN node scripts/stage.mjs /app

FROM node:22-bookworm-slim
ENV NODE_ENV=production \
    HOLDFAST_DATA=/data \
    HOLDFAST_INGRESS=0.0.0.0:8080
RUN install -d -o node -g node /data
COPY --from=build /app /app
USER node
VOLUME /data
# The admin API listens inside the container only (127.0.0.1:9070) until HOLDFAST_ADMIN=0.0.0.0:9070 and HOLDFAST_ADMIN_TOKEN are set.
EXPOSE 8080 9070
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/restate/health').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/holdfast.mjs"]
CMD ["serve"]
